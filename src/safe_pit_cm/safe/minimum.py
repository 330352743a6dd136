"""The true minimum of the SAFE loss, and its theoretical distance from the true coefficient.

With a frozen encoder the SAFE loss of a video is a function of one number
(:class:`~safe_pit_cm.safe.spectral_loss.SpectralSafeLoss`), so its minimum can be found by a scalar optimiser in
milliseconds. The difference between a fit and the minimum is the error of the optimiser; the difference between the
minimum and the true coefficient is the bias of the discretisation.
"""

from dataclasses import replace
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import scan_then_brent
from safe_pit_cm.safe.ending import DIMENSIONLESS_BOUNDS
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss

# Points of the scan, |α| T λ_max, in steps of 6 %.
_SCAN = np.geomspace(*DIMENSIONLESS_BOUNDS, 241)
# Bands of equal steps of √λ in which the scan looks for the valley.
_BANDS = 48


def minimise(*losses: SpectralSafeLoss, scan: Array | None = None) -> tuple[float, float]:
    """Find the lowest point of the SAFE loss by a scan and Brent's method.

    A loss that overflows float64 counts as infinite.

    Parameters
    ----------
    losses
        The loss of one video; several, one for each frame interval, add up.
    scan
        Increasing |α| at which the loss is scanned, length²/time; by default |α| T λ_max from 10⁻³ to 10³.

    Returns
    -------
    tuple[float, float]
        |α|, length²/time, and the loss there, squared field units.
    """
    exact = [_merged(loss) for loss in losses]
    bands = [_by_band(loss) for loss in exact]
    if scan is None:
        scan = 1.0 / (losses[0].interval * float(exact[0].symbol.max())) * _SCAN
    with np.errstate(over="ignore", invalid="ignore"):
        found = scan_then_brent(
            lambda magnitude: float(_height(exact, np.asarray(magnitude))),
            scan,
            rough=lambda magnitudes: _height(bands, magnitudes),
            floor=0.0,
            tolerance=lambda high: 1e-10 * high,
        )
    return found.position, found.height


def _height(losses: list[SpectralSafeLoss], magnitude: Array) -> Array:
    """Sum of losses, infinite where it overflows."""
    total = np.sum([loss(magnitude) for loss in losses], axis=0)
    return np.where(np.isfinite(total), total, np.inf)


def _merged(loss: SpectralSafeLoss) -> SpectralSafeLoss:
    """The same loss over the distinct symbols, ``(1, symbol)``: eight modes of a square share theirs."""
    numbers = (_numpy(each).ravel() for each in (loss.symbol, loss.weight, loss.best_factor))
    symbol, weight, best_factor = numbers
    distinct, group = np.unique(symbol, return_inverse=True)
    return _gathered(loss, weight, best_factor, group, distinct)


def _by_band(loss: SpectralSafeLoss) -> SpectralSafeLoss:
    """About the same loss over bands of symbols, ``(1, band)``."""
    symbol, weight = loss.symbol[0], loss.weight[0]
    share = np.sqrt(symbol / max(float(symbol.max()), 1e-300))
    group = np.minimum((share * _BANDS).astype(np.intp), _BANDS - 1)
    total = np.bincount(group, weight, _BANDS)
    mean = np.bincount(group, weight * symbol, _BANDS) / np.where(total > 0, total, 1.0)
    return _gathered(loss, weight, loss.best_factor[0], group, mean)


def _gathered(
    loss: SpectralSafeLoss, weight: Array, best_factor: Array, group: NDArray[np.intp], symbol: Array
) -> SpectralSafeLoss:
    """One mode for those of a group: Σ W (g − ĝ)² is a complete square in g and a constant."""
    count = len(symbol)
    total = np.bincount(group, weight, count)
    mean = np.bincount(group, weight * best_factor, count) / np.where(total > 0, total, 1.0)
    apart = float(weight @ np.square(best_factor - mean[group]))
    return replace(
        loss,
        symbol=symbol[None, :],
        weight=total[None, :],
        best_factor=mean[None, :],
        floor=float(loss.floor) + apart,
    )


def _numpy(values: Any) -> Array:
    """Values of an array of NumPy or torch as one of NumPy."""
    if array_api_compat.is_torch_array(values):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def first_order_bias(loss: SpectralSafeLoss, magnitude: float, data_step: float) -> float:
    """Distance of the minimum from the true |α|, to first order in the steps (§3.3).

    A frame interval T of the data consists of steps Δt, each of which multiplies mode k by 1 − D Δt λ; the SAFE
    operator divides it into sub-steps Δτ, each of which multiplies it by 1 + s α Δτ λ, with s = +1 where frames are
    sharpened (mobility, *signed*) and −1 where they are smoothed. With d = |α| − D the logarithms of the two
    amplification factors of T differ by

        s T (d λ − (Δt + s Δτ) D² λ²/2) + higher orders in D Δt λ and D Δτ λ.

    The loss is Σ_k A_k (g_k − ĝ_k)² ≈ Σ_k A_k ĝ_k² (ln g_k − ln ĝ_k)², least at

        d = D² (Δt + s Δτ)/2 · Σ_k W_k λ_k³ / Σ_k W_k λ_k²,    W_k = A_k ĝ_k².

    So for *signed* mobility the errors of data and operator add up, and the coefficient is overestimated; where frames
    are smoothed they cancel for Δτ = Δt, and larger sub-steps underestimate it.

    Parameters
    ----------
    loss
        The loss of one video; its spectrum gives the weights W_k.
    magnitude
        True |α| = D, length²/time.
    data_step
        Time step Δt of the data, time units.

    Returns
    -------
    float
        d, length²/time.
    """
    weight = loss.weight * loss.best_factor**2
    # nan where no mode is left in the second frame.
    with np.errstate(invalid="ignore"):
        ratio = (weight * loss.symbol**3).sum() / (weight * loss.symbol**2).sum()
    # A discretisation that is exact in time has no sub-step.
    step = loss.discretisation.substep or 0.0
    return float(magnitude**2 * (data_step + loss.sign * step) / 2.0 * ratio)
