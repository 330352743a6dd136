"""Recovered against true transport coefficients, collected from fit stores."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from safe_pit_cm.data import stores
from safe_pit_cm.equations.processes import PROCESSES, PROPAGATIONS, Process, propagations_of
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper import endings, published


def collect(paths: Iterable[str | Path], attribute: str = "alpha") -> pd.DataFrame:
    """Read the recovered and the true α of every fit.

    Parameters
    ----------
    paths
        Fit stores: ``signed`` propagation at the root, others in groups of their name.
    attribute
        Which recovered value: the final ``alpha``, or ``alpha_amortised`` before any test-time step.

    Returns
    -------
    pd.DataFrame
        ``dataset``, ``parent``, ``process``, ``propagation``, ``replicate``, ``true``, ``recovered``, ``ending``:
        one row per video and propagation, as :func:`safe_pit_cm.studies.replicates.recover` returns them, of the run
        itself.
    """
    rows = []
    for path in sorted(map(str, paths)):
        root = stores.read(path, "fit")
        process: Process = root.attrs["process"]
        for propagation in PROPAGATIONS:
            own_group = propagation != "signed" and propagation in propagations_of(process)
            fit = stores.read(path, "fit", group=propagation) if own_group else root
            rows.append(
                {
                    "dataset": root.attrs["seed"],
                    "parent": root.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "replicate": 0,
                    "true": root.attrs["transport_coefficient"],
                    "recovered": fit.attrs[attribute],
                    "ending": fit.attrs[attribute.replace("alpha", "ending")],
                }
            )
    return pd.DataFrame(rows)


def collect_further(paths: Iterable[str | Path], method: Literal["zero-shot", "minimum"]) -> pd.DataFrame:
    """Read the recoveries of further test sets and fits by one method.

    Parameters
    ----------
    paths
        CSV files of one parent each, as the stage ``replicate`` writes them; with the column ``method``.
    method
        Which method.

    Returns
    -------
    pd.DataFrame
        The columns of :func:`collect`, and ``substeps``; without files, no rows.
    """
    keys = ["dataset", "parent", "process", "propagation", "replicate", "substeps", "method"]
    columns = [*keys, "true", "recovered", "ending"]
    # Further fits of the run's own test set have no minima, and no column for their sub-steps.
    tables = [pd.read_csv(path, dtype={"parent": str}).reindex(columns=columns) for path in paths]
    return pd.concat(
        [table[table["method"] == method] for table in tables] or [pd.DataFrame(columns=columns)], ignore_index=True
    )


def select(recoveries: pd.DataFrame, process: str, propagation: str) -> pd.DataFrame:
    """Rows of one process (or ``all``) with one propagation."""
    rows = recoveries[recoveries["propagation"] == propagation]
    return rows if process == "all" else rows[rows["process"] == process]


def spread(pool: pd.DataFrame, size: int) -> dict[str, float]:
    """95 % intervals of MAE(α) and R² over test sets of ``size`` parents drawn from a pool of recoveries."""
    pool = pool.reset_index(drop=True)
    units = [
        [rows.index.to_numpy() for _, rows in fits.groupby("replicate")]
        for _, fits in pool.groupby(["dataset", "parent"], sort=True)
    ]
    found: dict[str, float] = {}
    for name, statistic in (("mae", metrics.mean_absolute_error), ("r2", metrics.r_squared)):
        low, high = metrics.interval(pool["recovered"], pool["true"], units, size, statistic)
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found


def score(
    recoveries: pd.DataFrame, setting: str, published_table: Mapping[str, Any], further: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Measured and published MAE(α) and R² for every process and propagation of one setting.

    Parameters
    ----------
    recoveries
        As :func:`collect` returns them.
    setting
        Such as ``zero-shot``.
    published_table
        Table 4 as published, see ``workflow/resources/published.yaml``.
    further
        Recoveries of further test sets and fits, for the intervals; see :mod:`safe_pit_cm.studies.replicates`.

    Returns
    -------
    pd.DataFrame
        ``setting``, ``process``, ``propagation``, ``mae``, ``r2``, ``n``, of which ``unsettled`` and ``at_bound`` did
        not end at rest inside their range, the 95 % intervals ``mae_low``, ``mae_high``, ``r2_low`` and ``r2_high``,
        ``published_mae``, ``published_r2``. The paper publishes one number for both
        propagations; it is compared with ``signed``, which alone can give it.
    """
    pool = recoveries if further is None else pd.concat([recoveries, further], ignore_index=True)
    parents = recoveries["parent"].nunique()
    rows = []
    for propagation in PROPAGATIONS:
        for process in ("all", *PROCESSES):
            chosen = select(recoveries, process, propagation)
            reference = published.recovery(published_table, setting, process) if propagation == "signed" else {}
            rows.append(
                {
                    "setting": setting,
                    "process": process,
                    "propagation": propagation,
                    "mae": metrics.mean_absolute_error(chosen["recovered"], chosen["true"]),
                    "r2": metrics.r_squared(chosen["recovered"], chosen["true"]),
                    "n": len(chosen),
                    **endings.counts(chosen["ending"]),
                    **spread(select(pool, process, propagation), parents),
                    "published_mae": reference.get("mae"),
                    "published_r2": reference.get("r2"),
                }
            )
    return pd.DataFrame(rows)
