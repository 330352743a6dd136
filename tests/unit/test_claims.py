"""What the claims of the text come to, worked out by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from safe_pit_cm.paper import claims
from safe_pit_cm.paper.scorecard import Measured

ROOT = Path(__file__).parents[2]
PUBLISHED: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8")
)["claims"]


def values(measured: dict[str, Measured]) -> dict[str, float]:
    return {name: one.value for name, one in measured.items()}


def test_claims_on_the_substeps() -> None:
    table = pd.DataFrame(
        {
            # In no order: the first is the one with the fewest sub-steps.
            "substeps": [50, 1, 2],
            "mae": [0.01, 0.4, 0.5],
            "alpha_stable": [12.5, 0.25, 0.5],
            "stability_number": [0.112, 5.6, 2.8],
            "r2_mobility_signed": [0.97, -3.0, 0.2],
            "r2_diffusion": [1.0, 0.6, 0.8],
            "mae_diffusion": [0.001, 0.3, 0.2],
        }
    )
    found = values(claims.of_table_3(table))
    assert found.pop("stability_reduction") == pytest.approx(50)
    assert found.pop("diffusion_benefit") == pytest.approx(300)
    assert found == {
        "stable_magnitude_unsubstepped": 0.25,
        "stable_magnitude_substepped": 12.5,
        "mobility_unstable": 0.2,
        "substep_improvement": 1.25,
        "diffusion_unstable": 0.6,
        "matching_substep": 0.97,
    }


def test_claims_on_trained_and_zero_shot_inference() -> None:
    rows = {
        ("trained", "all", "signed"): 0.04,
        ("trained", "diffusion", "signed"): 0.02,
        ("trained", "mobility", "signed"): 0.06,
        ("zero-shot", "all", "signed"): 0.01,
        ("zero-shot", "mobility", "signed"): 0.02,
        ("zero-shot", "mobility", "stable"): 0.001,
    }
    table = pd.DataFrame(
        [(*key, mae) for key, mae in rows.items()], columns=["setting", "process", "propagation", "mae"]
    )
    found = values(claims.of_table_4(table))
    assert found == pytest.approx({"superiority": 4.0, "trained_imbalance": 3.0, "stable_direction": 0.05})


def test_claims_on_the_training() -> None:
    history = pd.DataFrame(
        {
            "phase": [1, 1, 1, 1, 2, 2],
            "validation_loss": [9.0, 4.0, 2.0, 3.0, 1.0, 5.0],
            "alpha_diffusion_040": [0.1, 0.5, 0.39, 0.4, 0.42, 0.9],
            "alpha_mobility_040": [0.1, 0.5, 0.39, 0.4, 0.42, 0.9],
            # No |α| of a video.
            "alpha_error_diffusion": [9.0] * 6,
        }
    )
    found = values(claims.of_history(history))
    # From the third epoch on within a tenth of the fourth; the best epochs of the phases are the third and the fifth.
    assert found == {"convergence_epochs": 3, "disturbance": pytest.approx(0.42 / 0.39 - 1)}
    assert "disturbance" not in claims.of_history(history[history["phase"] == 1])
    assert claims.of_history(history[history["phase"] == 2]) == {}


def test_claims_on_the_supplement() -> None:
    degeneracy = pd.DataFrame(
        {
            "two_phases": [True, False, False],
            "zero_init": [True, True, False],
            "identity_loss_on": [True, True, True],
            "latent_change": [0.8, 0.2, 0.1],
        }
    )
    assert values(claims.of_degeneracy(degeneracy)) == {"degeneracy": pytest.approx(4.0)}
    estimators = pd.DataFrame({"reads": ["frames", "rates", "frames"], "reversal_difference": [1e-8, 0.5, 2e-8]})
    assert values(claims.of_estimators(estimators)) == {"order_seen": 2e-8}
    collapse = pd.DataFrame(
        {
            "process": ["diffusion", "mobility, signed", "diffusion"],
            "estimator": ["zero-shot, Adam", "zero-shot, Adam", "true minimum"],
            "ratio_median": [0.4, 1.7, 9.0],
        }
    )
    assert values(claims.of_collapse(collapse)) == {"collapse_diffusion": 0.4, "collapse_mobility": 1.7}
    frames = pd.DataFrame(
        {
            "frame_step": [10, 10, 10, 1],
            "substepping": ["size", "size", "count", "size"],
            "group": ["diffusion", "mobility_signed", "mobility_signed", "mobility_signed"],
            "r2": [0.8, 0.4, 9.0, 9.0],
            "failed": [0, 0, 0, 0],
        }
    )
    assert values(claims.of_frame_steps(frames)) == {"frames_mobility": pytest.approx(0.5)}
    assert values(claims.of_frame_steps(frames.assign(failed=[0, 1, 0, 0]))) == {"frames_mobility": 0.0}
    assert claims.of_frame_steps(frames[frames["frame_step"] == 1]) == {}


def test_claims_on_speed_compare_like_with_like() -> None:
    table = pd.DataFrame(
        {
            "method": ["safe_stencil", "safe_stencil", "grid_stencil", "safe_spectral"],
            "seconds": [40.0, 60.0, 10.0, 2.0],
        }
    )
    assert values(claims.of_baselines(table)) == {"grid_search_time": pytest.approx(0.2)}
    assert claims.of_baselines(table[table["method"] == "safe_spectral"]) == {}


def test_every_claim_has_a_measurement_of_its_name() -> None:
    source = (ROOT / "src/safe_pit_cm/paper/claims.py").read_text(encoding="utf-8")
    # What the paper's text lost and nothing here could be held against is not measured.
    unmeasured = {"frames_diffusion", "genetic_algorithm_time", "grid_search_time"}
    for claim in PUBLISHED:
        assert claim["measured"] in unmeasured or f'"{claim["measured"]}"' in source
