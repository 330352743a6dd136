"""Inputs of an amortised estimator: variants compared without test-time steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper.tables import Table, error, number, with_interval
from safe_pit_cm.studies.variants import ESTIMATORS, Changes


def build(outcomes: Mapping[str, str | Path], variants: Mapping[str, Changes]) -> Table:
    """Build the table.

    Parameters
    ----------
    outcomes
        By variant, the CSV file of its results on the test videos.
    variants
        Changes of each variant.
    """
    rows = []
    for name, path in outcomes.items():
        outcome = pd.read_csv(path, dtype={"parent": str})
        errors = (outcome["recovered"] - outcome["true"]).abs()
        # Mean absolute error of each training, by split and process.
        scatter = errors.groupby([outcome["split"], outcome["process"], outcome["replicate"]]).mean()
        row: dict[str, object] = {
            "reads": variants[name]["estimator"]["reads"],
            "propagation": variants[name]["training"]["propagation"],
            "normalised": variants[name]["loss"]["normalise"],
            "replicates": outcome["replicate"].nunique(),
            "mae_validation": scatter["validation"].mean(),
        }
        test = outcome[outcome["split"] == "test"]
        for process in PROCESSES:
            own = scatter["test"][process]
            row[f"mae_{process}"] = own.mean()
            # The smallest and the largest of several trainings; a single training has no spread.
            row[f"mae_{process}_low"], row[f"mae_{process}_high"] = (
                (own.min(), own.max()) if len(own) > 1 else (float("nan"), float("nan"))
            )
        row["r2"] = metrics.r_squared(test["recovered"], test["true"])
        # A mobility video is the reversal of the diffusion video of its parent.
        pairs = test.pivot(index=["replicate", "parent"], columns="process", values="recovered")
        row["reversal_difference"] = float((pairs["diffusion"].abs() - pairs["mobility"].abs()).abs().max())
        rows.append({**row, "n": len(test) // test["replicate"].nunique()})
    data = pd.DataFrame(rows)

    display = pd.DataFrame(
        {
            "estimator reads": data["reads"],
            "propagation": data["propagation"],
            "SAFE loss": data["normalised"].map({True: "normalised", False: "as published"}),
            "trainings": data["replicates"].map(str),
            "MAE(α), validation": data["mae_validation"].map(error),
            **{f"MAE(α), {process}": with_interval(data, f"mae_{process}", error) for process in PROCESSES},
            "R², all": data["r2"].map(lambda value: number(value, 4)),
            "largest change of |α| on reversal": data["reversal_difference"].map(error),
        }
    )
    # Chosen on the validation videos, independently of the test videos.
    best = data.iloc[int(data["mae_validation"].argmin())]
    blind = data[data["reads"] == "frames"]["reversal_difference"].max()
    worst = best[[f"mae_{process}{end}" for process in PROCESSES for end in ("", "_high")]].max()
    number_of = best["replicates"]
    trainings = (
        f"in the mean of {number_of} trainings, and {error(worst)} in the worst" if number_of > 1 else "(one training)"
    )
    finding = (
        f"The estimator that does best on the validation videos reads {best['reads']}, propagated "
        f"{best['propagation']}, with the SAFE loss {'normalised' if best['normalised'] else 'as published'}. Without "
        f"test-time steps its MAE on the test videos is {error(best['mae_diffusion'])} for diffusion and "
        f"{error(best['mae_mobility'])} for mobility {trainings}. Reversing a video changes the result of the "
        f"published estimator by at most {error(blind)}: it is insensitive to the order of frames."
    )
    return Table(data=data, display=display, finding=finding)


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    outcomes = dict(zip(ESTIMATORS, inputs["outcomes"], strict=True))
    build(outcomes, ESTIMATORS).write(**outputs)
