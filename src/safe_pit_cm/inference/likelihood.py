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

from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.polynomial import Chebyshev

from safe_pit_cm.inference.modes import BANDS, Modes, band_of, dot
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import scan_then_brent

CONFIDENCE = 0.95
# The profile likelihood extends this many standard errors to either side, doubled at most so many times if that is too
# little; and the degree of the polynomial that represents it.
PROFILE_REACH = 4.0
_WIDENINGS = 8
_PROFILE_DEGREE = 12
_ROOT_POINTS = 4001
# A parameter counts as determined where the criterion rises this far, in units of σ², towards both ends of what a film
# could reveal: one in a thousand for a single end, since the search looks in many places. One-sided 95 % bounds lie
# where it has risen by the other number.
DETERMINED, _ONE_SIDED, _TWO_SIDED = 10.8, 2.71, 3.84
_SCAN_POINTS = 24
# Modes, the strongest, by which the search for D is guided.
_SCOUTS = 64


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
    """

    theta: Array
    covariance: Array
    noise: float
    weights: Array
    inflation: float
    bound: float

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
    theta = _search(modes) if start is None else start
    variance = max(noise_power(modes, theta), floor**2)
    weights = _weights(modes, theta, variance)
    active = np.flatnonzero(weights > 0)
    strong = modes.subset(active)
    # Of all modes: the strong ones alone would allow a larger D, at which others change sign.
    largest = _highest(modes)
    theta = _climb(strong, theta, weights[active], variance, largest)
    variance = max(noise_power(modes, theta), floor**2)
    score = strong.score(theta, weights[active], variance)
    information = _observed_information(strong, theta, weights[active], variance, score.slope, largest)
    inverse = np.linalg.pinv(information)
    covariance = inverse @ (score.variance / variance) @ inverse
    inflation = covariance[0, 0] / inverse[0, 0] if inverse[0, 0] > 0 else 1.0
    bound = np.sqrt(max(np.linalg.pinv(score.information / variance)[0, 0], 0.0))
    return Fit(theta, covariance, np.sqrt(variance), weights, float(inflation), float(bound))


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
    active = np.flatnonzero(fit.weights > 0)
    strong, weights = modes.subset(active), fit.weights[active]
    best = strong.residual_power(fit.theta, weights)

    def value(diffusivity: float) -> float:
        theta = np.array([diffusivity, *fit.theta[1:]])
        if modes.bleaching:
            theta = _climb(strong, theta, weights, fit.noise**2)
        return -(strong.residual_power(theta, weights) - best) / (2 * fit.noise**2 * fit.inflation)

    domain = max(0.0, fit.diffusivity - reach), min(_highest(modes), fit.diffusivity + reach)
    # The shorter the reach, the closer it is to a parabola.
    degree = _PROFILE_DEGREE if reach > 0.1 * fit.diffusivity else _PROFILE_DEGREE // 2
    return Chebyshev.interpolate(np.vectorize(value, otypes=[float]), degree, domain=domain)


def interval(modes: Modes, fit: Fit) -> tuple[tuple[float, float], Chebyshev]:
    """95 % interval of D, where the profile likelihood exceeds the critical drop, never below 0; and that profile."""
    # SciPy's distributions take as long to import as a fit takes; these functions are what they call.
    drop = scipy.special.fdtri(1, max(modes.degrees_of_freedom, 1), CONFIDENCE) / 2
    reach = max(PROFILE_REACH * fit.stderr, 1e-12 * max(fit.diffusivity, 1e-300))
    for _ in range(_WIDENINGS):
        curve = profile(modes, fit, reach)
        low, high = curve.domain
        closed = [end in (0.0, _highest(modes)) or curve(end) < -drop for end in (low, high)]
        if all(closed):
            break
        reach *= 2

    def root(end: float) -> float:
        # From the fit outwards, the last point before the profile has fallen too far.
        points = np.linspace(fit.diffusivity, end, _ROOT_POINTS)
        below = np.flatnonzero(curve(points) < -drop)
        if not len(below):
            return float(end)
        last = max(int(below[0]), 1)
        first, second = (float(curve(points[index])) + drop for index in (last - 1, last))
        share = first / (first - second) if first > 0 else 0.0
        return float(points[last - 1] + share * (points[last] - points[last - 1]))

    return (root(low), root(high)), curve


def limits(modes: Modes, fit: Fit) -> tuple[float | None, float | None, bool]:
    """Whether a video determines D: whether both ends of the range of D that it could reveal are excluded.

    Returns
    -------
    tuple
        The lower and the upper one-sided 95 % bound, by a scan of the range, each None where there is none; both None
        where both ends are excluded, since the interval then tells more; and whether they are.
    """
    active = np.flatnonzero(fit.weights > 0)
    strong, weights = modes.subset(active), fit.weights[active]
    low, high = _range(modes)
    scale = max(fit.noise**2 * fit.inflation, 1e-300)

    def height(diffusivity: float) -> float:
        theta = np.array([diffusivity, *fit.theta[1:]])
        if modes.bleaching:
            theta = _climb(strong, theta, weights, fit.noise**2)
        return strong.residual_power(theta, weights) / scale

    # The lowest point of a scan is at most as high as the fit, so where both ends rise enough above the fit, they are
    # excluded whatever lies between.
    if low < fit.diffusivity < high:
        enough = height(fit.diffusivity) + DETERMINED
        if height(low) > enough and height(high) > enough:
            return None, None, True
    grid = np.unique(np.append(np.geomspace(low, high, _SCAN_POINTS), np.clip(fit.diffusivity, low, high)))
    return one_sided(grid, np.array([height(each) for each in grid]))


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
    return (1 - 1e-9) * modes.discretisation.largest_diffusivity(float(modes.symbol.max()))


def _range(modes: Modes) -> tuple[float, float]:
    """Least and largest D that a video could reveal."""
    times = modes.courses.times
    largest = modes.discretisation.largest_diffusivity(float(modes.symbol.max()))
    low = 1e-3 / (modes.symbol.max() * times[-1])
    high = min(10 / (modes.symbol.min() * np.diff(times).min()), 0.999 * largest)
    return low, max(high, 2 * low)


def _search(modes: Modes) -> Array:
    """D near the minimum, from a grid over all values of D that the video could reveal, on its strongest modes."""
    energy = np.square(modes.amplitudes).sum(1)
    if len(energy) > 4096:
        modes = modes.subset(np.argpartition(energy, -4096)[-4096:])
    strongest = modes.subset(np.argsort(np.square(modes.amplitudes).sum(1))[-_SCOUTS:])
    found = scan_then_brent(
        lambda diffusivity: modes.residual_power(np.array([diffusivity, 0.0])),
        np.geomspace(*_range(modes), 96),
        rough=lambda grid: _unexplained(strongest, grid),
        logarithmic=True,
    )
    return np.array([found.position, 0.0][: modes.parameters])


def _unexplained(modes: Modes, grid: Array) -> Array:
    """Residual power at every D of a grid, at once, to the digits of the difference of two powers."""
    height = np.zeros(len(grid))
    symbols, index = np.unique(modes.symbol, return_inverse=True)
    rates = modes.discretisation.rate(grid, symbols[:, None])
    for each, rate in enumerate(rates):
        course = modes.courses(rate)[0]
        if modes.background:
            course = course - np.outer(course @ modes.constant, modes.constant)
        explained = np.square(course @ modes.amplitudes[index == each].T).sum(1)
        height -= explained / np.maximum(dot(course, course), 1e-300)
    return height


def noise_power(modes: Modes, theta: Array) -> float:
    """σ² from all residuals of the model at θ, over the degrees of freedom left by the amplitudes."""
    return (modes.remainder + modes.residual_power(theta)) / max(modes.degrees_of_freedom, 1)


def _weights(modes: Modes, theta: Array, noise_power: float) -> Array:
    """Share of the measured power of each band that is not noise; 0 for bands without significant amplitude."""
    band = band_of(modes.symbol)

    def of_block(_: slice, block: Modes) -> tuple[Array, Array]:
        projection = block.at(theta)
        return np.square(projection.amplitude), noise_power / projection.power

    measured, noise = (np.concatenate(parts) for parts in zip(*modes.over_blocks(of_block), strict=True))
    count = np.bincount(band, minlength=BANDS)
    measured_sum = np.bincount(band, measured, BANDS)
    noise_sum = np.bincount(band, noise, BANDS)
    share = 1 - noise_sum / np.maximum(measured_sum, 1e-300)
    significant = measured_sum > noise_sum * (1 + 3 * np.sqrt(2 / np.maximum(count, 1)))
    share = np.where(significant, share, 0.0)
    return share[band] if share.any() else np.ones(len(band))


def _climb(modes: Modes, theta: Array, weights: Array, noise_power: float, largest: float | None = None) -> Array:
    """Scoring steps to the maximum up to the ``largest`` D; without that, over the bleaching rate alone."""
    free = slice(1, None) if largest is None else slice(None)
    theta = theta.copy()
    power = modes.residual_power(theta, weights)
    for _ in range(60):
        score = modes.score(theta, weights, 0.0)
        step = np.linalg.pinv(score.slope[free, free]) @ score.score[free]
        scale = np.sqrt(noise_power * np.diag(np.linalg.pinv(score.slope[free, free])))
        share = 1.0
        for _ in range(12):
            trial = theta.copy()
            trial[free] += share * step
            if largest is not None:
                trial[0] = np.clip(trial[0], 0.0, largest)
            trial_power = modes.residual_power(trial, weights)
            if trial_power <= power * (1 + 1e-13):
                break
            share /= 2
        else:
            break
        change = np.abs(trial - theta)[free]
        theta, power = trial, trial_power
        if np.all(change <= 1e-4 * scale):
            break
    return theta


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
        ahead = modes.score(theta + shift, weights, noise_power).score
        behind = modes.score(theta - shift, weights, noise_power).score
        information[:, j] = -(ahead - behind) / (2 * size[j])
    information = (information + information.T) / 2
    # Far from the model (or for a video that shows nothing) the observed curvature may not be positive.
    if np.linalg.eigvalsh(information).min() <= 0:
        information = expected
    return information / noise_power
