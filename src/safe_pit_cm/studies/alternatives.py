"""Alternative values of numbers missing from the paper's text: one at a time, or width and roughness together.

Nothing is imported here: the workflow reads this module whenever it is parsed.
"""

from collections.abc import Mapping
from typing import Any

CONFIGURED = "configured"
# Section of each value, by the name of its list in the section ``ablation.sensitivity``.
_SECTIONS = {
    "interface_width": "microstructure",
    "roughness": "microstructure",
    "size": "grid",
    "magnitude_min": "transport",
}


def configured_and_others(config: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Changes of the configuration, by a name such as ``interface_width_0.25``.

    Returns
    -------
    dict
        By name, the changes: section, key and value. The first, ``configured``, changes nothing.
    """
    changes: dict[str, dict[str, dict[str, Any]]] = {CONFIGURED: {}}
    for key, section in _SECTIONS.items():
        for value in config["ablation"]["sensitivity"][key]:
            changes[f"{key}_{value}"] = {section: {key: value}}
    for pair in config["ablation"]["sensitivity"]["microstructures"]:
        changes["_".join(f"{key}_{pair[key]}" for key in ("interface_width", "roughness"))] = {
            "microstructure": dict(pair)
        }
    return changes


def apply(config: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Changed copy of a configuration."""
    return {
        name: {**section, **changes.get(name, {})} if isinstance(section, Mapping) else section
        for name, section in config.items()
    }
