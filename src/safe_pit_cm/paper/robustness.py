"""Errors of every method against noise, next to the Cramér–Rao bound."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper import endings
from safe_pit_cm.paper.tables import Table, error, with_interval

BOUND = "Cramér–Rao bound"
# Method and propagation, with the label under diffusion and under mobility.
SERIES: dict[tuple[str, str], dict[str, str]] = {
    ("safe", "signed"): {"diffusion": "SAFE, minimum", "mobility": "SAFE, minimum, signed"},
    ("zero_shot", "signed"): {"diffusion": "SAFE, zero-shot", "mobility": "SAFE, zero-shot, signed"},
    ("safe", "stable"): {"mobility": "SAFE, minimum, stable"},
    ("least_squares", "signed"): {"diffusion": "least squares"},
    ("least_squares", "stable"): {"mobility": "least squares, stable"},
    ("weak_form", "signed"): {"diffusion": "weak-form PySINDy", "mobility": "weak-form PySINDy"},
    ("maximum_likelihood", "signed"): {"diffusion": "maximum likelihood"},
    ("maximum_likelihood", "stable"): {"mobility": "maximum likelihood"},
}
# Mean absolute error of an unbiased estimate with a normal error, relative to its standard deviation.
MEAN_ABSOLUTE = math.sqrt(2.0 / math.pi)


def read(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Rows of :func:`~safe_pit_cm.studies.noise_scan.scan` or :func:`~safe_pit_cm.studies.crop_scan.scan`, from CSV."""
    return pd.concat([pd.read_csv(path, dtype={"parent": str}) for path in paths], ignore_index=True)


def accuracy(rows: pd.DataFrame) -> dict[str, float]:
    """Score estimates of α that have a bound.

    Returns
    -------
    dict
        ``mae``, and ``mae_low`` and ``mae_high``, its 95 % interval over draws of the videos; ``bound``, the least MAE
        that an unbiased estimate can have; ``errors_over_bound``, the root mean square of error over bound; ``stderr``,
        the mean; ``covered``, the fraction of 95 % intervals that contain the true value; ``n`` and ``failed``, the
        numbers of estimates with and without a value. NaN where there is none.
    """
    found = rows[rows["recovered"].notna()]
    # The bound of a clean video is zero, which rounding errors exceed.
    noisy = found[found["bound"] > 0]
    ratio = (noisy["recovered"] - noisy["true"]) / noisy["bound"]
    low, high = metrics.error_interval(found["recovered"], found["true"])
    return {
        "mae": metrics.mean_absolute_error(found["recovered"], found["true"]) if len(found) else float("nan"),
        "mae_low": low,
        "mae_high": high,
        "bound": MEAN_ABSOLUTE * float(rows["bound"].mean()),
        "errors_over_bound": float(np.sqrt(np.square(ratio).mean())),
        "stderr": float(found["stderr"].mean()),
        "covered": float(noisy["covered"].mean()),
        "n": len(found),
        "failed": len(rows) - len(found),
    }


def score(rows: pd.DataFrame) -> pd.DataFrame:
    """Score every process, method, propagation and noise level, in the order of :data:`SERIES`.

    Returns
    -------
    pd.DataFrame
        ``process``, ``method``, ``propagation``, ``noise`` and what :func:`accuracy` returns.
    """
    groups = dict(list(rows.groupby(["process", "method", "propagation", "noise"])))
    levels = sorted(rows["noise"].unique())
    return pd.DataFrame(
        [
            {
                "process": process,
                "method": method,
                "propagation": propagation,
                "noise": noise,
                **accuracy(groups[process, method, propagation, noise]),
            }
            for process in PROCESSES
            for method, propagation in SERIES
            for noise in levels
            if (process, method, propagation, noise) in groups
        ]
    )


def select(scores: pd.DataFrame, method: str, propagation: str) -> pd.DataFrame:
    """Rows of one method with one propagation."""
    return scores[(scores["method"] == method) & (scores["propagation"] == propagation)]


def bounds(scores: pd.DataFrame) -> pd.Series:
    """Least MAE by noise level, from the scores of one process: of all its videos, on which not every method is run."""
    return scores[scores["method"] == "maximum_likelihood"].set_index("noise")["bound"]


def _cells(scores: pd.DataFrame, levels: list[float]) -> list[dict[str, str]]:
    """Rows of text, by process, with the bound last."""
    scores = scores.assign(shown=with_interval(scores, "mae", error) + scores["failed"].map(endings.without_value))
    shown = []
    for process in PROCESSES:
        own = scores[scores["process"] == process]
        for (method, propagation), labels in SERIES.items():
            series = select(own, method, propagation).set_index("noise")
            if series.empty:
                continue
            shown.append(
                {
                    "process": process,
                    "method": labels[process],
                    **{_heading(noise): series["shown"].get(noise, "–") for noise in levels},
                    "videos": str(series["n"].max()),
                }
            )
        lowest = bounds(own)
        shown.append(
            {
                "process": process,
                "method": BOUND,
                **{_heading(noise): error(lowest[noise]) if noise else "0" for noise in levels},
                "videos": str(own["n"].max()),
            }
        )
    return shown


def _heading(noise: float) -> str:
    return f"σ = {noise:g}"


def build(rows: pd.DataFrame) -> Table:
    """Build the table from :func:`read`."""
    scores = score(rows)
    levels = sorted(scores["noise"].unique())
    return Table(data=scores, display=pd.DataFrame(_cells(scores, levels)), finding=_finding(rows, scores, levels))


def _finding(rows: pd.DataFrame, scores: pd.DataFrame, levels: list[float]) -> str:
    noisy = [noise for noise in levels if noise > 0]
    sentences = []
    if noisy:
        diffusion = scores[(scores["process"] == "diffusion") & scores["noise"].isin([noisy[0], noisy[-1]])]
        facts = [
            f"{labels['diffusion']} {' and '.join(map(error, own['mae']))}"
            for (method, propagation), labels in SERIES.items()
            if len(own := select(diffusion, method, propagation)) == len({noisy[0], noisy[-1]})
        ]
        sentences.append(
            f"MAE(α) of diffusion at σ = {' and '.join(f'{noise:g}' for noise in dict.fromkeys([noisy[0], noisy[-1]]))}"
            f": {'; '.join(facts)}."
        )
        best: Any = accuracy(rows[(rows["method"] == "maximum_likelihood") & (rows["noise"] > 0)])
        if best["n"]:
            sentences.append(
                "Over all noise levels and both processes the error of maximum likelihood is "
                f"{best['errors_over_bound']:.2f} times the bound (root mean square), and {best['covered']:.0%} of its "
                f"{best['n']} intervals (95 %) contain the true value."
            )
    distance = _distance(rows)
    if distance is not None:
        sentences.append(distance)
    return " ".join(sentences)


def _distance(rows: pd.DataFrame) -> str | None:
    """How far zero-shot fits lie from the minimum of the same loss."""
    key = ["parent", "process", "propagation", "noise"]
    pairs = rows[rows["method"] == "zero_shot"].merge(
        rows[rows["method"] == "safe"], on=key, suffixes=("", "_minimum"), validate="one_to_one"
    )
    if pairs.empty:
        return None
    away = (pairs["recovered"] - pairs["recovered_minimum"]).abs().groupby(pairs["process"]).max()
    parts = [f"{error(away[process])} ({process})" for process in PROCESSES if process in away]
    return f"Zero-shot fits lie at most {' and '.join(parts)} from the minimum of the same loss."


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(read([inputs["noise"]])).write(**outputs)
