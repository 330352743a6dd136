"""The width of the spot against time: Gaussians fitted to radial profiles, and the straight line through σ²."""

from dataclasses import dataclass

import numpy as np

from safe_pit_cm.frap.rings import Rings
from safe_pit_cm.numerics.arrays import Array

_GRID = 400
_ROUNDS = 5
# Largest relative error of σ² that still tells a width.
_BLURRED = 0.2


@dataclass(frozen=True)
class Widths:
    """Gaussian width of the spot in every frame.

    Attributes
    ----------
    variance, error
        σ² and its standard error, ``(time,)``; NaN where no width can be told.
    """

    variance: Array
    error: Array


@dataclass(frozen=True)
class Line:
    """Weighted straight line σ² = σ₀² + 2Dt.

    Attributes
    ----------
    start, diffusivity
        σ₀² and D.
    variance
        Of D, from the scatter of the points that exceeds their errors.
    scatter
        Root of the reduced χ².
    """

    start: float
    diffusivity: float
    variance: float
    scatter: float


def measure(rings: Rings, reach: float) -> Widths:
    """Fit ``b − a exp(−r²/2σ²)`` with free level, depth and width to the radial profile of every frame.

    Parameters
    ----------
    rings
        The film.
    reach
        Largest distance from the centre that is used.
    """
    used = rings.distance <= reach
    profile, counts = (each[:, used] for each in rings.profile())
    distance = rings.distance[used]
    sigma = np.geomspace(0.7 * rings.pixel, 2 * reach, _GRID)
    shape = np.exp(-(distance**2) / (2 * sigma[:, None] ** 2))
    total = counts.sum(1)[:, None]
    mean_shape = counts @ shape.T / total
    mean_profile = (counts * profile).sum(1)[:, None] / total
    variation = np.maximum(counts @ (shape**2).T - total * mean_shape**2, 1e-300)
    covariation = (counts * profile) @ shape.T - total * mean_shape * mean_profile
    power = (counts * (profile - mean_profile) ** 2).sum(1)[:, None]
    # Residual for each width; a spot is dark, so a bright one explains nothing.
    residual = power - np.where(covariation < 0, covariation, 0.0) ** 2 / variation
    best = residual.argmin(1)
    inner = (best > 0) & (best < _GRID - 1)
    at = np.clip(best, 1, _GRID - 2)
    frames = np.arange(len(profile))
    before, here, after = (residual[frames, at + offset] for offset in (-1, 0, 1))
    curvature = before - 2 * here + after
    usable = inner & (curvature > 0)
    curvature = np.where(usable, curvature, np.nan)
    step = np.log(sigma[1] / sigma[0])
    variance = sigma[at] ** 2 * np.exp(step * (before - after) / curvature)
    noise = here / max(len(distance) - 3, 1)
    error = 2 * variance * np.sqrt(2 * noise * step**2 / curvature)
    # Where the spot has faded its width is anything.
    told = usable & (error < _BLURRED * variance)
    return Widths(np.where(told, variance, np.nan), np.where(told, error, np.nan))


def line(times: Array, widths: Widths) -> Line | None:
    """Weighted straight line through σ²(t); None where fewer than three frames have a width."""
    used = np.isfinite(widths.variance)
    if used.sum() < 3:
        return None
    t, values = times[used], widths.variance[used]
    relative = np.maximum(widths.error[used] / values, 1e-9)
    expected = values
    for _ in range(_ROUNDS):
        # A width that came out large by chance has a large error: weights from the line, not from the point.
        weights = 1 / (relative * expected) ** 2
        centre = weights @ t / weights.sum()
        mean = weights @ values / weights.sum()
        lever = weights @ (t - centre) ** 2
        slope = weights @ ((t - centre) * (values - mean)) / lever
        expected = np.maximum(mean + slope * (t - centre), 0.1 * mean)
    reduced = weights @ (values - mean - slope * (t - centre)) ** 2 / max(len(t) - 2, 1)
    return Line(
        float(mean - slope * centre),
        float(slope / 2),
        float(max(reduced - 1, 0.0) / lever / 4),
        float(np.sqrt(reduced)),
    )
