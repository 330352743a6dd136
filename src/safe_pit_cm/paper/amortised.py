"""An amortised estimator of noisy videos next to maximum likelihood: error and CPU time."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.paper import endings
from safe_pit_cm.paper.tables import Table, error, with_interval

KEY = ["method", "replicate", "noise", "process", "parent"]
ONE_PASS, REFINED, LIKELIHOOD = "one_pass", "refined", "maximum_likelihood"


def score(recovered: pd.DataFrame, seconds: pd.DataFrame) -> pd.DataFrame:
    """Score every method and noise level, over both processes and each alone.

    Parameters
    ----------
    recovered, seconds
        As :func:`safe_pit_cm.studies.noisy_training.run` returns them.

    Returns
    -------
    pd.DataFrame
        ``method``, ``noise``, ``process`` (or ``all``), ``mae``, the mean of that of all trainings, with that of the
        best and the worst as ``mae_low`` and ``mae_high``; ``trainings``; ``seconds``, CPU time of an estimate; ``n``
        and ``failed``, the numbers of videos with and without a value in every training.
    """
    rows = recovered.merge(seconds, on=KEY, validate="one_to_one")
    rows["error"] = (rows["recovered"] - rows["true"]).abs()
    scored = []
    for method in (ONE_PASS, REFINED, LIKELIHOOD):
        for noise in sorted(rows["noise"].unique()):
            for process in ("all", *PROCESSES):
                own = rows[(rows["method"] == method) & (rows["noise"] == noise)]
                own = own if process == "all" else own[own["process"] == process]
                failed = int(own.groupby(["process", "parent"])["error"].agg(lambda errors: errors.isna().any()).sum())
                each = own.groupby("replicate")["error"].mean()
                spread = (each.min(), each.max()) if len(each) > 1 else (float("nan"), float("nan"))
                scored.append(
                    {
                        "method": method,
                        "noise": noise,
                        "process": process,
                        "mae": each.mean(),
                        "mae_low": spread[0],
                        "mae_high": spread[1],
                        "trainings": len(each),
                        "seconds": own["seconds"].mean(),
                        "n": len(own) // len(each) - failed,
                        "failed": failed,
                    }
                )
    return pd.DataFrame(scored)


def build(recovered: pd.DataFrame, seconds: pd.DataFrame, steps: int) -> Table:
    """Build the table from the two tables of the stage, and the number of test-time steps."""
    scores = score(recovered, seconds)
    labels = {
        ONE_PASS: "network, one pass",
        REFINED: f"network, {steps} test-time steps",
        LIKELIHOOD: "maximum likelihood",
    }
    whole = scores[scores["process"] == "all"].assign(
        shown=lambda table: with_interval(table, "mae", error) + table["failed"].map(endings.without_value),
        label=lambda table: table["method"].map(labels),
    )
    levels = sorted(whole["noise"].unique())
    display = whole.pivot(index="label", columns="noise", values="shown").loc[list(labels.values()), levels]
    display.columns = pd.Index([f"MAE(α), σ = {noise:g}" for noise in levels])
    by_method = whole.groupby("label", sort=False)
    display["CPU seconds per video"] = by_method["seconds"].mean().map("{:.2g}".format)
    display["trainings"] = by_method["trainings"].first().map(str)
    display["videos"] = by_method["n"].max().map(str)
    return Table(data=scores, display=display.rename_axis("method").reset_index(), finding=_finding(whole))


def _finding(whole: pd.DataFrame) -> str:
    row: dict[Any, Any] = whole.set_index(["method", "noise"]).to_dict("index")
    levels = sorted(whole["noise"].unique())
    errors = "; ".join(
        f"{error(row[ONE_PASS, noise]['mae'])} at σ = {noise:g} (maximum likelihood "
        f"{error(row[LIKELIHOOD, noise]['mae'])})"
        for noise in levels
    )
    times = whole.groupby("method")["seconds"].mean()
    return (
        f"MAE(α) of one pass of the network, in the mean of {row[ONE_PASS, levels[0]]['trainings']} trainings: "
        f"{errors}. A fit by maximum likelihood takes {times[LIKELIHOOD] / times[ONE_PASS]:.0f} times the CPU time of "
        "one pass."
    )


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    tables = {name: pd.read_csv(inputs[name], dtype={"parent": str}) for name in ("recovered", "seconds")}
    build(**tables, steps=params["steps"]).write(**outputs)
