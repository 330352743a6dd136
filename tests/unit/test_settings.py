"""What stages are given: what they depend on, and nothing else."""

import copy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from safe_pit_cm import settings
from safe_pit_cm.studies import alternatives, variants

CONFIG: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8"))
VARIANTS = [*variants.PROCEDURES, *variants.ESTIMATORS, *variants.DEGENERACY, *variants.COLLAPSE]
# Every builder, with a sample of what it takes beside the configuration.
BUILDERS: dict[str, Callable[[settings.Config], settings.Settings]] = {
    "training": settings.training,
    "zero_shot": settings.zero_shot,
    "replicate-own": lambda config: settings.replicate(config, config["seed"]),
    "replicate-further": lambda config: settings.replicate(config, config["seed"] + 1),
    "baselines": settings.baselines,
    "noise_scan": settings.noise_scan,
    "noisy_training": settings.noisy_training,
    "table_1": settings.table_1,
    "table_2": settings.table_2,
    "figure_2": settings.figure_2,
    **{
        f"sensitivity-{name}": partial(settings.sensitivity, alternative=name)
        for name in alternatives.configured_and_others(CONFIG)
    },
    **{f"variant-{name}": partial(settings.variant, name=name) for name in VARIANTS},
}


def changed(**sections: dict[str, Any]) -> dict[str, Any]:
    """The configuration with a few values changed."""
    return {**CONFIG, **{name: {**CONFIG[name], **values} for name, values in sections.items()}}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_settings_leave_the_configuration_as_it_is(build: Callable[[settings.Config], settings.Settings]) -> None:
    config = copy.deepcopy(CONFIG)
    first = build(config)
    assert first == build(config)
    assert config == CONFIG


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("training", changed(zero_shot={"steps": 1})),
        ("training", changed(dataset={"parents": 60})),
        ("zero_shot", changed(training={"epochs": 1})),
        ("zero_shot", changed(safe_operator={"substeps": 1})),
        ("baselines", changed(baselines={"long": True, "long_parents": 2})),
        ("replicate-own", changed(ablation={"substeps": [1]})),
        ("noise_scan", changed(robustness={"crop_widths": [8]})),
        ("variant-rates", changed(variants={"degeneracy_epochs": 1})),
        ("noisy_training", changed(training={"epochs": 1})),
        ("variant-procedure_signed", changed(variants={"estimator_epochs": 1, "replicates": 2})),
        ("variant-two_phases", changed(variants={"estimator_epochs": 1, "replicates": 2})),
        ("variant-coarse_signed", changed(safe_operator={"substeps": 7}, variants={"replicates": 2})),
    ],
)
def test_a_stage_is_not_given_what_it_does_not_depend_on(name: str, config: dict[str, Any]) -> None:
    assert config != CONFIG
    assert BUILDERS[name](config) == BUILDERS[name](CONFIG)


def test_the_parents_of_the_splits_are_those_of_the_data_set() -> None:
    config = changed(dataset={"parents": 5, "validation_parents": 1, "test_parents": 2})
    found = [settings.parents_of(config, split) for split in ("train", "validation", "test")]
    assert found == [["000", "001"], ["002"], ["003", "004"]]


def test_the_first_data_set_has_its_first_fits_and_minima_elsewhere() -> None:
    config = changed(replication={"datasets": [7], "estimators": 3, "further_estimators": 2})
    own, further = settings.replicate(config, CONFIG["seed"]), settings.replicate(config, 7)
    assert (own["replicates"], own["counts"]) == ([1, 2], [])
    assert (further["replicates"], further["counts"]) == ([0, 1], CONFIG["ablation"]["substeps"])
    assert further["zero_shot"]["seed"] == 7


def test_a_data_set_without_fits_of_its_own_is_left_out_and_none_comes_twice() -> None:
    config = changed(replication={"datasets": [7, CONFIG["seed"], 7], "estimators": 1, "further_estimators": 1})
    assert settings.replicated_datasets(config) == [7]
    again = changed(replication={"datasets": [7, CONFIG["seed"]], "estimators": 2, "further_estimators": 1})
    assert settings.replicated_datasets(again) == [CONFIG["seed"], 7]


def test_a_lost_choice_changes_one_number_of_a_small_test_set() -> None:
    usual = settings.sensitivity(CONFIG, alternatives.CONFIGURED)
    for name, changes in alternatives.configured_and_others(CONFIG).items():
        other = settings.sensitivity(CONFIG, name)
        for section, values in changes.items():
            assert other["settings"][section] == {**usual["settings"][section], **values}
        assert {**other, "settings": None} == {**usual, "settings": None}
    assert len(usual["parents"]) == CONFIG["ablation"]["sensitivity"]["parents"]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_the_configured_training_with_its_changes(name: str) -> None:
    usual, own = settings.training(CONFIG), settings.variant(CONFIG, name)
    changes = {**variants.PROCEDURES, **variants.ESTIMATORS, **variants.DEGENERACY, **variants.COLLAPSE}[name]
    assert own.keys() == {*usual, "replicates"}
    for section, values in changes.items():
        assert own[section].items() >= values.items()
    pace = {"epochs", "stop_patience", "autoencoder_rate"}
    for section in ("estimator", "autoencoder", "loss", "training"):
        free = {*changes.get(section, {}), *(pace if section == "training" else ())}
        kept = {key: value for key, value in usual[section].items() if key not in free}
        assert own[section].items() >= kept.items()
    coarse = name in variants.COLLAPSE
    assert own["substeps"] == (min(CONFIG["ablation"]["substeps"]) if coarse else usual["substeps"])


def test_long_baselines_face_parents_on_request_alone() -> None:
    test = settings.parents_of(CONFIG, "test")
    asked = settings.baseline_parents(changed(baselines={"long": True, "long_parents": 2}))
    assert asked == {"quick": test, "long": test[:2]}
    assert settings.baseline_parents(changed(baselines={"long": False}))["long"] == []


def test_table_1_is_given_one_value_a_name() -> None:
    given = settings.table_1(CONFIG)
    assert given["size"] == CONFIG["grid"]["size"]
    assert given["parents"] == CONFIG["dataset"]["parents"]
    assert len(given) == 14


def test_the_settings_are_read_without_heavy_imports() -> None:
    ask = "import sys; import safe_pit_cm.settings; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert {"safe_pit_cm.settings"} <= set(done.stdout.split())
    assert {"torch", "numpy", "pandas", "snakemake"}.isdisjoint(done.stdout.split())
