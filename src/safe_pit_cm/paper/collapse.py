"""What is learned without sub-steps: the collapse described in §2.4."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.equations import stability
from safe_pit_cm.paper import ablation_stores
from safe_pit_cm.paper.ablation_stores import both_propagations
from safe_pit_cm.paper.recovery import select
from safe_pit_cm.paper.tables import Table, error, number

# Group: name, process and propagation.
GROUPS = (
    ("diffusion", "diffusion", "signed"),
    ("mobility, signed", "mobility", "signed"),
    ("mobility, stable", "mobility", "stable"),
)
ZERO_SHOT, MINIMUM, TRAINED = "zero-shot, Adam", "true minimum", "trained, no test-time step"


def learned(ablation: pd.DataFrame, outcomes: Mapping[str, str | Path]) -> pd.DataFrame:
    """What every estimator learned with the fewest sub-steps, one row per video.

    Parameters
    ----------
    ablation
        Rows of :func:`safe_pit_cm.paper.ablation_stores.collect` of the sub-step ablation.
    outcomes
        By propagation, the CSV file of the coefficients that the model trained with it found in the test videos.

    Returns
    -------
    pd.DataFrame
        ``estimator``, ``parent``, ``process``, ``propagation``, ``true`` and ``recovered``.
    """
    fewest = ablation[ablation["substeps"] == ablation["substeps"].min()]
    tables = [
        fewest.assign(estimator=name, recovered=fewest[column])
        for name, column in ((ZERO_SHOT, "alpha"), (MINIMUM, "alpha_minimum"))
    ]
    for propagation, path in outcomes.items():
        outcome = pd.read_csv(path, dtype={"parent": str})
        tables.append(outcome[outcome["split"] == "test"].assign(estimator=TRAINED, propagation=propagation))
    columns = ["estimator", "parent", "process", "propagation", "true", "recovered"]
    return pd.concat([table[columns] for table in tables], ignore_index=True)


def read(inputs: Mapping[str, Any], substeps: int) -> tuple[pd.DataFrame, float]:
    """Rows of :func:`learned` from the files of a rule, and the largest |α| that is stable with so many sub-steps."""
    ablation = ablation_stores.collect(inputs["ablations"], "substeps")
    facts = ablation.iloc[0]
    bound = stability.largest_stable_alpha(facts["frame_interval"] / substeps, facts["grid_spacing"])
    return learned(ablation, {"signed": inputs["signed"], "stable": inputs["stable"]}), bound


def _row(rows: pd.DataFrame, minima: pd.Series, bound: float) -> dict[str, float | int]:
    true, found = rows["true"].abs(), rows["recovered"].abs()
    ratio = found / true
    below = true <= bound
    return {
        "ratio_median": float(ratio.median()),
        "ratio_min": float(ratio.min()),
        "ratio_max": float(ratio.max()),
        "ratio_below_bound": float(ratio[below].median()),
        "above_bound": int((found > bound).sum()),
        "distance_to_truth": float((found - true).abs().mean()),
        "distance_to_bound": float((found - true.clip(upper=bound)).abs().mean()),
        "distance_to_tenth": float((found - true / 10.0).abs().mean()),
        "distance_to_minimum": float((found - minima.loc[rows["parent"]].to_numpy()).abs().mean()),
        "n": len(rows),
        "n_below_bound": int(below.sum()),
    }


def build(rows: pd.DataFrame, bound: float, substeps: int) -> Table:
    """Build the table.

    Parameters
    ----------
    rows
        As :func:`learned` returns them.
    bound
        Largest |α| that forward Euler propagates stably at this sub-step (Eq. 5).
    substeps
        The number of sub-steps.
    """
    table = []
    for name, process, propagation in GROUPS:
        chosen = select(rows, process, propagation)
        lowest = chosen[chosen["estimator"] == MINIMUM].set_index("parent")["recovered"].abs()
        for estimator in (ZERO_SHOT, MINIMUM, TRAINED):
            own = chosen[chosen["estimator"] == estimator]
            if len(own):
                table.append({"process": name, "estimator": estimator, **_row(own, lowest, bound)})
    data = pd.DataFrame(table)
    display = pd.DataFrame(
        {
            "process": data["process"],
            "estimator": data["estimator"],
            "learned / true |α|: median": data["ratio_median"].map(lambda value: number(value, 2)),
            "range": [
                f"{low:.2f} to {high:.2f}" for low, high in zip(data["ratio_min"], data["ratio_max"], strict=True)
            ],
            "median where |α| is stable": data["ratio_below_bound"].map(lambda value: number(value, 2)),
            "learned |α| above the bound": [
                f"{above} of {n}" for above, n in zip(data["above_bound"], data["n"], strict=True)
            ],
            "mean distance to the truth": data["distance_to_truth"].map(error),
            "to min(truth, bound)": data["distance_to_bound"].map(error),
            "to a tenth of the truth": data["distance_to_tenth"].map(error),
            "to the true minimum": data["distance_to_minimum"].map(error),
        }
    )
    return Table(data=data, display=display, finding=_finding(data, bound, substeps))


def _finding(data: pd.DataFrame, bound: float, substeps: int) -> str:
    of = data.set_index(["process", "estimator"]).to_dict("index")
    smooth, sharp = of["diffusion", ZERO_SHOT], of["mobility, signed", ZERO_SHOT]
    where = (
        f" also where |α| is within the bound ({number(smooth['ratio_below_bound'], 2)} there)"
        if smooth["n_below_bound"]
        else ""
    )
    smaller = data.loc[data["estimator"] != MINIMUM, "ratio_min"].min()
    verdict = "is not seen" if smaller > 0.2 else "is seen in part"
    # At least ten times closer to the minimum than to the bound.
    explained = all(row["distance_to_minimum"] < 0.1 * row["distance_to_bound"] for row in (smooth, sharp))
    reason = (
        "The truncation error therefore explains what is learned, not a diverging forward pass: every prediction "
        "starts from data. Diffusion nevertheless stays near or below the bound: at half of it the factor of the "
        "shortest waves becomes negative, which no decay is."
        if explained
        else "Neither the truncation error nor the bound alone explains what is learned."
    )
    farthest = max(smooth["distance_to_minimum"], sharp["distance_to_minimum"])
    nearest = min(smooth["distance_to_bound"], sharp["distance_to_bound"])
    return (
        f"With S = {substeps}, zero-shot learns {number(smooth['ratio_median'], 2)} times the true |α| of diffusion "
        f"(median){where}, and {number(sharp['ratio_median'], 2)} times that of signed mobility, where no step is "
        f"stable. A collapse to a tenth of the true value {verdict}: the smallest ratio learned, by zero-shot or "
        f"training, is {number(smaller, 2)}. {smooth['above_bound']} of {smooth['n']} of diffusion and "
        f"{sharp['above_bound']} of {sharp['n']} of signed mobility are learned above the bound of {bound:g}. "
        f"Zero-shot ends within {error(farthest)} of the minimum of the loss, but {error(nearest)} or more from the "
        f"smaller of truth and bound. {reason}"
    )


def grid_of(path: str | Path) -> pd.DataFrame:
    """Minima over a grid of coefficients with both propagations, of :mod:`safe_pit_cm.studies.sensitivity`."""
    return both_propagations(pd.read_csv(path, dtype={"parent": str}))


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    rows, bound = read(inputs, params["substeps"])
    build(rows, bound, params["substeps"]).write(**outputs)
