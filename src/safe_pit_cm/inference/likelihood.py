"""Maximum likelihood for a video of decaying modes, by variable projection.

Elimination of the amplitudes of the modes (:mod:`~safe_pit_cm.inference.modes`) leaves a one-dimensional likelihood
``−Σ w_k RSS_k(D)/2σ²``, whose maximum is unbiased whatever the initial field.

**Weights.** There are as many amplitudes as modes. Modes that consist of noise add to the scatter of D without
informing it (Neyman and Scott 1948), so the modes of a band of wavenumbers are weighted by the share of their measured
power that is not noise, ``w = 1 − σ²/|g|² / ⟨â²⟩``: 1 for a strong signal, 0 for none. Fixed weights cause no
bias. With u = ∂g/∂θ less its projection on g, the score of a mode has the variance ``w² |u|² ⟨â²⟩/σ²`` and the
slope ``w |u|² (⟨â²⟩ − σ²/|g|²)/σ²``; standard error and interval use their ratio (Godambe 1960), which is 1 when every
amplitude exceeds the noise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.polynomial import Chebyshev
from numpy.polynomial.chebyshev import chebvander

from safe_pit_cm.inference.modes import BANDS, Modes, Score, band_of, dot
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import downhill

CONFIDENCE = 0.95
# The profile likelihood extends this many standard errors to either side, doubled at most so many times if that is too
# little; and the degree of the polynomial that represents it.
PROFILE_REACH = 4.0
_WIDENINGS = 8
_PROFILE_DEGREE = 12
# Half of that degree suffices where it extends no further than this share of D.
_SHORT = 0.1
# A parameter counts as determined where the criterion rises this far, in units of σ², towards both ends of what a film
# could reveal: one in a thousand for a single end, since the search looks in many places. One-sided 95 % bounds lie
# where it has risen by the other number.
DETERMINED, _ONE_SIDED, _TWO_SIDED = 10.8, 2.71, 3.84
_SCAN_POINTS = 24
# Points of the search, over all D that a film could reveal.
_SEARCH_POINTS = 64
# The strongest modes, among which D is searched, and those by which the search is guided.
_SEARCHED, _SCOUTS = 4096, 64
# The latter suffice where they determine D to this share of it.
_DECISIVE = 0.01
# The weights are determined again, at most so many times in all, where the fit has lowered the noise by a tenth.
_WEIGHINGS = 3


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood fit of the modes of a video.

    Attributes
    ----------
    theta
        D, and β where bleaching is estimated.
    covariance
        Of θ.
    noise
        σ, standard deviation of a pixel's noise, estimated with the degrees of freedom left by the amplitudes.
    weights
        w of each mode.
    inflation
        Variance of the score over its slope; 1 when every amplitude exceeds the noise.
    bound
        Cramér–Rao bound on the standard deviation of D, at the estimated amplitudes.
    strong, power
        The modes of positive weight, and their Σ w RSS.
    curve
        Logarithm of the likelihood of D, not yet calibrated, relative to its maximum; None where it is no polynomial of
        low degree.
    """

    theta: Array
    covariance: Array
    noise: float
    weights: Array
    inflation: float
    bound: float
    strong: Modes
    power: float
    curve: Chebyshev | None = None

    @property
    def diffusivity(self) -> float:
        """D, length²/time."""
        return float(self.theta[0])

    @property
    def stderr(self) -> float:
        """Standard error of D."""
        return float(np.sqrt(self.covariance[0, 0]))


def fit_modes(modes: Modes, *, floor: float = 0.0, start: Array | None = None) -> Fit:
    """Fit D (and β) to the modes of a video.

    Parameters
    ----------
    modes
        Of :func:`reduce_video`.
    floor
        Smallest σ that is accepted: that of the rounding of the pixels.
    start
        θ to start from instead of searching.
    """
    # Of all modes: the strong ones alone would allow a larger D, at which others change sign.
    largest = _highest(modes)
    theta = _search(modes) if start is None else start
    variance = max(noise_power(modes, theta), floor**2)
    for _ in range(_WEIGHINGS):
        weights = _weights(modes, theta, variance)
        strong = modes.subset(np.flatnonzero(weights > 0))
        strong_weights = weights[weights > 0]
        theta, score = _climb(strong, theta, strong_weights, (0.0, largest))
        before, variance = variance, max(noise_power(modes, theta), floor**2)
        if start is not None or variance > 0.9 * before:
            break
    curve = _curve(strong, theta, strong_weights, score, variance, largest)
    if curve is None:
        information = _observed_information(strong, theta, strong_weights, variance, score.slope(variance), largest)
    else:
        information = np.array([[-curve.deriv(2)(theta[0])]])
    inverse = np.linalg.pinv(information)
    covariance = inverse @ (score.variance / variance) @ inverse
    inflation = covariance[0, 0] / inverse[0, 0] if inverse[0, 0] > 0 else 1.0
    bound = np.sqrt(max(np.linalg.pinv(score.information(variance) / variance)[0, 0], 0.0))
    return Fit(
        theta, covariance, np.sqrt(variance), weights, float(inflation), float(bound), strong, score.power, curve
    )


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
    domain = max(0.0, fit.diffusivity - reach), min(_highest(modes), fit.diffusivity + reach)

    def values(points: Array) -> Array:
        heights = np.array([height(float(each)) for each in points])
        return np.asarray((heights.min() - heights) / 2)

    # The shorter the reach, the closer it is to a parabola.
    degree = _PROFILE_DEGREE if reach > _SHORT * fit.diffusivity else _PROFILE_DEGREE // 2
    curve = Chebyshev.interpolate(values, degree, domain=domain)
    return curve - float(curve(fit.diffusivity))


def _curve(
    modes: Modes, theta: Array, weights: Array, score: Score, noise_power: float, largest: float
) -> Chebyshev | None:
    """The logarithm of the likelihood of D about its maximum, from values and slopes at the maximum and both ends.

    None where bleaching is estimated too, or where it extends too far.
    """
    reach = PROFILE_REACH * float(np.sqrt(noise_power / max(score.slope(noise_power)[0, 0], 1e-300)))
    if modes.bleaching or not 0 < reach <= min(_SHORT * theta[0], largest - theta[0]):
        return None
    nodes = np.array([-1.0, 0.0, 1.0])
    scores = [modes.score(theta - reach, weights), score, modes.score(theta + reach, weights)]
    values = np.array([(score.power - each.power) / 2 for each in scores])
    slopes = np.array([each.score[0] * reach for each in scores])
    degree = 2 * len(nodes) - 1
    of_slopes = np.stack([Chebyshev.basis(each).deriv()(nodes) for each in range(degree + 1)], axis=1)
    rows = np.concatenate([chebvander(nodes, degree), of_slopes])
    found = np.linalg.solve(rows, np.concatenate([values, slopes]) / noise_power)
    return Chebyshev(found, domain=(theta[0] - reach, theta[0] + reach))


def interval(modes: Modes, fit: Fit) -> tuple[tuple[float, float], Chebyshev]:
    """95 % interval of D, where the profile likelihood exceeds the critical drop, never below 0; and that profile."""
    # SciPy's distributions take as long to import as a fit takes; these functions are what they call.
    drop = scipy.special.fdtri(1, max(modes.degrees_of_freedom, 1), CONFIDENCE) / 2

    def closed(curve: Chebyshev) -> bool:
        return all(end in (0.0, _highest(modes)) or curve(end) < -drop for end in curve.domain)

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
    height, low, high = _height(fit), *_range(modes)
    # The lowest point of a scan is at most as high as the fit, so where both ends rise enough above the fit, they are
    # excluded whatever lies between.
    if low < fit.diffusivity < high:
        enough = fit.power / _scale(fit) + DETERMINED
        if height(low) > enough and height(high) > enough:
            return None, None, True
    grid = np.unique(np.append(np.geomspace(low, high, _SCAN_POINTS), np.clip(fit.diffusivity, low, high)))
    return one_sided(grid, np.array([height(each) for each in grid]))


def _scale(fit: Fit) -> float:
    return max(fit.noise**2 * fit.inflation, 1e-300)


def _height(fit: Fit) -> Callable[[float], float]:
    """Twice the negative logarithm of the profile likelihood of D but for a constant, calibrated by the inflation."""
    strong, weights = fit.strong, fit.weights[fit.weights > 0]
    scale = _scale(fit)

    def height(diffusivity: float) -> float:
        theta = np.array([diffusivity, *fit.theta[1:]])
        if strong.bleaching:
            theta, _ = _climb(strong, theta, weights)
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


def _highest(modes: Modes) -> float:
    """Largest D to consider: the modes must not change sign."""
    return (1 - 1e-9) * modes.discretisation.largest_diffusivity(float(modes.symbols.max()))


def _range(modes: Modes) -> tuple[float, float]:
    """Least and largest D that a video could reveal."""
    times = modes.courses.times
    largest = modes.discretisation.largest_diffusivity(float(modes.symbols.max()))
    low = 1e-3 / (modes.symbols.max() * times[-1])
    high = min(10 / (modes.symbols.min() * np.diff(times).min()), 0.999 * largest)
    return low, max(high, 2 * low)


def _search(modes: Modes) -> Array:
    """D at the minimum, from a grid over all values of D that the video could reveal, on its strongest modes."""
    strongest = _strongest(modes, _SCOUTS)
    grid = np.geomspace(*_range(modes), _SEARCH_POINTS)
    rough = _unexplained(strongest, grid)
    index = int(np.argmin(rough))
    theta, score = _climb_from(strongest, grid, index, dict(enumerate(rough)))
    # Where these alone determine D, there is no other valley to be found.
    scatter = np.sqrt(score.power / _freedom(strongest) / max(score.measured[0, 0], 1e-300))
    if 0 < index < len(grid) - 1 and scatter < _DECISIVE * theta[0]:
        return theta
    modes = _strongest(modes, _SEARCHED)
    index, heights = downhill(lambda diffusivity: modes.residual_power(np.array([diffusivity, 0.0])), grid, index)
    return _climb_from(modes, grid, index, heights)[0]


def _strongest(modes: Modes, count: int) -> Modes:
    if len(modes.index) <= count:
        return modes
    return modes.subset(np.argpartition(modes.energy, -count)[-count:])


def _climb_from(modes: Modes, grid: Array, index: int, heights: Mapping[int, float]) -> tuple[Array, Score]:
    """Climb to the maximum beside a point of an even grid of log D, from the parabola through it and its neighbours."""
    start = float(grid[index])
    if 0 < index < len(grid) - 1:
        behind, here, ahead = (heights[each] for each in (index - 1, index, index + 1))
        curvature = max(behind - 2 * here + ahead, 1e-300)
        start *= (grid[1] / grid[0]) ** ((behind - ahead) / (2 * curvature))
    ends = float(grid[max(index - 1, 0)]), float(grid[min(index + 1, len(grid) - 1)])
    theta = np.array([start, 0.0][: modes.parameters])
    return _climb(modes, theta, np.ones(len(modes.index)), ends, tolerance=0.01)


def _unexplained(modes: Modes, grid: Array) -> Array:
    """Residual power at every D of a grid, at once, to the digits of the difference of two powers."""
    course, _ = modes.courses(modes.discretisation.rate(grid, modes.symbols[:, None]).ravel())
    if modes.background:
        course = course - np.outer(course @ modes.constant, modes.constant)
    height = np.zeros(len(grid))
    for each, of_symbol in enumerate(course.reshape(len(modes.symbols), len(grid), -1)):
        explained = np.square(of_symbol @ modes.amplitudes[modes.index == each].T).sum(1)
        height -= explained / np.maximum(dot(of_symbol, of_symbol), 1e-300)
    return height


def noise_power(modes: Modes, theta: Array) -> float:
    """σ² from all residuals of the model at θ, over the degrees of freedom left by the amplitudes."""
    return (modes.remainder + modes.residual_power(theta)) / max(modes.degrees_of_freedom, 1)


def _weights(modes: Modes, theta: Array, noise_power: float) -> Array:
    """Share of the measured power of each band that is not noise; 0 for bands without significant amplitude."""
    band = band_of(modes.symbol)

    def of_block(_: slice, block: Modes) -> tuple[Array, Array]:
        projection = block.at(theta)
        return np.square(projection.amplitude), (noise_power / projection.norm).take(block.index)

    measured, noise = (np.concatenate(parts) for parts in zip(*modes.over_blocks(of_block), strict=True))
    count = np.bincount(band, minlength=BANDS)
    measured_sum = np.bincount(band, measured, BANDS)
    noise_sum = np.bincount(band, noise, BANDS)
    share = 1 - noise_sum / np.maximum(measured_sum, 1e-300)
    significant = measured_sum > noise_sum * (1 + 3 * np.sqrt(2 / np.maximum(count, 1)))
    share = np.where(significant, share, 0.0)
    return share[band] if share.any() else np.ones(len(band))


def _freedom(modes: Modes) -> int:
    """Degrees of freedom of the residuals of modes in the space of time courses."""
    return max(len(modes.index) * (modes.amplitudes.shape[1] - 1), 1)


def _climb(
    modes: Modes,
    theta: Array,
    weights: Array,
    ends: tuple[float, float] | None = None,
    tolerance: float = 1e-3,
) -> tuple[Array, Score]:
    """Scoring steps to the maximum between two ``ends`` of D, and the score there.

    Without ends, over the bleaching rate alone. A step of less than ``tolerance`` of a standard error is not taken.
    """
    free = slice(1, None) if ends is None else slice(None)
    theta = theta.copy()
    here = modes.score(theta, weights)
    for _ in range(60):
        inverse = np.linalg.pinv(here.measured[free, free])
        step = inverse @ here.score[free]
        noise_power = here.power / _freedom(modes)
        if np.all(np.abs(step) <= tolerance * np.sqrt(noise_power * np.maximum(np.diag(inverse), 0.0))):
            break
        share = 1.0
        for _ in range(12):
            trial = theta.copy()
            trial[free] += share * step
            if ends is not None:
                trial[0] = np.clip(trial[0], *ends)
            there = modes.score(trial, weights)
            # What a step adds by rounding, it does by much less than a standard error does, which adds σ².
            if there.power <= here.power + 1e-3 * noise_power:
                break
            share /= 2
        else:
            break
        settled = np.array_equal(trial, theta)
        theta, here = trial, there
        if settled:
            break
    return theta, here


def _observed_information(
    modes: Modes, theta: Array, weights: Array, noise_power: float, expected: Array, largest: float
) -> Array:
    """−∂score/∂θ by central differences, over σ²; ``expected`` is the slope that is expected."""
    size = 0.05 * np.sqrt(noise_power / np.maximum(np.diag(expected), 1e-300))
    # D at an end of its range has no neighbour on one side.
    room = min(theta[0], largest - theta[0])
    if room <= 1e-6 * theta[0]:
        return expected / noise_power
    size[0] = min(size[0], 0.5 * room)
    information = np.empty_like(expected)
    for j in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[j] = size[j]
        ahead, behind = (modes.score(theta + sign * shift, weights).score for sign in (1, -1))
        information[:, j] = -(ahead - behind) / (2 * size[j])
    information = (information + information.T) / 2
    # Far from the model (or for a video that shows nothing) the observed curvature may not be positive.
    if np.linalg.eigvalsh(information).min() <= 0:
        information = expected
    return information / noise_power
