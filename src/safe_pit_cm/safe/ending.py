"""How a fit of α ended: at rest inside its range, or not."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss

Ending = Literal["converged", "unsettled", "at_bound", "diverged", "not_fitted"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)

# Lowest and highest |α| T λ_max that a SAFE loss can tell: beyond, no mode changes between two frames, or every one
# has vanished after one.
DIMENSIONLESS_BOUNDS = (1e-3, 1e3)
# |α| is at rest when it stays within this fraction of its final value over the last tenth of the steps.
_FRACTION, _LAST = 0.01, 0.1


def of_fit(magnitude: ArrayLike, loss: ArrayLike, bounds: tuple[float, float]) -> Ending:
    """Judge a fit by its path.

    Parameters
    ----------
    magnitude, loss
        |α| and the loss at every step, the result last; or the result alone.
    bounds
        Lowest and highest |α| that count as a result, length²/time.

    Returns
    -------
    Ending
        ``diverged`` if a loss is not finite, ``at_bound`` if the result is at or beyond a bound, ``unsettled`` if |α|
        still moves, and otherwise ``converged``.
    """
    path, losses = np.abs(np.atleast_1d(magnitude)), np.atleast_1d(loss)
    if not (np.isfinite(losses).all() and np.isfinite(path).all()):
        return "diverged"
    last = path[-1]
    if not bounds[0] < last < bounds[1]:
        return "at_bound"
    rest = path[-1 - int(np.ceil(_LAST * (len(path) - 1))) :]
    return "converged" if (np.abs(rest - last) <= _FRACTION * last).all() else "unsettled"


def magnitude_bounds(interval: float, symbol_max: float) -> tuple[float, float]:
    """:data:`DIMENSIONLESS_BOUNDS` as |α|, for frames ``interval`` apart and the largest λ of the grid."""
    low, high = DIMENSIONLESS_BOUNDS
    return low / (interval * symbol_max), high / (interval * symbol_max)


def of_minimum(magnitude: float, lowest: float, loss: SpectralSafeLoss) -> Ending:
    """Judge the minimum of a loss: |α|, and the loss there."""
    return of_fit(magnitude, lowest, magnitude_bounds(loss.interval, float(loss.symbol.max())))
