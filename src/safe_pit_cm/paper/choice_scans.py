"""Likelihoods of the published numbers, read from the scans of all readings, and what follows from them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from safe_pit_cm.studies.readings import AXES

Array = NDArray[np.float64]


def collect(paths: Iterable[str | Path], readings: Iterable[str]) -> pd.DataFrame:
    """Read the scans, in the order of their readings: their columns, ``reading``, and the ``posterior`` of every row.

    A priori all readings are equally probable, w and η have the same density in their logarithms over the grid, and the
    smallest |α| is uniform.
    """
    scans = []
    for path, reading in zip(paths, readings, strict=True):
        rows = pd.read_csv(path)
        prior = np.ones(len(rows))
        for axis in AXES:
            values = np.unique(rows[axis])
            prior *= rows[axis].map(dict(zip(values, _widths(values, axis), strict=True)))
        scans.append(rows.assign(reading=reading, prior=prior / prior.sum()))
    table = pd.concat(scans, ignore_index=True)
    return table.assign(posterior=posterior(table))


def posterior(rows: pd.DataFrame, likelihood: str = "log_likelihood") -> pd.Series:
    """Posterior probability of every row if one of them holds, by all numbers or by ``log_likelihood_fitted``.

    That of a table that holds more improbable rows too cannot be taken instead: all of these may round to 0 there.
    """
    density = rows["prior"] * np.exp(rows[likelihood] - rows[likelihood].max())
    return density / density.sum()


def _widths(values: Array, axis: str) -> Array:
    """Share of the range that each value stands for; η = 0, which has no logarithm, stands for as much as the next."""
    positive = values[values > 0]
    if len(positive) < 2:
        return np.ones(len(values))
    widths = np.gradient(positive if axis == "magnitude_min" else np.log(positive))
    return np.concatenate([np.repeat(widths[0], len(values) - len(positive)), widths])


def best(rows: pd.DataFrame) -> Mapping[str, Any]:
    """The row of greatest likelihood."""
    row = rows.iloc[int(rows["log_likelihood"].to_numpy().argmax())]
    return {str(name): value for name, value in row.items()}


def at(rows: pd.DataFrame, **values: float) -> pd.DataFrame:
    """Rows at some values of the axes."""
    chosen = np.ones(len(rows), dtype=bool)
    for axis, value in values.items():
        chosen &= np.isclose(rows[axis], value)
    return rows[chosen]


def credible(values: pd.Series, weights: pd.Series) -> tuple[float, float]:
    """Range that contains 95 % of the weight of some values of a grid."""
    order = np.argsort(values.to_numpy())
    ordered, share = values.to_numpy()[order], np.cumsum(weights.to_numpy()[order])
    share = share / share[-1]
    low, high = np.searchsorted(share, [0.025, 0.975])
    return float(ordered[low]), float(ordered[min(high, len(ordered) - 1)])
