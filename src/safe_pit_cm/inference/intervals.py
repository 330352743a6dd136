"""Intervals and one-sided bounds of D from its profile likelihood, and whether a film determines D at all."""

from collections.abc import Callable

import numpy as np
import scipy.special
from numpy.polynomial import Chebyshev

from safe_pit_cm.inference.likelihood import PROFILE_REACH, SHORT, Fit
from safe_pit_cm.inference.mode_search import climb, highest, range_of
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.numerics.arrays import Array

CONFIDENCE = 0.95
# The profile likelihood extends twice as far, at most so many times, where it has not fallen enough; and the degree of
# the polynomial that represents it.
_WIDENINGS = 8
_PROFILE_DEGREE = 12
# A parameter counts as determined where the criterion rises this far, in units of σ², towards both ends of what a film
# could reveal: one in a thousand for a single end, since the search looks in many places. One-sided 95 % bounds lie
# where it has risen by the other number.
DETERMINED, _ONE_SIDED, _TWO_SIDED = 10.8, 2.71, 3.84
_SCAN_POINTS = 24


def profile(modes: Modes, fit: Fit, reach: float) -> Chebyshev:
    """Logarithm of the profile likelihood of D relative to its value at the fit, calibrated by the inflation.

    It is nearly a parabola, so a polynomial through a few values represents it.

    Parameters
    ----------
    modes, fit
        The video and its fit.
    reach
        How far to either side of the fit; never below 0, nor beyond what the discretisation allows.
    """
    height = _height(fit)
    domain = max(0.0, fit.diffusivity - reach), min(highest(modes), fit.diffusivity + reach)

    def values(points: Array) -> Array:
        heights = np.array([height(float(each)) for each in points])
        return np.asarray((heights.min() - heights) / 2)

    # The shorter the reach, the closer it is to a parabola.
    degree = _PROFILE_DEGREE if reach > SHORT * fit.diffusivity else _PROFILE_DEGREE // 2
    curve = Chebyshev.interpolate(values, degree, domain=domain)
    return curve - float(curve(fit.diffusivity))


def interval(modes: Modes, fit: Fit) -> tuple[tuple[float, float], Chebyshev]:
    """95 % interval of D, where the profile likelihood exceeds the critical drop, never below 0; and that profile."""
    # SciPy's distributions take as long to import as a fit takes; these functions are what they call.
    drop = scipy.special.fdtri(1, max(modes.degrees_of_freedom, 1), CONFIDENCE) / 2

    def closed(curve: Chebyshev) -> bool:
        return all(end in (0.0, highest(modes)) or curve(end) < -drop for end in curve.domain)

    curve = None if fit.curve is None else fit.curve / fit.inflation
    if curve is None or not closed(curve):
        reach = max(PROFILE_REACH * fit.stderr, 1e-12 * max(fit.diffusivity, 1e-300))
        for _ in range(_WIDENINGS):
            curve = profile(modes, fit, reach)
            if closed(curve):
                break
            reach *= 2
    assert curve is not None
    # From the fit outwards, where the profile falls too far for the first time.
    roots = (curve + drop).roots()
    crossings = roots[np.isreal(roots)].real
    low, high = (float(end) for end in curve.domain)
    below, above = crossings[crossings < fit.diffusivity], crossings[crossings > fit.diffusivity]
    return (float(max([low, *below])), float(min([high, *above]))), curve


def limits(modes: Modes, fit: Fit) -> tuple[float | None, float | None, bool]:
    """Whether a video determines D: whether both ends of the range of D that it could reveal are excluded.

    Returns
    -------
    tuple
        The lower and the upper one-sided 95 % bound, by a scan of the range, each None where there is none; both None
        where both ends are excluded, since the interval then tells more; and whether they are.
    """
    height, low, high = _height(fit), *range_of(modes)
    # The lowest point of a scan is at most as high as the fit, so where both ends rise enough above the fit, they are
    # excluded whatever lies between.
    if low < fit.diffusivity < high:
        enough = height(fit.diffusivity) + DETERMINED
        if height(low) > enough and height(high) > enough:
            return None, None, True
    grid = np.unique(np.append(np.geomspace(low, high, _SCAN_POINTS), np.clip(fit.diffusivity, low, high)))
    return one_sided(grid, np.array([height(each) for each in grid]))


def _height(fit: Fit) -> Callable[[float], float]:
    """Twice the negative logarithm of the profile likelihood of D but for a constant, calibrated by the inflation."""
    strong, weights = fit.strong, fit.weights[fit.weights > 0]
    scale = max(fit.noise**2 * fit.inflation, 1e-300)

    def height(diffusivity: float) -> float:
        theta = np.array([diffusivity, *fit.theta[1:]])
        if strong.bleaching:
            theta, _ = climb(strong, theta, weights)
        return strong.residual_power(theta, weights) / scale

    return height


def one_sided(grid: Array, height: Array, scatter: Array | float = 0.0) -> tuple[float | None, float | None, bool]:
    """Bounds of a parameter by a criterion in units of σ² over a grid.

    Parameters
    ----------
    grid, height
        Values of the parameter, and the criterion there.
    scatter
        Standard deviation of what noise alone adds to the difference of the criterion from its lowest point.

    Returns
    -------
    tuple
        The lower and the upper one-sided 95 % bound, each None where the criterion does not rise enough towards that
        end of the grid to exclude it; and whether both ends are excluded.
    """
    rise = height - height.min()
    lowest = int(np.argmin(height))
    spread = np.broadcast_to(scatter, height.shape)
    open_ended = rise <= DETERMINED + np.sqrt(DETERMINED) * spread
    inside = rise <= _ONE_SIDED + np.sqrt(_ONE_SIDED) * spread
    low = high = None
    if lowest < len(grid) - 1 and not open_ended[-1]:
        high = float(grid[np.flatnonzero(inside)[-1] + 1]) if not inside[-1] else None
    if lowest > 0 and not open_ended[0]:
        low = float(grid[np.flatnonzero(inside)[0] - 1]) if not inside[0] else None
    return low, high, low is not None and high is not None


def hull(grid: Array, height: Array, scatter: Array) -> tuple[float, float]:
    """The 95 % interval of a positive parameter by a criterion whose minimum noise may have moved.

    Parameters are as in :func:`one_sided`; the interval holds every value that the criterion does not exclude, between
    the grid's points by interpolation of its root.
    """
    rise = height - height.min()
    root = np.sqrt(np.maximum(rise - np.sqrt(_TWO_SIDED) * scatter, 0.0))
    inside = np.flatnonzero(root <= np.sqrt(_TWO_SIDED))
    position = np.log(grid)

    def end(within: int, beyond: int) -> float:
        if not 0 <= beyond < len(grid):
            return float(grid[within])
        share = (np.sqrt(_TWO_SIDED) - root[within]) / (root[beyond] - root[within])
        return float(np.exp(position[within] + share * (position[beyond] - position[within])))

    return end(int(inside[0]), int(inside[0]) - 1), end(int(inside[-1]), int(inside[-1]) + 1)
