"""How well the transport coefficients of a set of videos are recovered (§3.2)."""

import numpy as np
from numpy.typing import ArrayLike


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
