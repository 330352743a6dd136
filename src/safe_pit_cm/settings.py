"""What each stage depends on, from the configuration: the one place that says which values a stage is given.

A stage reruns when its settings change, so that each function returns the values that its stage uses and no others.
Nothing heavy is imported here: the workflow reads this at every parse.
"""

from collections.abc import Mapping
from typing import Any

from safe_pit_cm.simulation import splits
from safe_pit_cm.studies import lost_choices, variants

Config = Mapping[str, Any]
Settings = dict[str, Any]


def tested_parents(config: Config) -> list[str]:
    """Names of the parent simulations whose videos are tested on."""
    return [parent for parent, split in splits.assign(**config["dataset"]).items() if split == "test"]


def fewest_substeps(config: Config) -> int:
    """Smallest number of sub-steps of the ablation."""
    return int(min(config["ablation"]["substeps"]))


def learning(config: Config) -> Settings:
    """How a step of learning is taken."""
    return {name: config[name] for name in ("loss", "training")}


def training(config: Config) -> Settings:
    """What a training depends on."""
    return {
        "seed": config["seed"],
        "substeps": config["safe_operator"]["substeps"],
        **{name: config[name] for name in ("estimator", "autoencoder", "loss", "training")},
    }


def zero_shot(config: Config) -> Settings:
    """What a zero-shot fit depends on, beside the video and the sub-steps."""
    return {
        "seed": config["seed"],
        "steps": config["zero_shot"]["steps"],
        "learning_rate": config["zero_shot"]["learning_rate"],
        "estimator": config["estimator"],
    }


def replicate(config: Config, dataset: int) -> Settings:
    """How the test videos of a data set are made and fitted again, and from which random starts."""
    own, first = config["replication"], dataset == config["seed"]
    return {
        "dataset": dataset,
        "replicates": list(range(1, own["estimators"]) if first else range(own["further_estimators"])),
        # The minima of the run's own data set are in its ablations.
        "counts": [] if first else config["ablation"]["substeps"],
        "initial_condition": {**config["grid"], **config["microstructure"]},
        "integrate": {**config["transport"], **config["time"]},
        "zero_shot": {**zero_shot(config), "seed": dataset, "substeps": config["safe_operator"]["substeps"]},
    }


def sensitivity(config: Config, alternative: str) -> Settings:
    """What a small test set depends on in which one choice is another."""
    other = lost_choices.apply(config, lost_choices.alternatives(config)[alternative])
    return {
        "seed": config["seed"],
        "parents": tested_parents(config)[: config["ablation"]["sensitivity"]["parents"]],
        "settings": {name: other[name] for name in ("grid", "time", "microstructure", "transport")},
        "counts": sorted({*config["ablation"]["substeps"], config["safe_operator"]["substeps"]}),
    }


def variant(config: Config, name: str) -> Settings:
    """What a variant depends on: the configured training, shorter, with a few values changed."""
    own = config["variants"]
    if name in variants.COLLAPSE:
        pace, changes = {"epochs": config["ablation"]["collapse_epochs"]}, variants.COLLAPSE[name]
        coarse = {**training(config), "substeps": fewest_substeps(config)}
        return {**variants.changed(variants.changed(coarse, {"training": pace}), changes), "replicates": 1}
    if name in variants.ESTIMATORS:
        pace, changes = {"epochs": own["estimator_epochs"]}, variants.ESTIMATORS[name]
    else:
        epochs = own["degeneracy_epochs"]
        pace = {"epochs": epochs, "stop_patience": epochs, "coder_rate": own["degeneracy_coder_rate"]}
        changes = variants.DEGENERACY[name]
    changed = variants.changed(variants.changed(training(config), {"training": pace}), changes)
    return {**changed, "replicates": own["replicates"] if variants.is_repeated(changes) else 1}


def baselines(config: Config) -> Settings:
    """How the baselines search; which of them run changes nothing in what they find."""
    return {name: value for name, value in config["baselines"].items() if not name.startswith("long")}


def noise_scan(config: Config) -> Settings:
    """What the methods that are run on noisy videos depend on."""
    own = config["robustness"]
    return {
        **zero_shot(config),
        "substeps": config["safe_operator"]["substeps"],
        "noise": own["noise"],
        "zero_shot_parents": tested_parents(config)[: own["zero_shot_parents"]],
        "zero_shot_noise": own["zero_shot_noise"],
        "weak": {name: own[f"weak_{name}"] for name in ("boxes", "side", "duration")},
        # A smaller coefficient would be taken for none.
        "weak_threshold": config["loss"]["magnitude_low"],
    }


def table_1(config: Config) -> Settings:
    """Parameters of the simulations."""
    names = {
        "grid": ("size", "spacing"),
        "time": ("step", "steps", "save_interval"),
        "microstructure": ("grains_min", "grains_max", "interface_width", "roughness"),
        "transport": ("magnitude_min", "magnitude_max"),
        "dataset": ("parents", "validation_parents", "test_parents"),
    }
    return {name: config[section][name] for section, own in names.items() for name in own}


def table_2(config: Config) -> Settings:
    """The time scales."""
    return {
        "step": config["time"]["step"],
        "save_interval": config["time"]["save_interval"],
        "substeps": config["safe_operator"]["substeps"],
    }
