"""Settings of each stage of the workflow, as functions of the configuration.

A stage receives only the values that it depends on, so that a change of any other value does not affect its results.
This module imports nothing heavy: the workflow reads it whenever it is parsed.
"""

from collections.abc import Mapping
from typing import Any

from safe_pit_cm.simulation import splits
from safe_pit_cm.studies import alternatives, readings, variants

Config = Mapping[str, Any]
Settings = dict[str, Any]


def parents_of(config: Config, split: splits.Split, section: str = "dataset") -> list[str]:
    """Names of the parents of a split: of the paper, or with the section ``model`` of another equation."""
    sizes = (config[section][name] for name in ("parents", "validation_parents", "test_parents"))
    return [parent for parent, own in splits.assign(*sizes).items() if own == split]


def fewest_substeps(config: Config) -> int:
    """Smallest number of sub-steps of the ablation."""
    return min(config["ablation"]["substeps"])


def training(config: Config) -> Settings:
    """Settings of a training."""
    return {
        "seed": config["seed"],
        "substeps": config["safe_operator"]["substeps"],
        "estimator": config["estimator"],
        "autoencoder": config["autoencoder"],
        "loss": config["loss"],
        "training": config["training"],
    }


def zero_shot(config: Config) -> Settings:
    """Settings of a zero-shot fit, apart from the number of sub-steps."""
    return {
        "seed": config["seed"],
        "steps": config["zero_shot"]["steps"],
        "learning_rate": config["zero_shot"]["learning_rate"],
        "estimator": config["estimator"],
    }


def replicate(config: Config, dataset: int) -> Settings:
    """Settings with which the test videos of a data set are simulated and fitted again from several random starts.

    Parameters
    ----------
    config
        The configuration.
    dataset
        Seed of the data set. The first fits and the minima of the run's own data set are computed by other stages.
    """
    own, first = config["replication"], dataset == config["seed"]
    return {
        "dataset": dataset,
        "replicates": list(range(1, own["estimators"]) if first else range(own["further_estimators"])),
        # The minima of the run's own data set are computed by its ablations.
        "counts": [] if first else config["ablation"]["substeps"],
        "initial_condition": {**config["grid"], **config["microstructure"]},
        "integrate": {**config["transport"], **config["time"]},
        "zero_shot": {**zero_shot(config), "seed": dataset, "substeps": config["safe_operator"]["substeps"]},
    }


def replicated_datasets(config: Config) -> list[int]:
    """Seeds of the data sets whose test videos are fitted again: the run's own first, each once."""
    seeds = dict.fromkeys([config["seed"], *config["replication"]["datasets"]])
    return [seed for seed in seeds if replicate(config, seed)["replicates"]]


def replicated_parents(config: Config) -> dict[str, list[str]]:
    """Test parents that one job fits again, by the name of its result: the first of them and the last."""
    parents, size = parents_of(config, "test"), config["replication"]["parents_per_job"]
    together = [parents[start : start + size] for start in range(0, len(parents), size)]
    return {"-".join(dict.fromkeys([each[0], each[-1]])): each for each in together}


def sensitivity(config: Config, alternative: str) -> Settings:
    """Settings of a small test set in which one value is replaced by an alternative.

    Parameters
    ----------
    config
        The configuration.
    alternative
        A name of :func:`safe_pit_cm.studies.alternatives.configured_and_others`.
    """
    other = alternatives.apply(config, alternatives.configured_and_others(config)[alternative])
    return {
        "seed": config["seed"],
        "parents": parents_of(config, "test")[: config["ablation"]["sensitivity"]["parents"]],
        "settings": {name: other[name] for name in ("grid", "time", "microstructure", "transport")},
        "counts": sorted({*config["ablation"]["substeps"], config["safe_operator"]["substeps"]}),
    }


def lost_choices(config: Config, reading: str) -> Settings:
    """Settings of the likelihood of the published numbers under one reading of what is lost.

    The configured interface width, roughness and smallest |α| are points of the grid.

    Parameters
    ----------
    config
        The configuration.
    reading
        A name of :func:`safe_pit_cm.studies.readings.readings`.
    """
    own, micro, transport = config["lost_choices"], config["microstructure"], config["transport"]
    known = [micro, *config["ablation"]["sensitivity"]["microstructures"]]
    # A range of a single |α| gives no R² of mobility.
    if transport["magnitude_min"] < transport["magnitude_max"]:
        known.append({"magnitude_min": transport["magnitude_min"]})
    return {
        "reading": vars(readings.readings(own)[reading]),
        "seed": config["seed"],
        "size": config["grid"]["size"],
        "spacing": config["grid"]["spacing"],
        "grains": {name: micro[name] for name in ("grains_min", "grains_max")},
        "time": config["time"],
        "magnitude_max": transport["magnitude_max"],
        **{name: own[name] for name in ("parents", "test_sets", "magnitude_nodes", "tolerance")},
        **{axis: sorted({*own[axis], *(one[axis] for one in known if axis in one)}) for axis in readings.AXES},
    }


def lost_choices_items(config: Config) -> Settings:
    """Readings in words, the configured choice and the alternatives to it, which the items on lost choices show."""
    micro = config["microstructure"]
    return {
        "readings": {name: reading.label for name, reading in readings.readings(config["lost_choices"]).items()},
        "sizes": {
            name: reading.size or config["grid"]["size"]
            for name, reading in readings.readings(config["lost_choices"]).items()
        },
        "configured": {
            "interface_width": micro["interface_width"],
            "roughness": micro["roughness"],
            "magnitude_min": config["transport"]["magnitude_min"],
        },
        "alternatives": config["ablation"]["sensitivity"]["microstructures"],
    }


def example_initial_condition(config: Config) -> Settings:
    """Settings of the initial condition of the first test parent, without interface width and roughness."""
    micro = config["microstructure"]
    return {
        "seed": config["seed"],
        "parent": parents_of(config, "test")[0],
        **config["grid"],
        **{name: micro[name] for name in ("grains_min", "grains_max")},
    }


def variant(config: Config, name: str) -> Settings:
    """Settings of the training of a variant: the configured training, shorter, with a few values changed.

    Parameters
    ----------
    config
        The configuration.
    name
        A name of :mod:`safe_pit_cm.studies.variants`.
    """
    own = config["variants"]
    if name in variants.COLLAPSE:
        pace, changes = {"epochs": config["ablation"]["collapse_epochs"]}, variants.COLLAPSE[name]
        coarse = {**training(config), "substeps": fewest_substeps(config)}
        return {**variants.changed(variants.changed(coarse, {"training": pace}), changes), "replicates": 1}
    if name in variants.PROCEDURES:
        pace, changes = {"epochs": own["procedure_epochs"]}, variants.PROCEDURES[name]
        settings = variants.changed(variants.changed(training(config), {"training": pace}), changes)
        return {**settings, "replicates": own["procedure_replicates"]}
    if name in variants.ESTIMATORS:
        pace, changes = {"epochs": own["estimator_epochs"]}, variants.ESTIMATORS[name]
    else:
        epochs = own["degeneracy_epochs"]
        pace = {"epochs": epochs, "stop_patience": epochs, "autoencoder_rate": own["degeneracy_autoencoder_rate"]}
        changes = variants.DEGENERACY[name]
    settings = variants.changed(variants.changed(training(config), {"training": pace}), changes)
    return {**settings, "replicates": own["replicates"] if variants.is_repeated(changes) else 1}


def baselines(config: Config) -> Settings:
    """Settings of the searches of the baselines; which of them run does not affect their results."""
    return {name: value for name, value in config["baselines"].items() if not name.startswith("long")}


def baseline_parents(config: Config) -> dict[str, list[str]]:
    """Test parents of the baselines: all for the quick ones; the first few, on request, for the long ones."""
    parents, own = parents_of(config, "test"), config["baselines"]
    return {"quick": parents, "long": parents[: own["long_parents"] if own["long"] else 0]}


def noise_scan(config: Config) -> Settings:
    """Settings of the methods that are run on noisy videos."""
    own = config["robustness"]
    return {
        **zero_shot(config),
        "substeps": config["safe_operator"]["substeps"],
        "noise": own["noise"],
        "zero_shot_parents": parents_of(config, "test")[: own["zero_shot_parents"]],
        "zero_shot_noise": own["zero_shot_noise"],
        "weak": {name: own[f"weak_{name}"] for name in ("boxes", "side", "duration")},
        # A smaller coefficient would be set to zero.
        "weak_threshold": config["loss"]["magnitude_low"],
    }


def noisy_training(config: Config) -> Settings:
    """Settings of the estimators that are trained on noisy videos."""
    return {
        **config["noisy_training"],
        "seed": config["seed"],
        "substeps": config["safe_operator"]["substeps"],
        "steps": config["inference"]["steps"],
    }


def table_1(config: Config) -> Settings:
    """Values that Table 1 shows."""
    sections = {
        "grid": ("size", "spacing"),
        "time": ("step", "steps", "save_interval"),
        "microstructure": ("grains_min", "grains_max", "interface_width", "roughness"),
        "transport": ("magnitude_min", "magnitude_max"),
        "dataset": ("parents", "validation_parents", "test_parents"),
    }
    return {name: config[section][name] for section, names in sections.items() for name in names}


def table_2(config: Config) -> Settings:
    """Values that Table 2 shows."""
    return {
        "step": config["time"]["step"],
        "save_interval": config["time"]["save_interval"],
        "substeps": config["safe_operator"]["substeps"],
    }


def figure_2(config: Config) -> Settings:
    """Sections of the configuration that Figure 2 shows."""
    return {name: config[name] for name in ("loss", "training")}


def model_video(config: Config) -> Settings:
    """Settings of a simulation of another equation, apart from the parent."""
    section = config["model"]
    return {
        "model": section["name"],
        "seed": config["seed"],
        "spacing": config["grid"]["spacing"],
        "interval": config["time"]["step"] * config["time"]["save_interval"],
        **{name: section[name] for name in ("size", "frames", "spread", "correlation", "level", "contrast")},
    }


def model_scan(config: Config) -> Settings:
    """Settings of the experiments on a video of another equation."""
    section = config["model"]
    return {
        "seed": config["seed"],
        **{name: section[name] for name in ("substeps", "frame_steps", "noise")},
        "zero_shot": config["zero_shot"],
        "estimator": _published_estimator(config),
    }


def model_training(config: Config) -> Settings:
    """Settings of the training for another equation, and of its test-time steps."""
    section = config["model"]
    return {
        "seed": config["seed"],
        "spread": section["spread"],
        "steps": config["inference"]["steps"],
        "estimator": _published_estimator(config),
        "autoencoder": config["autoencoder"],
        "loss": config["loss"],
        "training": {**config["training"], "epochs": section["epochs"]},
    }


def _published_estimator(config: Config) -> Settings:
    """The estimator of frames, as published: not every other input tells several coefficients."""
    return {**config["estimator"], "reads": "frames"}
