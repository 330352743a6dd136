"""What each stage is given from the configuration."""

import yaml

from checkout import ROOT
from safe_pit_cm import settings


def test_the_settings_of_a_variant_are_those_of_the_training_but_for_what_it_changes() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    own = settings.variant(config, "unfrozen_free")
    assert own["loss"] == {**config["loss"], "identity": 0}
    assert own["training"]["coder_rate"] == config["variants"]["degeneracy_coder_rate"]
    assert own["estimator"] == config["estimator"]
    assert settings.variant(config, "coarse_signed")["substeps"] == 1
    assert settings.training(config)["training"] == config["training"]


def test_further_data_sets_are_fitted_from_their_own_seed_and_the_first_from_further_starts() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    first, other = (settings.replicate(config, dataset) for dataset in (config["seed"], 1))
    assert (first["replicates"], first["counts"]) == ([1, 2], [])
    assert (other["replicates"], other["counts"]) == ([0], config["ablation"]["substeps"])
    assert other["zero_shot"]["seed"] == 1
    assert settings.tested_parents(config) == [f"0{number}" for number in range(40, 50)]
