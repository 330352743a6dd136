"""The paper's experiments for another equation."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from checkout import ROOT, Checkout
from safe_pit_cm.models import catalogue

SMALL = (
    "model={name: fisher-kpp, parents: 3, validation_parents: 1, test_parents: 1, size: 16, frames: 21, "
    "substeps: [1, 10], frame_steps: [1], noise: [0.05], epochs: 2}"
)
PAGE = "results/models/fisher-kpp/index.html"


def test_another_equation_replaces_the_paper(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", "--config", "model={name: fisher-kpp, parents: 9, test_parents: 3}")
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"model_video": 9, "model_training": 1, "model_scan": 3, "model_page": 1}


def test_an_unknown_equation_is_named_before_anything_runs(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", "--config", "model={name: fisher}")
    assert outcome.code != 0
    assert "model.name is 'fisher'; choose one of diffusion" in outcome.output


def test_no_video_is_left_to_train_on(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", "--config", "model={name: fisher-kpp, parents: 8}")
    assert outcome.code != 0
    expected = "model.validation_parents and model.test_parents (8 together) must leave some of model.parents (8)"
    assert expected in outcome.output


# Beside them is the configuration of the paper, where the catalog of workflows expects it.
@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*-*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_names_an_equation_of_the_catalogue(path: Path) -> None:
    section = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
    assert section["name"] == path.stem
    assert section["name"] in catalogue.names()


@pytest.mark.slow
def test_the_tables_of_another_equation(fresh: Checkout) -> None:
    outcome = fresh.run("--config", SMALL, "zero_shot={steps: 20}", "inference={steps: 4}")
    assert outcome.code == 0, outcome.output
    assert f"Tables for fisher-kpp: {PAGE}" in outcome.output
    table = pd.read_csv(fresh.path / "results/models/fisher-kpp/summary.csv")
    trained = {"mean", "trained", "test-time steps"}
    assert set(table["method"]) == trained | {
        "sub-steps", "frame step", "zero-shot", "minimum", "SAFE, noise", "likelihood",
    }  # fmt: skip
    history = pd.read_csv(fresh.path / "results/models/fisher-kpp/training/history.csv")
    assert list(history["phase"]) == [0, 1, 2]
    assert (table["failed"] == 0).all()
    likelihood = table[table["method"] == "likelihood"]
    assert (likelihood["error_over_bound"] < 4).all()
    # The SAFE loss is biased by noise; the likelihood is not.
    noisy = table[(table["method"] == "SAFE, noise") & (table["coefficient"] == "D")]
    assert noisy["mae"].max() > 5 * likelihood[likelihood["coefficient"] == "D"]["mae"].max()
    page = (fresh.path / PAGE).read_text(encoding="utf-8")
    assert "What of the paper carries over" in page
    assert "Trained and zero-shot (as Table 4)" in page
