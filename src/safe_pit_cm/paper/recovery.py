"""Recovered against true transport coefficients, collected from fit stores."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm import metrics, stores
from safe_pit_cm.paper import published
from safe_pit_cm.processes import PROCESSES, PROPAGATIONS, Process, readings


def collect(paths: Iterable[str | Path], attribute: str = "alpha") -> pd.DataFrame:
    """Read the recovered and the true α of every fit.

    Parameters
    ----------
    paths
        Fit stores: the ``signed`` reading at the root, further readings in groups of their name.
    attribute
        Which recovered value: the final ``alpha``, or ``alpha_amortised`` before any test-time step.

    Returns
    -------
    pd.DataFrame
        ``parent``, ``process``, ``propagation``, ``true``, ``recovered``: a row a video and reading. A diffusion video
        has one fit, which stands for both readings.
    """
    rows = []
    for path in sorted(map(str, paths)):
        root = stores.read(path, "fit")
        process: Process = root.attrs["process"]
        for propagation in PROPAGATIONS:
            own_group = propagation != "signed" and propagation in readings(process)
            fit = stores.read(path, "fit", group=propagation) if own_group else root
            rows.append(
                {
                    "parent": root.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "true": root.attrs["transport_coefficient"],
                    "recovered": fit.attrs[attribute],
                }
            )
    return pd.DataFrame(rows)


def select(recoveries: pd.DataFrame, process: str, propagation: str) -> pd.DataFrame:
    """Rows of one process (or ``all``) in one reading."""
    rows = recoveries[recoveries["propagation"] == propagation]
    return rows if process == "all" else rows[rows["process"] == process]


def score(recoveries: pd.DataFrame, setting: str, published_table: Mapping[str, Any]) -> pd.DataFrame:
    """Measured and published MAE(α) and R² for every process and reading of one setting.

    Parameters
    ----------
    recoveries
        As :func:`collect` returns them.
    setting
        Such as ``zero-shot``.
    published_table
        Table 4 as published, see ``workflow/resources/published.yaml``.

    Returns
    -------
    pd.DataFrame
        ``setting``, ``process``, ``propagation``, ``mae``, ``r2``, ``n``, ``published_mae``, ``published_r2``. The
        paper publishes one number for both readings; it is compared with ``signed``, which alone can give it.
    """
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
                    "published_mae": reference.get("mae"),
                    "published_r2": reference.get("r2"),
                }
            )
    return pd.DataFrame(rows)
