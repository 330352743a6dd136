"""How well the transport coefficients of a set of videos are recovered (§3.2)."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The draws are independent of the seed of the run: the same rows always give the same interval.
_DRAWS, _SEED = 1000, 0

Measure = Callable[[ArrayLike, ArrayLike], float]


def mean_absolute_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """MAE(α), length²/time; arguments of equal shape ``(video,)``, at least one."""
    return float(np.mean(np.abs(np.asarray(predicted) - np.asarray(true))))


def r_squared(predicted: ArrayLike, true: ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(α̂ − α)²/Σ(α − ᾱ)²; NaN if all true values are equal."""
    predicted, true = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    # The sum of squares is no test: rounding of the mean keeps it above zero for some equal values.
    if np.all(true == true[0]):
        return float("nan")
    variation = np.sum((true - true.mean()) ** 2)
    return float(1.0 - np.sum((predicted - true) ** 2) / variation)


@lru_cache(maxsize=16)
def _test_sets(units: tuple[tuple[tuple[int, ...], ...], ...], size: int) -> list[NDArray[np.int_]]:
    """Rows of random test sets; the same for every measure of the same rows, and as long to draw as to evaluate."""
    random = np.random.default_rng(_SEED)
    fits_of_parents = [[np.array(rows, dtype=int) for rows in unit] for unit in units]
    drawn = []
    for _ in range(_DRAWS):
        chosen = [fits_of_parents[unit] for unit in random.integers(len(units), size=size)]
        drawn.append(np.concatenate([unit[random.integers(len(unit))] for unit in chosen]))
    return drawn


def interval(
    predicted: ArrayLike,
    true: ArrayLike,
    units: Sequence[Sequence[ArrayLike]],
    size: int,
    measure: Measure,
) -> tuple[float, float]:
    """Range that contains the measure of 95 % of test sets, by the bootstrap.

    Test sets are drawn from the available parents with replacement; the videos of a parent share grains and |α| and are
    drawn together. The interval is given by percentiles of many such draws.

    Parameters
    ----------
    predicted, true
        Recovered and true α, shape ``(row,)``.
    units
        For every parent and each of its fits, the rows of its videos. A draw takes one of the fits.
    size
        Parents in a test set.
    measure
        Such as :func:`mean_absolute_error`.

    Returns
    -------
    tuple[float, float]
        The 2.5th and the 97.5th percentile; NaN where the measure has no value.
    """
    predicted, true = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    fits_of_parents = tuple(tuple(tuple(np.asarray(rows, dtype=int).tolist()) for rows in unit) for unit in units)
    values = np.array([measure(predicted[rows], true[rows]) for rows in _test_sets(fits_of_parents, size)])
    known = values[np.isfinite(values)]
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def error_interval(predicted: ArrayLike, true: ArrayLike) -> tuple[float, float]:
    """Range that contains the MAE(α) of 95 % of test sets, with one video per parent; NaN for fewer than two."""
    count = np.size(true)
    if count < 2:
        return float("nan"), float("nan")
    return interval(predicted, true, [[[row]] for row in range(count)], count, mean_absolute_error)
