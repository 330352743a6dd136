"""The paper's experiments for another equation."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from checkout import ROOT, Checkout
from safe_pit_cm.models import catalogue

SMALL = "model={name: fisher-kpp, parents: 1, size: 16, frames: 21, substeps: [1, 10], frame_steps: [1], noise: [0.05]}"
PAGE = "results/models/fisher-kpp/index.html"


def test_another_equation_replaces_the_paper(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", "--config", "model={name: fisher-kpp, parents: 3}")
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"model_video": 3, "model_scan": 3, "model_page": 1}


def test_an_unknown_equation_is_named_before_anything_runs(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", "--config", "model={name: fisher}")
    assert outcome.code != 0
    assert "model.name is 'fisher'; choose one of diffusion" in outcome.output


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_names_an_equation_of_the_catalogue(path: Path) -> None:
    section = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
    assert section["name"] == path.stem
    assert section["name"] in catalogue.names()


@pytest.mark.slow
def test_the_tables_of_another_equation(fresh: Checkout) -> None:
    outcome = fresh.run("--config", SMALL, "zero_shot={steps: 20}")
    assert outcome.code == 0, outcome.output
    assert f"Tables for fisher-kpp: {PAGE}" in outcome.output
    table = pd.read_csv(fresh.path / "results/models/fisher-kpp/summary.csv")
    assert set(table["method"]) == {"sub-steps", "frame step", "zero-shot", "SAFE, noise", "likelihood"}
    assert (table["failed"] == 0).all()
    likelihood = table[table["method"] == "likelihood"]
    assert (likelihood["error_over_bound"] < 4).all()
    # The SAFE loss is biased by noise; the likelihood is not.
    noisy = table[(table["method"] == "SAFE, noise") & (table["coefficient"] == "D")]
    assert noisy["mae"].max() > 5 * likelihood[likelihood["coefficient"] == "D"]["mae"].max()
    page = (fresh.path / PAGE).read_text(encoding="utf-8")
    assert "Zero-shot (as Table 4)" in page
