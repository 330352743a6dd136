"""The paper at its full size: what the default run must show."""

from pathlib import Path

import pandas as pd
import pytest

from checkout import Checkout, make_checkout
from safe_pit_cm import stores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The default run on two cores."""
    checkout = make_checkout(tmp_path_factory.mktemp("paper") / "safe-pit-cm")
    outcome = checkout.run(tiny=False)
    assert outcome.code == 0, outcome.output
    return checkout


def test_zero_shot_recovers_what_the_paper_says_it_does(paper: Checkout) -> None:
    table = pd.read_csv(paper.path / "results/paper/tables/table_4.csv")
    rows = table.set_index(["setting", "process", "propagation"]).to_dict("index")
    diffusion = rows["zero-shot", "diffusion", "signed"]
    assert diffusion["mae"] < 1e-4
    assert diffusion["r2"] >= 0.9999
    assert 0.95 < rows["zero-shot", "mobility", "signed"]["r2"] < 0.99
    assert 0.008 < rows["zero-shot", "all", "signed"]["mae"] < 0.015
    assert rows["zero-shot", "mobility", "stable"]["mae"] < 1e-4


def test_signed_mobility_is_overestimated(paper: Checkout) -> None:
    for path in sorted((paper.path / "results/zero_shot/mobility").iterdir()):
        fit = stores.read(path, "fit")
        assert fit.attrs["alpha"] > fit.attrs["transport_coefficient"] > 0


def test_one_core_gives_the_same_bytes(paper: Checkout, tmp_path: Path) -> None:
    again = make_checkout(tmp_path / "again", source=paper.path)
    outcome = again.run(cores=1, tiny=False)
    assert outcome.code == 0, outcome.output
    assert again.result_digests() == paper.result_digests()
