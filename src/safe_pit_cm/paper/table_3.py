"""Table 3: the sub-step ablation."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.equations.stability import largest_stable_alpha, stability_number
from safe_pit_cm.paper import ablation_stores, endings, published, recovery
from safe_pit_cm.paper.tables import Table, error, number, with_interval

_MEASURES = [f"{measure}{end}" for measure in ("mae", "r2") for end in ("", "_low", "_high")]
_HEADINGS = {
    "diffusion": "diffusion",
    "mobility_signed": "mobility, signed",
    "mobility_stable": "mobility, stable",
}


def rows_of(
    recoveries: pd.DataFrame, further: pd.DataFrame, magnitude_max: float, published_table: Mapping[str, Any]
) -> pd.DataFrame:
    """Numbers of Table 3, one row per number of sub-steps.

    Parameters
    ----------
    recoveries
        As :func:`safe_pit_cm.paper.ablation_stores.collect` returns them.
    further
        Minima of further test sets, as :func:`safe_pit_cm.studies.replicates.minima` returns them, for the intervals.
    magnitude_max
        Largest |α| of the data, length²/time.
    published_table
        Table 3 as published.

    Returns
    -------
    pd.DataFrame
        ``substeps``, ``substep_size``, ``stability_number``, ``alpha_stable``, ``stable``; ``mae`` and ``r2`` over all
        videos with signed propagation, as published; the same by process and propagation, of Adam and, ending in
        ``minimum``, of the true minimum; ``n`` of the former, with ``unsettled`` and ``at_bound`` of these, and
        ``failed``, the fits without a value; the intervals, which are those of the true minimum; ``mae_first_order``
        predicted by theory; and what is published.
    """
    interval, spacing = recoveries["frame_interval"].iloc[0], recoveries["grid_spacing"].iloc[0]
    table = []
    for substeps in sorted(recoveries["substeps"].unique().tolist()):
        rows = recoveries[recoveries["substeps"] == substeps]
        size = interval / substeps
        stability = stability_number(magnitude_max, size, spacing)
        # Adam ends so close to the true minimum that its scatter is the same; for further test sets only that is known.
        own_minima = rows.assign(recovered=rows["alpha_minimum"], replicate=0)
        pool = pd.concat([own_minima, further[further["substeps"] == substeps]], ignore_index=True)
        adam = ablation_stores.score(rows, "alpha", pool)
        row: dict[str, Any] = {
            "substeps": substeps,
            "substep_size": size,
            "stability_number": stability,
            "alpha_stable": largest_stable_alpha(size, spacing),
            # Rounding must not turn a number that is exactly 2 into an unstable one.
            "stable": bool(stability <= 2.0 * (1.0 + 1e-12)),
            "mae": adam["all_signed"]["mae"],
            "r2": adam["all_signed"]["r2"],
        }
        for name, own in adam.items():
            row |= {f"{key}_{name}": value for key, value in own.items() if key in _MEASURES}
        row |= {ending: adam["all_signed"][ending] for ending in ("n", "unsettled", "at_bound", "failed")}
        for ending, column in (("minimum", "alpha_minimum"), ("first_order", "alpha_first_order")):
            for name, own in ablation_stores.score(rows, column).items():
                row |= {f"{key}_{name}_{ending}": own[key] for key in ("mae", "r2")}
        reference = published.substeps(published_table, substeps)
        table.append(row | {"published_mae": reference.get("mae"), "published_r2": reference.get("r2")})
    return pd.DataFrame(table)


def _overall(data: pd.DataFrame) -> pd.DataFrame:
    """MAE and R² over all videos with signed propagation, with their intervals."""
    ends = {f"{key}_{end}_all_signed": f"{key}_{end}" for key in ("mae", "r2") for end in ("low", "high")}
    return data[["mae", "r2", *ends]].rename(columns=ends)


def _finding(data: pd.DataFrame) -> str:
    first, last = data.iloc[0], data.iloc[-1]
    ratios = [
        f"{earlier['mae_mobility_signed'] / later['mae_mobility_signed']:.2f} from S = {earlier['substeps']} to "
        f"{later['substeps']}"
        for earlier, later in zip(data.iloc[:-1].to_dict("records"), data.iloc[1:].to_dict("records"), strict=True)
    ]
    gap = max(
        abs(row[f"mae_{name}"] - row[f"mae_{name}_minimum"])
        for row in data.to_dict("records")
        for name in ("diffusion", "mobility_signed", "mobility_stable")
    )
    ends = (
        f"Over all videos with signed propagation, MAE goes from {error(first['mae'])} at S = {first['substeps']} to "
        f"{error(last['mae'])} at S = {last['substeps']} (published {error(first['published_mae'])} and "
        f"{error(last['published_mae'])}). "
    )
    mobility = f"That of signed mobility falls by a factor of {', '.join(ratios)}. " if ratios else ""
    return (
        f"{ends}{mobility}Adam's MAE and that of the true minimum of the same loss differ by at most {error(gap)}; "
        "the rest is the bias of the loss and not an error of its optimiser."
    )


def build(data: pd.DataFrame) -> Table:
    """Build Table 3 from the rows of :func:`rows_of`."""
    display = pd.DataFrame(
        {
            "S": data["substeps"].map(str),
            "Δτ": data["substep_size"].map("{:.4f}".format),
            "stability number": data["stability_number"].map("{:.2f}".format),
            "α_stable": data["alpha_stable"].map("{:.2f}".format),
            "stable": data["stable"].map({True: "yes", False: "no"}),
            "MAE(α) (95 % interval)": with_interval(_overall(data), "mae", error),
            "published MAE(α)": data["published_mae"].map(error),
            "R² (95 % interval)": with_interval(_overall(data), "r2", lambda value: number(value, 3)),
            "published R²": data["published_r2"].map(lambda value: number(value, 2)),
            # R² by process is in the CSV file and in Figure 7.
            **{f"MAE, {heading}": data[f"mae_{name}"].map(error) for name, heading in _HEADINGS.items()},
            "not converged": data.apply(endings.cell, axis=1),
            "MAE of the true minimum": data["mae_all_signed_minimum"].map(error),
            "MAE by first-order theory": data["mae_all_signed_first_order"].map(error),
        }
    )
    return Table(data=data, display=display, finding=_finding(data))


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    recoveries = ablation_stores.collect(inputs["ablations"], "substeps")
    further = recovery.collect_further(inputs["replicates"], "minimum")
    build(rows_of(recoveries, further, params["magnitude_max"], params["published"])).write(**outputs)
