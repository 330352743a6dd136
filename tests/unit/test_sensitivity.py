"""Other choices for lost numbers: what changes, and what is simulated."""

from typing import Any

import numpy as np
import pytest

from safe_pit_cm.simulation.microstructure import initial_condition
from safe_pit_cm.studies import alternatives, sensitivity

CONFIG: dict[str, Any] = {
    "seed": 1,
    "grid": {"size": 16, "spacing": 0.5},
    "time": {"step": 0.005, "steps": 40, "save_interval": 10, "largest_step_reduction": 1},
    "microstructure": {"grains_min": 3, "grains_max": 5, "interface_width": 0.5, "roughness": 0.3},
    "transport": {"magnitude_min": 0.1, "magnitude_max": 0.7},
    "ablation": {
        "sensitivity": {
            "parents": 2,
            "microstructures": [{"interface_width": 1.0, "roughness": 3.0}],
            "interface_width": [0.25],
            "roughness": [],
            "size": [12, 24],
            "magnitude_min": [0.6],
        }
    },
}


def test_alternatives_change_a_value_or_a_pair_and_the_configured_one_none() -> None:
    assert alternatives.configured_and_others(CONFIG) == {
        "configured": {},
        "interface_width_0.25": {"microstructure": {"interface_width": 0.25}},
        "size_12": {"grid": {"size": 12}},
        "size_24": {"grid": {"size": 24}},
        "magnitude_min_0.6": {"transport": {"magnitude_min": 0.6}},
        "interface_width_1.0_roughness_3.0": {"microstructure": {"interface_width": 1.0, "roughness": 3.0}},
    }


def test_a_change_leaves_the_original_alone() -> None:
    other = alternatives.apply(CONFIG, {"grid": {"size": 12}})
    assert other["grid"] == {"size": 12, "spacing": 0.5}
    assert CONFIG["grid"]["size"] == 16
    assert {name: value for name, value in other.items() if name != "grid"} == {
        name: value for name, value in CONFIG.items() if name != "grid"
    }


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {name: CONFIG[name] for name in ("grid", "time", "microstructure", "transport")}


def test_every_video_reading_and_number_of_substeps_has_a_row(settings: dict[str, Any]) -> None:
    rows = sensitivity.minima_of_test_set(["003", "004"], settings, 1, [1, 10])
    assert len(rows) == 2 * 3 * 2
    assert set(rows["parent"]) == {"003", "004"}
    assert (np.sign(rows["true"]) == rows["process"].map({"diffusion": -1, "mobility": 1})).all()
    # Steps of the size of the data: smoothing is undone exactly.
    exact = rows[(rows["substeps"] == 10) & ~((rows["process"] == "mobility") & (rows["propagation"] == "signed"))]
    assert exact["recovered"].to_numpy() == pytest.approx(exact["true"].to_numpy(), rel=1e-4)
    signed = rows[(rows["process"] == "mobility") & (rows["propagation"] == "signed")]
    assert (signed["recovered"] > signed["true"]).all()


def test_the_smallest_coefficient_counts(settings: dict[str, Any]) -> None:
    other = alternatives.apply(settings, {"transport": {"magnitude_min": 0.6}})
    rows = sensitivity.minima_of_test_set(["003", "004"], other, 1, [10])
    assert rows["true"].abs().between(0.6, 0.7).all()


def test_a_grid_of_coefficients_is_integrated_from_one_start(settings: dict[str, Any]) -> None:
    start = initial_condition(seed=1, parent="003", **settings["grid"], **settings["microstructure"])
    rows = sensitivity.coefficient_grid(start, [0.2, 0.5], settings["time"], 1)
    assert sorted(rows["true"].abs().unique().round(12)) == [0.2, 0.5]
    assert len(rows) == 2 * 3
    assert set(rows["substeps"]) == {1}
    smooth = rows[rows["propagation"] == "stable"]
    # One step a frame underestimates diffusion.
    assert (smooth["recovered"].abs() < smooth["true"].abs()).all()
