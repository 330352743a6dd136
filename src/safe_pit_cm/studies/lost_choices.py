"""Values missing from the paper's text, changed one at a time. No imports: the workflow reads this at every parse."""

from collections.abc import Mapping
from typing import Any

CONFIGURED = "configured"
# By the name of the list in the section ``ablation.sensitivity``: the section in which the value stands.
_SECTIONS = {
    "interface_width": "microstructure",
    "roughness": "microstructure",
    "size": "grid",
    "magnitude_min": "transport",
}


def alternatives(config: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Alternative values of the lost numbers, by a name such as ``interface_width_0.25``.

    Returns
    -------
    dict
        By name, what changes: section, key and value. First, under ``configured``, nothing.
    """
    changes: dict[str, dict[str, dict[str, Any]]] = {CONFIGURED: {}}
    for key, section in _SECTIONS.items():
        for value in config["ablation"]["sensitivity"][key]:
            changes[f"{key}_{value}"] = {section: {key: value}}
    return changes


def apply(config: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Configuration with the changes made; the original stays as it is."""
    return {
        name: {**section, **changes.get(name, {})} if isinstance(section, Mapping) else section
        for name, section in config.items()
    }
