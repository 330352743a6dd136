"""Ablations of the test videos, collected from their stores and scored."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd

from safe_pit_cm.data import stores
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper import endings
from safe_pit_cm.paper.recovery import select, spread

# How the recovery of a column ended.
_ENDINGS = {"alpha": "ending", "alpha_minimum": "ending_minimum", "recovered": "ending"}
# Groups of rows of which every item gives the scores: name, process, propagation of mobility.
GROUPS = (
    ("all_signed", "all", "signed"),
    ("all_stable", "all", "stable"),
    ("diffusion", "diffusion", "signed"),
    ("mobility_signed", "mobility", "signed"),
    ("mobility_stable", "mobility", "stable"),
)


def both_propagations(rows: pd.DataFrame) -> pd.DataFrame:
    """Repeat the rows of diffusion, which has one propagation, under the other: a fit holds for both."""
    again = rows[rows["process"] == "diffusion"].assign(propagation="stable")
    return pd.concat([rows, again], ignore_index=True)


def collect(paths: Iterable[str | Path], kind: Literal["substeps", "frame_step"]) -> pd.DataFrame:
    """Read ablations as rows.

    Parameters
    ----------
    paths
        Stores of the kind ``kind``.
    kind
        Which ablation.

    Returns
    -------
    pd.DataFrame
        One row per video, propagation and point: ``dataset`` (its seed), ``parent``, ``process``, ``propagation``, the
        axes and coordinates of the store, the ``true`` α and the variables of the store; ``frame_interval`` and
        ``grid_spacing`` of the video.
    """
    tables = []
    for path in sorted(map(str, paths)):
        store = stores.read(path, kind)
        rows = store.to_dataframe().reset_index()
        for name in ("propagation", "substepping", "ending", "ending_minimum"):
            if name in rows:
                meanings = str(store[name].attrs["flag_meanings"]).split()
                rows[name] = [meanings[int(value)] for value in rows[name]]
        tables.append(
            rows.assign(
                dataset=int(store.attrs["seed"]),
                parent=store.attrs["parent"],
                process=store.attrs["process"],
                true=float(store.attrs["transport_coefficient"]),
                frame_interval=float(store.attrs["frame_interval"]),
                grid_spacing=float(store.attrs["grid_spacing"]),
            )
        )
    return both_propagations(pd.concat(tables, ignore_index=True))


def score(rows: pd.DataFrame, column: str, pool: pd.DataFrame | None = None) -> dict[str, dict[str, float]]:
    """MAE(α) and R² of every group.

    Parameters
    ----------
    rows
        One row per video and propagation.
    column
        What was recovered: ``alpha``, ``alpha_minimum`` …
    pool
        Recoveries of this and further test sets, as for :func:`safe_pit_cm.paper.recovery.spread`; without it there are
        no intervals.

    Returns
    -------
    dict
        By group, ``mae`` and ``r2`` of the videos for which there is a value, ``n`` and ``failed``, the numbers of
        videos with and without; ``unsettled`` and ``at_bound``, how many of the former ended so
        (:mod:`safe_pit_cm.safe.ending`); with a pool, ``mae_low``, ``mae_high``, ``r2_low`` and ``r2_high``.
    """
    scores = {}
    for name, process, propagation in GROUPS:
        chosen = select(rows, process, propagation)
        found = chosen[chosen[column].notna()]
        own: dict[str, float] = {"n": len(found), "failed": len(chosen) - len(found)}
        if column in _ENDINGS:
            own |= endings.counts(found[_ENDINGS[column]])
        for key, measure in (("mae", metrics.mean_absolute_error), ("r2", metrics.r_squared)):
            own[key] = measure(found[column], found["true"]) if len(found) else float("nan")
        if pool is not None:
            own |= spread(select(pool, process, propagation), chosen["parent"].nunique())
        scores[name] = own
    return scores


def frame_step_scores(recoveries: pd.DataFrame) -> pd.DataFrame:
    """MAE(α) and R² by number of frames (Figure 8).

    Parameters
    ----------
    recoveries
        As :func:`collect` returns them, of the ablation ``frame_step``.

    Returns
    -------
    pd.DataFrame
        ``frame_step``, ``frames``, ``substepping``, ``group``; ``mae`` and ``r2`` of Adam over the videos where it
        ended, ``n`` and ``failed``; ``mae_minimum`` and ``r2_minimum`` of the true minimum.
    """
    table = []
    for (step, frames, substepping), rows in recoveries.groupby(["frame_step", "frames", "substepping"]):
        adam, minimum = score(rows, "alpha"), score(rows, "alpha_minimum")
        for group, own in adam.items():
            best = {f"{key}_minimum": minimum[group][key] for key in ("mae", "r2")}
            keys = {"frame_step": step, "frames": frames, "substepping": substepping, "group": group}
            table.append({**keys, **own, **best})
    return pd.DataFrame(table)
