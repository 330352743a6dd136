"""How fits of α ended, in the stores and in the tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from safe_pit_cm.paper import endings, recovery
from safe_pit_cm.safe import ending, zero_shot
from safe_pit_cm.studies import step_ablations
from safe_pit_cm.studies.replicates import simulate

BOUNDS = (0.05, 1.0)
STEPS = np.linspace(0.0, 1.0, 101)


@pytest.mark.parametrize(
    ("magnitude", "loss", "expected"),
    [
        (0.3 + 0.2 * np.exp(-30 * STEPS), STEPS, "converged"),
        (0.3 + 0.2 * np.exp(-3 * STEPS), STEPS, "unsettled"),
        # Still within 1 % at the end, but not ten steps before.
        (np.where(np.arange(101) < 92, 0.31, 0.3), STEPS, "unsettled"),
        (0.02 + 0.2 * np.exp(-30 * STEPS), STEPS, "at_bound"),
        (1.0 + 0 * STEPS, STEPS, "at_bound"),
        (0.3 + 0 * STEPS, np.where(STEPS > 0.5, np.inf, 1.0), "diverged"),
        (np.where(STEPS > 0.5, np.nan, 0.3), STEPS, "diverged"),
        (0.3, 1.0, "converged"),
        (0.01, 1.0, "at_bound"),
    ],
)
def test_a_fit_is_judged_by_its_path(magnitude: np.ndarray, loss: np.ndarray, expected: str) -> None:
    assert ending.of_fit(magnitude, loss, BOUNDS) == expected


@pytest.fixture(scope="module")
def video() -> xr.Dataset:
    both = simulate(
        1,
        "000",
        {"size": 16, "spacing": 0.5, "grains_min": 3, "grains_max": 5, "interface_width": 0.5, "roughness": 0.3},
        {
            **{"magnitude_min": 0.4, "magnitude_max": 0.4, "step": 0.005, "steps": 80, "save_interval": 10},
            "largest_step_reduction": 1,
        },
    )
    return both["diffusion"]


def fit(video: xr.Dataset, steps: int) -> xr.Dataset:
    return zero_shot.fit(
        video,
        propagation="signed",
        substeps=10,
        steps=steps,
        learning_rate=0.02,
        estimator={"pooled_size": 8, "channels": 2, "stride": 2, "features": 4, "heads": 2},
        seed=1,
    )


def test_the_store_of_a_fit_says_whether_it_ended_at_rest(video: xr.Dataset) -> None:
    assert fit(video, 400).attrs["ending"] == "converged"
    assert fit(video, 10).attrs["ending"] == "unsettled"


def test_a_minimum_at_the_edge_of_what_frames_can_tell_is_at_a_bound(video: xr.Dataset) -> None:
    constant = video.assign(field=video["field"] * 0 + video["field"][0])
    [found] = step_ablations.minima(video, [10])
    [none] = step_ablations.minima(constant, [10])
    assert (found["ending"], none["ending"]) == ("converged", "at_bound")


def test_the_table_counts_what_did_not_converge() -> None:
    rows = pd.DataFrame(
        {
            "dataset": 1,
            "parent": ["000", "001", "002"],
            "process": "diffusion",
            "propagation": "signed",
            "replicate": 0,
            "true": [-0.3, -0.4, -0.5],
            "recovered": [-0.3, -0.41, -0.05],
            "ending": ["converged", "unsettled", "at_bound"],
        }
    )
    both = pd.concat([rows, rows.assign(process="mobility", ending="converged")])
    both = pd.concat([both, both.assign(propagation="stable")])
    scores: Any = recovery.score(both, "trained", {"rows": []}).set_index(["process", "propagation"])
    diffusion, mobility = (scores.loc[(process, "signed")].to_dict() for process in ("diffusion", "mobility"))
    assert endings.cell(diffusion | {"failed": 0}) == "1 not settled, 1 at a bound"
    assert endings.cell(mobility | {"failed": 2}) == "2 diverged"
    assert endings.cell(mobility | {"failed": 0}) == "–"
