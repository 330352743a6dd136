"""What an amortised estimator must read: variants beside each other, with no test-time step."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from safe_pit_cm import metrics
from safe_pit_cm.paper.tables import Table, error, number
from safe_pit_cm.processes import PROCESSES
from safe_pit_cm.variants import Changes


def build(outcomes: Mapping[str, str | Path], variants: Mapping[str, Changes]) -> Table:
    """Build the table.

    Parameters
    ----------
    outcomes
        By variant, the CSV file of what it made of the test videos.
    variants
        What each variant changes.
    """
    rows = []
    for name, path in outcomes.items():
        outcome = pd.read_csv(path, dtype={"parent": str})
        pairs = outcome.pivot(index="parent", columns="process", values="recovered")
        row: dict[str, object] = {
            "reads": variants[name]["estimator"]["reads"],
            "propagation": variants[name]["training"]["propagation"],
            "normalised": variants[name]["loss"]["normalise"],
        }
        for process in PROCESSES:
            chosen = outcome[outcome["process"] == process]
            row[f"mae_{process}"] = metrics.mean_absolute_error(chosen["recovered"], chosen["true"])
        row["r2"] = metrics.r_squared(outcome["recovered"], outcome["true"])
        # A mobility video is the reversal of the diffusion video of its parent.
        row["reversal_difference"] = float((pairs["diffusion"].abs() - pairs["mobility"].abs()).abs().max())
        rows.append({**row, "n": len(outcome)})
    data = pd.DataFrame(rows)
    display = pd.DataFrame(
        {
            "estimator reads": data["reads"],
            "propagation": data["propagation"],
            "SAFE loss": data["normalised"].map({True: "normalised", False: "as published"}),
            **{f"MAE(α), {process}": data[f"mae_{process}"].map(error) for process in PROCESSES},
            "R², all": data["r2"].map(lambda value: number(value, 4)),
            "largest change of |α| on reversal": data["reversal_difference"].map(error),
        }
    )
    worse = data[[f"mae_{process}" for process in PROCESSES]].max(axis=1)
    best = data.iloc[int(worse.argmin())]
    blind = data[data["reads"] == "frames"]["reversal_difference"].max()
    finding = (
        f"With no test-time step, the best estimator reads {best['reads']} and recovers the coefficients of the test "
        f"videos to {error(best['mae_diffusion'])} (diffusion) and {error(best['mae_mobility'])} (mobility). Reversing "
        f"a video changes what the published estimator says by at most {error(blind)}: it does not see the order of "
        "frames."
    )
    return Table(data=data, display=display, finding=finding)
