"""Recovery of α as a function of the initial power spectrum, without a video.

With a frozen encoder (z = φ) frame n of a diffusion video of the paper holds the modes

    φ̂_n = φ̂_0 q_k^n,    q_k = (1 − |α| Δt λ_k)^K,

K being the save interval, and the mobility video holds the same frames in reverse order. In a mode every pair of
successive frames has the same ratio, so the SAFE loss is

    L(a) = Σ_k A_k (g_k(a) − ĝ_k)²,    A_k = |φ̂_0|² Σ_n q_k^(2n),

with ĝ_k = q_k and the frames n = 0 … F − 2 of F as sources where frames are smoothed, and with ĝ_k = 1/q_k and
n = 1 … F − 1 where they are sharpened (*signed* mobility). The sum over n is geometric, and modes of equal λ_k add up.
The minima of many spectra are found together: the loss at a grid of a is one matrix product, a polynomial through the
points around the lowest comes within about 10⁻⁵ of the minimum, and Newton's method refines it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import half_plane_counts
from safe_pit_cm.equations.terms import axis_symbol

Array = NDArray[np.float64]
# What the SAFE operator does with a video: diffusion, and mobility read *stable*, are the same problem.
Direction = Literal["smoothed", "sharpened"]
DIRECTIONS: tuple[Direction, ...] = ("smoothed", "sharpened")

# Points of the scan: a T λ_max from 10⁻² to 10³, in steps of 6 %.
_SCAN = np.logspace(-2.0, 3.0, 201)
# Points of the scan around the lowest, through which a polynomial is laid; and its coefficients from its values there.
_AROUND = np.arange(-3, 4)
_TO_COEFFICIENTS = np.linalg.inv(np.vander(_AROUND.astype(float), increasing=True))
_NEWTON_STEPS = 12
# Relative step at which Newton's method ends: the distance that is left is about the square of it.
_LAST_STEP = 1e-6
# Numbers per array of Newton's method, which stays in the cache of a core.
_BLOCK = 2**15


@dataclass(frozen=True)
class Sampling:
    """Times of a video.

    Attributes
    ----------
    step
        Δt, time units.
    save_interval
        Steps K between saved frames.
    pairs
        Pairs of successive frames.
    """

    step: float
    save_interval: int
    pairs: int

    @property
    def interval(self) -> float:
        """Frame interval K Δt, time units."""
        return self.step * self.save_interval


def symbols(size: int, spacing: float) -> Array:
    """Distinct symbols λ_k of the five-point −∇² on a periodic square, 1/length², shape ``(mode,)``."""
    _, first = _modes_of_equal_symbol(size)
    along = -axis_symbol(2, 2.0 * np.pi * np.fft.fftfreq(size, spacing), spacing, continuous=False)
    return np.asarray(np.add.outer(along, along).ravel()[first], dtype=np.float64)


def power_spectrum(fields: Array) -> Array:
    """Sums of |φ̂|² over modes of equal symbol; fields ``(..., y, x)``, result ``(..., mode)`` as :func:`symbols`."""
    size = fields.shape[-1]
    index, first = _modes_of_equal_symbol(size)
    counts = half_plane_counts(size)
    power = counts * np.square(np.abs(np.fft.rfft2(fields)))
    group = index.reshape(size, size)[:, : len(counts)].ravel()
    sums = np.stack([np.bincount(group, row, len(first)) for row in power.reshape(-1, len(group))])
    return sums.astype(np.float64).reshape(*fields.shape[:-2], len(first))


def _modes_of_equal_symbol(size: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """For every mode of an FFT the number of its group, and one mode of every group: equal |kx|, |ky| in any order."""
    along = np.abs(np.fft.fftfreq(size, 1.0 / size)).round().astype(int)
    low, high = np.minimum.outer(along, along), np.maximum.outer(along, along)
    _, first, index = np.unique(low * size + high, return_index=True, return_inverse=True)
    return index.ravel(), first


def minima(
    power: Array, symbol: Array, magnitude: float, sampling: Sampling, substeps: int, direction: Direction
) -> Array:
    """|α| at the minimum of the SAFE loss of videos that start from each of some spectra.

    Parameters
    ----------
    power, symbol
        Of :func:`power_spectrum`, shape ``(spectrum, mode)``, and :func:`symbols`.
    magnitude
        True |α| of all of them, length²/time; |α| Δt λ_max is at most 2.
    sampling
        Times of the videos.
    substeps
        S of the SAFE operator.
    direction
        ``smoothed`` for diffusion and *stable* mobility, ``sharpened`` for *signed* mobility.

    Returns
    -------
    Array
        Shape ``(spectrum,)``, length²/time.
    """
    decay = (1.0 - magnitude * sampling.step * symbol) ** sampling.save_interval
    # The mean has no part in the loss, and a mode that is gone in the second frame cannot be sharpened.
    used = (symbol > 0) & (decay != 0)
    power, symbol, decay = power[:, used], symbol[used], decay[used]
    ratio = np.square(decay)
    sources = np.where(
        ratio == 1, sampling.pairs, (1.0 - ratio**sampling.pairs) / np.where(ratio == 1, 1.0, 1.0 - ratio)
    )
    if direction == "smoothed":
        sign, best = -1.0, decay
    else:
        sign, best, sources = 1.0, 1.0 / decay, sources * ratio
    growth = sign * sampling.interval / substeps * symbol
    scan = _SCAN / (sampling.interval * float(symbol.max()))
    factors = _whole_power(1.0 + np.outer(scan, growth), substeps)
    weight = power * sources
    heights = weight @ np.square(factors - best).T
    lowest = np.clip(np.argmin(heights, axis=1), 1, len(scan) - 2)
    bracket = scan[lowest - 1], scan[lowest + 1]
    start = scan[0] * (scan[1] / scan[0]) ** _between_points(heights, lowest)
    rows = max(1, _BLOCK // len(symbol))
    blocks = [slice(first, first + rows) for first in range(0, len(weight), rows)]
    return np.concatenate(
        [_newton(weight[own], best, growth, substeps, start[own], (bracket[0][own], bracket[1][own])) for own in blocks]
    )


def _between_points(heights: Array, lowest: NDArray[np.int_]) -> Array:
    """Position of the minimum of heights ``(spectrum, point)`` near the lowest point, as a fraction between points."""
    middle = np.clip(lowest, -_AROUND[0], heights.shape[1] - 1 - _AROUND[-1])
    values = np.take_along_axis(heights, middle[:, None] + _AROUND, axis=1)
    with np.errstate(all="ignore"):
        derivative = (values @ _TO_COEFFICIENTS.T)[:, 1:] * np.arange(1, len(_AROUND))
        second = derivative[:, 1:] * np.arange(1, derivative.shape[1])
        offset = (lowest - middle).astype(float)
        for _ in range(4):
            powers = offset[:, None] ** np.arange(derivative.shape[1])
            offset = offset - np.sum(derivative * powers, axis=1) / np.sum(second * powers[:, :-1], axis=1)
        found = middle + offset
        # Where the polynomial has no minimum here, or a height is not finite, the lowest point itself.
        return np.where(np.abs(found - lowest) < 1, found, lowest)


def _newton(
    weight: Array, best: Array, growth: Array, substeps: int, start: Array, bracket: tuple[Array, Array]
) -> Array:
    """Refine minima of Σ weight (g − best)², g = (1 + a growth)^S, by Newton's method kept within a bracket."""
    position, (low, high) = start.copy(), (end.copy() for end in bracket)
    for _ in range(_NEWTON_STEPS):
        base = 1.0 + position[:, None] * growth
        # g, g′ and g″ share a power; for S = 1 the second derivative is zero.
        lower = _whole_power(base, max(substeps - 2, 0))
        slope = substeps * growth * (lower * base if substeps > 1 else lower)
        weighted = weight * ((lower * base * base if substeps > 1 else base) - best)
        curvature = substeps * (substeps - 1) * np.square(growth) * lower
        first = np.sum(weighted * slope, axis=1)
        second = np.sum(weight * np.square(slope) + weighted * curvature, axis=1)
        low, high = np.where(first < 0, position, low), np.where(first > 0, position, high)
        step = np.where(second > 0, -first / np.where(second > 0, second, 1.0), np.inf)
        moved = position + step
        inside = (moved >= low) & (moved <= high)
        previous, position = position, np.where(inside, moved, 0.5 * (low + high))
        if np.all(np.abs(position - previous) <= _LAST_STEP * position):
            break
    return position


def _whole_power(base: Array, exponent: int) -> Array:
    """Whole power by repeated squaring: several times faster than the general power of NumPy."""
    result, square = np.ones_like(base), base
    while exponent:
        if exponent & 1:
            result = result * square
        exponent >>= 1
        if exponent:
            square = square * square
    return result
