"""Baselines that the paper names but does not run, next to SAFE: accuracy, time and evaluations."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.equations.processes import PROCESSES, PROPAGATIONS
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper.tables import Table, error, number, with_interval
from safe_pit_cm.studies.baseline_list import BASELINES

KEY = ["method", "parent", "process", "propagation"]
THIS_RUN, REFERENCE = "this run", "reference"
# The paper's own method, with which the times of the others are compared.
_PAPER = "safe_stencil"


def read(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Rows of several CSV files of baselines; lines that start with # are comments."""
    tables = [pd.read_csv(path, dtype={"parent": str}, comment="#") for path in paths]
    return pd.concat(tables, ignore_index=True)


def join(recovered: Iterable[str | Path], seconds: Iterable[str | Path]) -> pd.DataFrame:
    """Rows of :func:`safe_pit_cm.studies.baseline_fits.run` from the two files of every job."""
    return read(recovered).merge(read(seconds), on=KEY, validate="one_to_one")


def records(recovered: Iterable[str | Path], seconds: Iterable[str | Path], reference: str | Path) -> pd.DataFrame:
    """Result and time of every method on every video.

    Parameters
    ----------
    recovered, seconds
        The two files of every job of this run.
    reference
        The same in one file, from an earlier run that included the long methods.

    Returns
    -------
    pd.DataFrame
        The columns of :func:`~safe_pit_cm.studies.baseline_fits.run` and ``run``: ``this run`` or ``reference``.
        Reference rows are omitted if this run includes long methods of its own.
    """
    own = join(recovered, seconds).assign(run=THIS_RUN)
    if any(BASELINES[name].long for name in own["method"]):
        return own
    return pd.concat([own, read([reference]).assign(run=REFERENCE)], ignore_index=True)


def score(rows: pd.DataFrame) -> pd.DataFrame:
    """Score every method, process and propagation of a run.

    Returns
    -------
    pd.DataFrame
        ``method``, ``process``, ``propagation``, ``mae``, its 95 % interval ``mae_low`` and ``mae_high`` (NaN, as is
        ``r2``, for one video), ``r2``, ``seconds`` (mean CPU time of a video), ``evaluations`` (mean), ``n`` and
        ``run``.
    """
    scored = []
    for run in (THIS_RUN, REFERENCE):
        for name in BASELINES:
            for process in PROCESSES:
                for propagation in PROPAGATIONS:
                    wanted = {"run": run, "method": name, "process": process, "propagation": propagation}
                    chosen = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)]
                    if chosen.empty:
                        continue
                    low, high = metrics.error_interval(chosen["recovered"], chosen["true"])
                    scored.append(
                        {
                            "method": name,
                            "process": process,
                            "propagation": propagation,
                            "mae": metrics.mean_absolute_error(chosen["recovered"], chosen["true"]),
                            "mae_low": low,
                            "mae_high": high,
                            "r2": metrics.r_squared(chosen["recovered"], chosen["true"]),
                            "seconds": float(chosen["seconds"].mean()),
                            "evaluations": float(chosen["evaluations"].mean()),
                            "n": len(chosen),
                            "run": run,
                        }
                    )
    return pd.DataFrame(scored)


def ratios(rows: pd.DataFrame) -> dict[str, float]:
    """CPU time of the paper's own method over that of each other method, on the videos on which both were run."""
    key = ["run", "parent", "process", "propagation"]
    paper = rows[rows["method"] == _PAPER].set_index(key)["seconds"]
    found = {}
    for name in BASELINES:
        own = rows[rows["method"] == name].set_index(key)["seconds"]
        both = paper.index.intersection(own.index)
        if name != _PAPER and len(both):
            found[name] = float(paper[both].sum() / own[both].sum())
    return found


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def _finding(scores: pd.DataFrame, ratio: dict[str, float]) -> str:
    here = scores[(scores["run"] == THIS_RUN) & (scores["process"] == "diffusion")]
    facts = "; ".join(
        f"{BASELINES[row['method']].label} {error(row['mae'])} in {row['seconds']:.2g} s"
        for row in here.to_dict("records")
    )
    sentences = [f"MAE(α) of diffusion and CPU time per video in this run: {facts}."]
    if ratio:
        ways = "; ".join(f"{BASELINES[name].label} {_times(value)}" for name, value in ratio.items())
        sentences.append(f"CPU time of the paper's own method relative to that of others on the same videos: {ways}.")
    else:
        sentences.append("The time of the paper's own method was not measured.")
    return " ".join(sentences)


def build(rows: pd.DataFrame) -> Table:
    """Build the table from :func:`records`."""
    scores = score(rows)
    has_propagation: dict[str, Any] = {name: method.has_propagation for name, method in BASELINES.items()}
    display = pd.DataFrame(
        {
            "method": scores["method"].map({name: method.label for name, method in BASELINES.items()}),
            "process": scores["process"],
            "propagation": scores["propagation"].where(scores["method"].map(has_propagation), "–"),
            "MAE(α) (95 % interval)": with_interval(scores, "mae", error),
            "R²": scores["r2"].map(lambda value: number(value, 4)),
            "CPU seconds per video": scores["seconds"].map("{:.2g}".format),
            "loss evaluations": scores["evaluations"].map("{:.0f}".format),
            "videos": scores["n"].map(str),
            "measured in": scores["run"],
        }
    )
    return Table(data=scores, display=display, finding=_finding(scores, ratios(rows)))


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(records(inputs["recovered"], inputs["seconds"], inputs["reference"])).write(**outputs)
