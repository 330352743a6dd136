"""Choices of the training that the paper's text does not determine, each changed alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.paper.tables import Table, error, with_interval
from safe_pit_cm.studies.variants import PROCEDURES

CHOSEN = "procedure_chosen"
_LABELS = {
    CHOSEN: "as chosen",
    "procedure_signed": "signed instead of stable propagation",
    "procedure_normalised": "SAFE loss divided by the change of the video",
    "procedure_not_standardised": "input not standardised",
    "procedure_large_batch": "eight videos per step",
}
# An estimator has learned where the error falls below this share of that of the untrained one.
LEARNED = 1 / 3


def validation_errors(history: pd.DataFrame) -> pd.DataFrame:
    """MAE(α) on the validation videos, by epoch (rows, 0 is the untrained model) and training (columns)."""
    names = [f"alpha_error_{process}" for process in PROCESSES]
    errors = history.assign(error=history[[name for name in names if name in history]].mean(axis=1))
    return errors.pivot(index="epoch", columns="replicate", values="error")


def _summary(name: str, values: Any) -> dict[str, float]:
    """Mean over trainings, and the least and the largest; a single training has no spread."""
    ends = (values.min(), values.max()) if len(values) > 1 else (float("nan"), float("nan"))
    return {name: float(values.mean()), f"{name}_low": ends[0], f"{name}_high": ends[1]}


def build(histories: Mapping[str, str | Path], outcomes: Mapping[str, str | Path]) -> Table:
    """Build the table.

    Parameters
    ----------
    histories, outcomes
        By variant, the CSV files of its trainings and of their results on unseen videos.
    """
    rows = []
    for name, path in histories.items():
        errors = validation_errors(pd.read_csv(path))
        outcome = pd.read_csv(outcomes[name], dtype={"parent": str})
        test = outcome[outcome["split"] == "test"]
        start, least, end = errors.xs(0), errors.drop(index=0).min(), errors.xs(errors.index.max())
        known = outcome[outcome["split"] == "validation"]["true"].abs()
        missed = (test["recovered"] - test["true"]).abs().groupby(test["replicate"]).mean()
        rows.append(
            {
                "choice": name.removeprefix("procedure_"),
                "trainings": errors.shape[1],
                "epochs": int(errors.index.max()),
                **_summary("mae_start", start),
                **_summary("mae_least", least),
                **_summary("mae_end", end),
                # Of one |α| for all videos, the best.
                "mae_constant": float((known - known.median()).abs().mean()),
                "learned": int((least < LEARNED * start).sum()),
                **_summary("mae_test", missed),
            }
        )
    data = pd.DataFrame(rows)
    display = pd.DataFrame(
        {
            "procedure": [_LABELS[name] for name in histories],
            "MAE(α), validation, untrained": with_interval(data, "mae_start", error),
            "least": with_interval(data, "mae_least", error),
            "after the last epoch": with_interval(data, "mae_end", error),
            "below a third of the start": [f"{row.learned} of {row.trainings}" for row in data.itertuples()],
            "MAE(α), test": with_interval(data, "mae_test", error),
        }
    )
    return Table(data=data, display=display, finding=_finding(data))


def _finding(data: pd.DataFrame) -> str:
    rows: dict[Any, Any] = data.set_index("choice").to_dict("index")
    own = rows["chosen"]
    others = [row["learned"] for name, row in rows.items() if name != "chosen"]
    return (
        f"Within {own['epochs']} epochs of Phase 1 the error on the validation videos falls from "
        f"{error(own['mae_start'])} to {error(own['mae_least'])}, below a third of its start in {own['learned']} of "
        f"{own['trainings']} trainings; with one choice changed, in {min(others)} to {max(others)} of them. The best "
        f"single value for all validation videos has an error of {error(own['mae_constant'])}. Without test-time steps "
        f"the error on the test videos is {error(own['mae_test'])}."
    )


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    files = {kind: dict(zip(PROCEDURES, inputs[kind], strict=True)) for kind in ("histories", "outcomes")}
    build(**files).write(**outputs)
