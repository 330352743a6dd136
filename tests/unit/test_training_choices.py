"""The table of training choices, and what those choices do to the input of the estimator."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from safe_pit_cm.paper import training_choices
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.studies.variants import PROCEDURES

torch.set_num_threads(1)


def history(*trainings: list[float]) -> pd.DataFrame:
    rows = [
        {"epoch": epoch, "replicate": number, "alpha_error_diffusion": error, "alpha_error_mobility": error}
        for number, errors in enumerate(trainings)
        for epoch, error in enumerate(errors)
    ]
    return pd.DataFrame(rows)


def table(folder: Path, **histories: pd.DataFrame) -> dict[Any, dict[Any, Any]]:
    """The table of some procedures, each with two trainings that miss α by 0.1 and 0.3 on one test video."""
    for name, rows in histories.items():
        rows.to_csv(folder / f"{name}_history.csv", index=False)
        outcome = pd.DataFrame(
            {
                "replicate": [0, 1, 0, 0, 0],
                "split": ["test", "test", "validation", "validation", "validation"],
                "parent": ["040", "040", "036", "037", "038"],
                "true": [0.2, 0.2, 0.1, -0.2, 0.6],
                "recovered": [0.3, 0.5, 0.1, -0.2, 0.6],
            }
        )
        outcome.to_csv(folder / f"{name}_outcome.csv", index=False)
    files = [{name: folder / f"{name}_{kind}.csv" for name in histories} for kind in ("history", "outcome")]
    return training_choices.build(*files).data.set_index("choice").to_dict("index")


def test_a_training_has_learned_where_its_error_fell_below_a_third_of_its_start(tmp_path: Path) -> None:
    rows = table(
        tmp_path,
        procedure_chosen=history([0.3, 0.09, 0.2], [0.6, 0.3, 0.19]),
        procedure_normalised=history([0.3, 0.11, 0.10], [0.3, 0.31, 0.33]),
    )
    assert rows["chosen"]["learned"] == 2
    assert rows["normalised"]["learned"] == 0
    assert [rows["chosen"][name] for name in ("mae_start", "mae_least", "mae_end")] == pytest.approx(
        [0.45, 0.14, 0.195]
    )
    assert [rows["normalised"][name] for name in ("mae_least_low", "mae_least_high")] == pytest.approx([0.10, 0.31])
    assert [rows["chosen"][name] for name in ("mae_test", "mae_test_low", "mae_test_high")] == pytest.approx(
        [0.2, 0.1, 0.3]
    )
    assert rows["chosen"]["epochs"] == 2
    assert rows["chosen"]["mae_constant"] == pytest.approx(0.5 / 3)


def test_every_procedure_has_a_label_and_changes_one_choice_alone() -> None:
    assert set(training_choices._LABELS) == set(PROCEDURES)
    chosen = PROCEDURES[training_choices.CHOSEN]
    assert chosen == {"training": {"frozen_fraction": 1.0}}
    for name, changes in PROCEDURES.items():
        differing = {
            (section, key) for section, values in changes.items() for key in values if key != "frozen_fraction"
        }
        assert bool(differing) == (name != training_choices.CHOSEN)
        assert changes["training"]["frozen_fraction"] == 1.0


def test_a_standardised_input_does_not_depend_on_offset_and_contrast() -> None:
    torch.manual_seed(0)
    raw, standardised = (AttentionEstimator(8, 4, 2, 8, 4, standardise=value) for value in (False, True))
    video = torch.rand(2, 5, 16, 16)
    other = 0.3 * video + 0.4
    torch.testing.assert_close(standardised.compress(video), standardised.compress(other), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(raw.compress(video), raw.compress(other), atol=1e-2)
    # A video without contrast has no finite scale, and must not give a number that is none.
    assert torch.isfinite(standardised(standardised.compress(torch.full((1, 5, 16, 16), 0.7)))).all()
