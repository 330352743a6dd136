"""Configurations of the tiny paper with other values, which the schema and the checks beyond it accept."""

import random
from collections.abc import Mapping
from typing import Any

import yaml

from checkout import ROOT, TINY
from safe_pit_cm import config
from safe_pit_cm.errors import UserError

SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
# The films to measure, and other equations, are no part of the paper.
OTHERS = ("measurements.", "model.")
PARAMETERS = {name: entry for name, entry in config.parameters(SCHEMA).items() if not name.startswith(OTHERS)}

Overrides = dict[str, Any]


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One nested mapping with the values of another, as Snakemake merges them."""
    both = {**first, **second}
    return {
        key: merged(first[key], value) if key in first and isinstance(value, Mapping) else value
        for key, value in both.items()
    }


SHIPPED, OWN = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "config.yaml", TINY))
CONFIG = merged(SHIPPED, OWN)


def at(name: str, value: Any) -> Overrides:
    """Overrides of one value."""
    for key in reversed(name.split(".")):
        value = {key: value}
    return dict(value)


def is_accepted(overrides: Overrides) -> bool:
    """Whether the tiny paper with other values is accepted."""
    try:
        config.validate(merged(CONFIG, overrides), SCHEMA)
    except UserError:
        return False
    return True


# Whole numbers that cost no time, however large they are.
_FREE = (
    *("seed", "time.largest_step_reduction", "training.batch", "training.refresh", "training.ramp"),
    *("training.rate_patience", "training.stop_patience", "noisy_training.batch", "replication.parents_per_job"),
    *("replication.datasets", "ablation.frame_steps", "ablation.sensitivity.parents", "baselines.long_parents"),
    *("robustness.parents", "robustness.zero_shot_parents", "robustness.crop_parents"),
)
# The methods that take minutes per video.
_LONG = ("baselines.long",)


def _extreme(draw: random.Random, name: str, entry: Mapping[str, Any], value: Any) -> Any:
    """Another value of one parameter, often at the end of its range, that takes at most some times as long."""
    match entry["type"]:
        case "boolean":
            return not value
        case "string":
            return draw.choice(entry["enum"])
        case "integer":
            ends = [entry["minimum"], entry["minimum"] + 1, value + 1, 2 * value]
            return draw.choice([*ends, entry["maximum"]] if name in _FREE else ends)
        case "number":
            low = entry.get("minimum", entry.get("exclusiveMinimum", 0) + 1e-9)
            high = entry.get("maximum", entry.get("exclusiveMaximum", 0) - 1e-9)
            return draw.choice([low, high, 0.1 * value, 0.9 * value, 1.1 * value, 10 * value])
        case "array":
            items = [_extreme(draw, name, entry["items"], each) for each in value]
            return draw.choice([[], value[:1], value[::-1], items, items[:1], [*value, *items[-1:]]])
        case "object":
            return {key: _extreme(draw, name, entry["properties"][key], each) for key, each in value.items()}
    raise AssertionError(entry["type"])


def drawn(draw: random.Random, count: int) -> Overrides:
    """Overrides of so many values at random, which are accepted together."""
    found: Overrides = {}
    values = config.flatten(CONFIG)
    names = sorted(PARAMETERS.keys() - set(_LONG))
    for name in draw.sample(names, len(names)):
        wider = merged(found, at(name, _extreme(draw, name, PARAMETERS[name], values[name])))
        if is_accepted(wider):
            found = wider
        if len(config.flatten(found)) == count:
            break
    return found
