"""The paper at its full size: what the default run must show."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from checkout import MAIN_RESULTS, Checkout, make_checkout
from safe_pit_cm.data import stores

# One run serves them all, so they stay in one file, whose tests share a process.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The default run on two cores, up to its main results: without ablations, replicates and most variants."""
    checkout = make_checkout(tmp_path_factory.mktemp("paper") / "safe-pit-cm")
    alone = ("--config", "replication={datasets: [], estimators: 1}")
    outcome = checkout.run(*MAIN_RESULTS, "results/variants/rates/outcome.csv", *alone, tiny=False)
    assert outcome.code == 0, outcome.output
    return checkout


@pytest.fixture(scope="module")
def rows(paper: Checkout) -> dict[Any, dict[Any, Any]]:
    """Rows of Table 4 by setting, process and propagation."""
    table = pd.read_csv(paper.path / "results/paper/tables/table_4.csv")
    return table.set_index(["setting", "process", "propagation"]).to_dict("index")


def test_zero_shot_recovers_what_the_paper_says_it_does(rows: dict[Any, dict[Any, Any]]) -> None:
    diffusion = rows["zero-shot", "diffusion", "signed"]
    assert diffusion["mae"] < 1e-4
    assert diffusion["r2"] >= 0.9999
    assert 0.95 < rows["zero-shot", "mobility", "signed"]["r2"] < 0.99
    assert 0.008 < rows["zero-shot", "all", "signed"]["mae"] < 0.015
    assert rows["zero-shot", "mobility", "stable"]["mae"] < 1e-4


@pytest.mark.parametrize("propagation", ["signed", "stable"])
def test_the_trained_model_is_no_worse_than_the_published_one(
    rows: dict[Any, dict[Any, Any]], propagation: str
) -> None:
    row = rows["trained", "all", propagation]
    assert row["mae"] <= 0.0749
    assert row["r2"] >= 0.9245


def test_an_amortised_estimator_needs_no_test_time_step(paper: Checkout) -> None:
    # In every one of several trainings, for both processes.
    outcome = pd.read_csv(paper.path / "results/variants/rates/outcome.csv", dtype={"parent": str})
    test = outcome[outcome["split"] == "test"]
    errors = (test["recovered"] - test["true"]).abs().groupby([test["replicate"], test["process"]]).mean()
    assert len(errors) == 10
    # Measured: 0.018 to 0.021.
    assert (errors < 0.025).all()


def test_signed_mobility_is_overestimated(paper: Checkout) -> None:
    for path in sorted((paper.path / "results/zero_shot/mobility").iterdir()):
        fit = stores.read(path, "fit")
        assert fit.attrs["alpha"] > fit.attrs["transport_coefficient"] > 0


def test_one_core_gives_the_same_bytes(paper: Checkout, tmp_path: Path) -> None:
    again = make_checkout(tmp_path / "again", source=paper.path)
    # Two parents, both processes: all fits would take as long as the paper.
    fits = [path.relative_to(paper.path).as_posix() for path in paper.path.glob("results/zero_shot/*/04[01].zarr")]
    assert len(fits) == 4
    outcome = again.run(*fits, cores=1, tiny=False)
    assert outcome.code == 0, outcome.output
    mine, theirs = again.result_digests(), paper.result_digests()
    assert len(mine) >= 2 + 4 + 4
    assert mine == {name: theirs.get(name) for name in mine}
