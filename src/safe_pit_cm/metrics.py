"""How well the transport coefficients of a set of videos are recovered (§3.2)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

Measure = Callable[[ArrayLike, ArrayLike], float]


def mean_absolute_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """MAE(α), length²/time; arguments of equal shape ``(video,)``, at least one."""
    return float(np.mean(np.abs(np.asarray(predicted) - np.asarray(true))))


def r_squared(predicted: ArrayLike, true: ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(α̂ − α)²/Σ(α − ᾱ)²; NaN if all true values are equal."""
    predicted, true = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    # Not the sum of squares, which rounding of the mean keeps above zero for some equal values.
    if np.all(true == true[0]):
        return float("nan")
    variation = np.sum((true - true.mean()) ** 2)
    return float(1.0 - np.sum((predicted - true) ** 2) / variation)


def bootstrap_interval(
    measure: Measure,
    predicted: ArrayLike,
    true: ArrayLike,
    parents: ArrayLike,
    *,
    seed: int,
    resamples: int,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a measure over the parents of the videos.

    Videos of one parent share their initial condition and |α|, so whole parents are drawn, with replacement, and each
    brings all of its videos. A draw in which the measure is undefined is left out.

    Parameters
    ----------
    measure
        Of predicted and true values, such as :func:`mean_absolute_error`.
    predicted, true, parents
        A value a video, shape ``(video,)``.
    seed
        Of the draws.
    resamples
        Number of draws.
    level
        Probability that the interval is to hold.

    Returns
    -------
    tuple[float, float]
        Lower and upper end; NaN where the measure is undefined in every draw.
    """
    predicted, true = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    names, own = np.unique(np.asarray(parents), return_inverse=True)
    members = [np.flatnonzero(own == parent) for parent in range(len(names))]
    draws = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    values = []
    for draw in draws:
        chosen = np.concatenate([members[parent] for parent in draw])
        values.append(measure(predicted[chosen], true[chosen]))
    defined = np.array(values)[np.isfinite(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
