"""Maximum likelihood for a video of decaying modes, by variable projection.

A video of a known boundary is a sum of modes k (:mod:`~safe_pit_cm.equations.boundaries`), observed with white noise:

    y_k(t) = a_k g_k(t; θ) + b_k + ε,   g_k = exp(−s_k(D) t − β t),   ε ~ N(0, σ²)

with a_k unknown, a constant background b_k where asked for, and a bleaching rate β where asked for. For given
θ = (D, β) the best amplitudes have a closed form (variable projection), which leaves the residual power

    RSS_k(θ) = |y_k|² − (y_k·g_k)²/|g_k|²

and a one-dimensional likelihood ``−Σ w_k RSS_k(D)/2σ²``. Because the amplitudes are eliminated by projection, the noise
adds the same expected power at every θ, and the minimum is unbiased whatever the initial field.

**Weights.** There are as many amplitudes as modes. Modes that are all noise tell nothing of D but add to its scatter
(Neyman and Scott 1948), so the modes of a band of wavenumbers are weighted by the share of their measured amplitude
that is not noise, ``w = 1 − σ²/|g|² / ⟨â²⟩``: 1 where the video shows much, 0 where nothing. Fixed weights bias
nothing. With u = ∂g/∂θ less its projection on g, the score of a mode has the variance ``w² |u|² ⟨â²⟩/σ²`` and the
slope ``w |u|² (⟨â²⟩ − σ²/|g|²)/σ²``; standard error and interval use their ratio (Godambe 1960), which is 1 when every
amplitude stands above the noise.

**Cost.** All time courses exp(−s t), s ≥ 0, lie in a space of some twenty dimensions, to nine digits. A video is
projected on it once, frame by frame; afterwards no step depends on the number of frames.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import scipy.interpolate
import scipy.optimize
import scipy.stats
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.numerics.search import scan_then_brent

Array = NDArray[np.float64]
T = TypeVar("T")
CONFIDENCE = 0.95
BANDS = 24
# Modes handled at once, which bounds the memory beside the video; few enough for the cache of a core.
_BLOCK = 4096
# Passes that fill missing pixels, at most.
_FILLS = 150
# The profile likelihood reaches this many standard errors to either side, doubled so often at most where that is too
# little; and the degree of the polynomial that draws it.
PROFILE_REACH = 4.0
_WIDENINGS = 8
_PROFILE_DEGREE = 12


@dataclass(frozen=True)
class TimeCourses:
    """The space of all time courses exp(−s t) at the times of a video.

    Attributes
    ----------
    times
        Shape ``(time,)``, from 0.
    basis
        Orthonormal columns that span them, the most important first, shape ``(time, course)``.
    smooth
        Leading columns that carry all but a hundredth of any of them: where a wrong model shows first.
    """

    times: Array
    basis: Array
    smooth: int

    @classmethod
    def of(cls, times: Array) -> "TimeCourses":
        """Build the space for frame times, which may be uneven."""
        times = times - times[0]
        rates = np.concatenate([-np.linspace(0, 3, 13) / times[-1], _rates(times)])
        courses = np.exp(-np.outer(times, rates))
        courses /= np.linalg.norm(courses, axis=0)
        columns, strength, _ = np.linalg.svd(courses, full_matrices=False)
        kept = strength > 1e-10 * strength[0]
        return cls(times, np.ascontiguousarray(columns[:, kept]), int((strength > 1e-3 * strength[0]).sum()))

    @cached_property
    def _table(self) -> tuple[float, float, scipy.interpolate.CubicSpline]:
        offset = 4 / self.times[-1]
        largest = float(_rates(self.times)[-1])
        # Dense enough for nine digits; the courses vary on the scale of log s.
        grid = np.linspace(np.log(offset / 4), np.log(largest + offset), 3000)
        courses = np.exp(-np.outer(np.exp(grid) - offset, self.times)) @ self.basis
        return offset, largest, scipy.interpolate.CubicSpline(grid, courses)

    def __call__(self, rates: Array, slope: bool = False) -> tuple[Array, Array | None]:
        """Coefficients of exp(−s t) in the basis, shape ``(mode, course)``, and their derivative by s."""
        offset, largest, table = self._table
        # Beyond the largest rate nothing is left in the second frame.
        shifted = np.clip(rates + offset, offset / 4, largest + offset)
        position = np.log(shifted)
        return table(position), table(position, 1) / shifted[:, None] if slope else None


def _cores() -> int:
    # What a scheduler gave, which may be less than what the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _dot(first: Array, second: Array) -> Array:
    """Scalar products of rows ``(mode, course)``."""
    return np.asarray(np.einsum("kr,kr->k", first, second))


def _rates(times: Array) -> Array:
    return np.concatenate([[0.0], np.geomspace(1e-3 / times[-1], 40 / np.diff(times).min(), 400)])


@dataclass(frozen=True)
class Modes:
    """A video reduced to its modes.

    Attributes
    ----------
    amplitudes
        Coefficients of each mode's time course in the basis, shape ``(mode, course)``; any constant background is
        taken out.
    symbol
        λ of each mode, shape ``(mode,)``, 1/length².
    courses, discretisation, boundary, shape
        What the modes are modes of; ``shape`` is that of a frame.
    remainder
        Power of the video outside the space of time courses: noise, whatever D is.
    background, bleaching
        Whether a constant background and a bleaching rate are estimated along.
    kept
        Index of each mode in the flattened frame.
    missing
        Number of pixels, over all frames, that the model filled.
    """

    amplitudes: Array
    symbol: Array
    courses: TimeCourses
    discretisation: Discretisation
    boundary: Boundary
    shape: tuple[int, int]
    remainder: float
    background: bool
    bleaching: bool
    kept: NDArray[np.intp]
    missing: int = 0

    @property
    def parameters(self) -> int:
        """Number of parameters θ: D, and β where bleaching is estimated."""
        return 1 + self.bleaching

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the noise that are left when every amplitude is eliminated."""
        frames = len(self.courses.times)
        return len(self.symbol) * (frames - 1 - self.background) - self.parameters - self.missing

    @cached_property
    def constant(self) -> Array:
        """The constant time course, of norm 1, in the basis."""
        ones = self.courses.basis.sum(0)
        return ones / np.linalg.norm(ones)

    @cached_property
    def _distinct(self) -> tuple[Array, NDArray[np.intp]]:
        symbol, index = np.unique(self.symbol, return_inverse=True)
        return symbol, index

    def subset(self, chosen: NDArray[Any]) -> "Modes":
        """The same with some of the modes."""
        return replace(
            self, amplitudes=self.amplitudes[chosen], symbol=self.symbol[chosen], kept=self.kept[chosen], remainder=0.0
        )

    def over_blocks(self, function: Callable[[slice, "Modes"], T]) -> list[T]:
        """What a function makes of the modes, a block at a time, on all cores that this process may use."""
        if len(self._blocks) == 1:
            return [function(*self._blocks[0])]
        # Threads are enough: NumPy lets go of the interpreter while it computes.
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(function, *zip(*self._blocks, strict=True)))

    @cached_property
    def _blocks(self) -> list[tuple[slice, "Modes"]]:
        parts = [slice(start, start + _BLOCK) for start in range(0, len(self.symbol), _BLOCK)]
        return [(part, self._part(part)) for part in parts]

    def _part(self, part: slice) -> "Modes":
        # Views, not copies.
        return replace(
            self, amplitudes=self.amplitudes[part], symbol=self.symbol[part], kept=self.kept[part], remainder=0.0
        )

    def time_courses(self, theta: Array, slopes: bool = False) -> tuple[Array, list[Array]]:
        """g(θ), shape ``(mode, course)``, and its derivatives; the background's share taken out."""
        diffusivity = float(theta[0])
        # Most modes share their symbol with others: eight on a square of square pixels.
        symbol, index = self._distinct
        rates = self.discretisation.rate(diffusivity, symbol)
        course, slope = self.courses(rates + theta[1] if self.bleaching else rates, slopes)
        course, slope = course[index], None if slope is None else slope[index]
        derivatives: list[Array] = []
        if slope is not None:
            derivatives = [slope * self.discretisation.rate_slope(diffusivity, self.symbol)[:, None]]
            derivatives += [slope] if self.bleaching else []
        if self.background:
            course, *derivatives = (
                values - np.outer(values @ self.constant, self.constant) for values in (course, *derivatives)
            )
        return course, derivatives

    def project(self, course: Array) -> "Projection":
        """Eliminate the amplitudes of given time courses ``(mode, course)``."""
        power = np.maximum(_dot(course, course), 1e-300)
        amplitude = _dot(course, self.amplitudes) / power
        # Rather than |y|² − (y·g)²/|g|², of which rounding would leave nothing where there is hardly any noise.
        residual = amplitude[:, None] * course
        np.subtract(self.amplitudes, residual, out=residual)
        return Projection(amplitude, power, residual)

    def at(self, theta: Array) -> "Projection":
        """Eliminate the amplitudes at θ."""
        return self.project(self.time_courses(theta)[0])

    def residual_power(self, theta: Array, weights: Array | None = None) -> float:
        """Σ w RSS(θ) over the modes, without the remainder."""

        def of_block(part: slice, modes: "Modes") -> float:
            residual = modes.at(theta).residual
            power = _dot(residual, residual)
            return float(power.sum() if weights is None else weights[part] @ power)

        return sum(self.over_blocks(of_block))

    def score(self, theta: Array, weights: Array, noise_power: float) -> "Score":
        """Score of the weighted likelihood, and its variance and expected slope (see the module)."""
        count = self.parameters

        def of_block(part: slice, modes: "Modes") -> Score:
            score, (variance, slope, information) = np.zeros(count), np.zeros((3, count, count))
            course, derivatives = modes.time_courses(theta, slopes=True)
            projection = modes.project(course)
            normal = [each - (_dot(each, course) / projection.power)[:, None] * course for each in derivatives]
            weight = weights[part]
            measured = np.square(projection.amplitude)
            signal = measured - noise_power / projection.power
            for i, first in enumerate(normal):
                score[i] = weight @ (projection.amplitude * _dot(first, projection.residual))
                for j, second in enumerate(normal):
                    product = _dot(first, second)
                    variance[i, j] = (weight**2 * measured) @ product
                    slope[i, j] = (weight * signal) @ product
                    information[i, j] = signal @ product
            return Score(score, variance, slope, information)

        parts = self.over_blocks(of_block)
        return Score(*(np.sum([getattr(part, field.name) for part in parts], axis=0) for field in fields(Score)))


@dataclass(frozen=True)
class Projection:
    """Modes at given θ: amplitudes â, |g|², and residuals ``(mode, course)``."""

    amplitude: Array
    power: Array
    residual: Array


@dataclass(frozen=True)
class Score:
    """Score, its variance and expected slope, and the information when all weights are 1; each times σ²."""

    score: Array
    variance: Array
    slope: Array
    information: Array


def reduce_video(
    frames: NDArray[Any],
    times: Array,
    spacing: tuple[float, float],
    boundary: Boundary,
    discretisation: Discretisation,
    *,
    background: bool = False,
    bleaching: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Modes:
    """Reduce a video to its modes, a few frames at a time.

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, finite. Float32 is reduced in float32 when it is large.
    times
        Of the frames, increasing.
    spacing
        Pixel size (Δy, Δx).
    boundary, discretisation
        The model; not ``open``.
    background, bleaching
        Whether to estimate a constant background, a bleaching rate.
    progress
        Called with the share done.
    """
    courses = TimeCourses.of(times)
    shape = (frames.shape[1], frames.shape[2])
    pixels = shape[0] * shape[1]
    precision: Any = np.float64 if frames.size <= 2**25 else np.float32
    compressed = np.zeros((courses.basis.shape[1], pixels), dtype=precision)
    basis = courses.basis.astype(precision)
    symbol = symbols(shape, spacing, boundary, discretisation).ravel()
    mean_is_mode = boundary != "fixed"
    offset = float(frames[0].mean(dtype=np.float64))
    power = 0.0
    chunk = max(1, 2**22 // pixels)
    for start in range(0, len(frames), chunk):
        block: NDArray[Any] = frames[start : start + chunk].reshape(-1, pixels).astype(precision)
        # The mean of a frame never diffuses: an offset, even one that flickers, goes with it.
        block -= block.mean(1, keepdims=True, dtype=np.float64).astype(precision) if mean_is_mode else precision(offset)
        flat = block.ravel()
        power += float(np.dot(flat, flat))
        compressed += basis[start : start + chunk].T @ block
        progress(min(1.0, (start + chunk) / len(frames)))
    amplitudes = np.empty((pixels, len(compressed)))
    for course, field in enumerate(compressed):
        amplitudes[:, course] = to_modes(field.reshape(shape).astype(np.float64), boundary).ravel()
    del compressed
    kept = np.flatnonzero(symbol > 0)
    remainder = max(0.0, power - float(np.square(amplitudes).sum()))
    modes = Modes(
        amplitudes[kept] if len(kept) < pixels else amplitudes,
        symbol[kept],
        courses,
        discretisation,
        boundary,
        shape,
        remainder,
        background,
        bleaching,
        kept,
    )
    if background:
        amplitudes = modes.amplitudes
        amplitudes -= np.outer(amplitudes @ modes.constant, modes.constant)
    return modes


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
        Variance of the score over its slope; 1 when every amplitude stands above the noise.
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


def band_of(symbol: Array, bands: int = BANDS) -> NDArray[np.intp]:
    """Band of wavenumbers of each mode: equal steps of √λ from 0 to the largest."""
    share = np.sqrt(symbol / symbol.max())
    return np.minimum((share * bands).astype(np.intp), bands - 1)


def fit_modes(modes: Modes, *, floor: float = 0.0, start: Array | None = None) -> Fit:
    """Fit D (and β) to the modes of a video.

    Parameters
    ----------
    modes
        Of :func:`reduce_video`.
    floor
        Smallest σ to believe in: that of the rounding of the pixels.
    start
        θ to start from instead of searching.
    """
    theta = _search(modes) if start is None else start
    variance = max(noise_power(modes, theta), floor**2)
    weights = _weights(modes, theta, variance)
    active = np.flatnonzero(weights > 0)
    strong = modes.subset(active)
    theta = _climb(strong, theta, weights[active], variance)
    variance = max(noise_power(modes, theta), floor**2)
    score = strong.score(theta, weights[active], variance)
    information = _observed_information(strong, theta, weights[active], variance, score.slope)
    inverse = np.linalg.pinv(information)
    covariance = inverse @ (score.variance / variance) @ inverse
    inflation = covariance[0, 0] / inverse[0, 0] if inverse[0, 0] > 0 else 1.0
    bound = np.sqrt(max(np.linalg.pinv(score.information / variance)[0, 0], 0.0))
    return Fit(theta, covariance, np.sqrt(variance), weights, float(inflation), float(bound))


def profile(modes: Modes, fit: Fit, reach: float) -> Chebyshev:
    """Logarithm of the profile likelihood of D relative to its value at the fit, calibrated by the inflation.

    It is all but a parabola, so a polynomial through a few of its values gives the rest.

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
            theta = _climb(strong, theta, weights, fit.noise**2, fixed=True)
        return -(strong.residual_power(theta, weights) - best) / (2 * fit.noise**2 * fit.inflation)

    domain = max(0.0, fit.diffusivity - reach), min(_highest(modes), fit.diffusivity + reach)
    # The shorter the reach, the more it is a parabola.
    degree = _PROFILE_DEGREE if reach > 0.1 * fit.diffusivity else _PROFILE_DEGREE // 2
    return Chebyshev.interpolate(np.vectorize(value, otypes=[float]), degree, domain=domain)


def interval(modes: Modes, fit: Fit) -> tuple[tuple[float, float], Chebyshev]:
    """95 % interval of D: where the profile likelihood is above its critical drop; never below 0. And that profile."""
    drop = scipy.stats.f.ppf(CONFIDENCE, 1, max(modes.freedom, 1)) / 2
    reach = max(PROFILE_REACH * fit.stderr, 1e-12 * max(fit.diffusivity, 1e-300))
    for _ in range(_WIDENINGS):
        curve = profile(modes, fit, reach)
        low, high = curve.domain
        closed = [end in (0.0, _highest(modes)) or curve(end) < -drop for end in (low, high)]
        if all(closed):
            break
        reach *= 2

    def root(end: float) -> float:
        if curve(end) >= -drop or end == fit.diffusivity:
            return float(end)
        return float(scipy.optimize.brentq(lambda each: float(curve(each)) + drop, end, fit.diffusivity))

    return (root(low), root(high)), curve


def _highest(modes: Modes) -> float:
    """Largest D to consider: the modes must not change sign."""
    return (1 - 1e-9) * modes.discretisation.largest_diffusivity(float(modes.symbol.max()))


def cramer_rao_bound(
    field: NDArray[Any],
    times: Array,
    diffusivity: float,
    noise: float,
    spacing: tuple[float, float],
    boundary: Boundary = "periodic",
    discretisation: Discretisation | None = None,
) -> float:
    """Smallest standard deviation that an unbiased estimate of D can have when the initial field is unknown.

        Var D ≥ σ² / Σ_k a_k² |u_k|²,   u_k = ∂g_k/∂D less its projection on g_k

    Parameters
    ----------
    field
        True field at the first frame, shape ``(y, x)``.
    times
        Of the frames.
    diffusivity, noise
        True D and σ.
    spacing, boundary, discretisation
        The model; not ``open``.
    """
    discretisation = discretisation or Discretisation()
    shape = (field.shape[0], field.shape[1])
    symbol = symbols(shape, spacing, boundary, discretisation).ravel()
    times = np.asarray(times, dtype=np.float64) - times[0]
    course = np.exp(-np.outer(times, discretisation.rate(diffusivity, symbol)))
    slope = -times[:, None] * discretisation.rate_slope(diffusivity, symbol) * course
    normal = slope - course * (slope * course).sum(0) / (course**2).sum(0)
    amplitude = to_modes(np.asarray(field, dtype=np.float64), boundary).ravel()
    return float(noise / np.sqrt((amplitude**2 * (normal**2).sum(0)).sum()))


def predict(modes: Modes, theta: Array, frames: NDArray[np.intp]) -> Array:
    """Frames ``(frame, y, x)`` of the fitted model, without the mean of a frame and without background."""
    course, _ = modes.time_courses(theta)
    fitted = modes.project(course).amplitude[:, None] * course
    spectrum = np.zeros((len(frames), modes.shape[0] * modes.shape[1]))
    spectrum[:, modes.kept] = modes.courses.basis[frames] @ fitted.T
    return np.asarray(to_field(spectrum.reshape(-1, *modes.shape), modes.boundary), dtype=np.float64)


def sensitivity(modes: Modes, fit: Fit, frames: NDArray[np.intp]) -> Array:
    """What D moves in frames ``(frame, y, x)`` and no amplitude can make up for: u_k â_k."""
    course, (slope, *_) = modes.time_courses(fit.theta, slopes=True)
    projection = modes.project(course)
    normal = slope - (_dot(slope, course) / projection.power)[:, None] * course
    spectrum = np.zeros((len(frames), modes.shape[0] * modes.shape[1]))
    values = (fit.weights * projection.amplitude)[:, None] * normal
    spectrum[:, modes.kept] = modes.courses.basis[frames] @ values.T
    return np.asarray(to_field(spectrum.reshape(-1, *modes.shape), modes.boundary), dtype=np.float64)


def fill_gaps(
    frames: NDArray[Any], missing: NDArray[np.bool_], reduce: Callable[[NDArray[Any]], Modes], floor: float
) -> tuple[Modes, Fit]:
    """Fit a video with gaps, which the model fills until D moves no more (expectation–maximisation).

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, with a first guess in the gaps; they are filled in place.
    missing
        True in the gaps.
    reduce
        :func:`reduce_video` for these frames.
    floor
        As for :func:`fit_modes`.
    """
    every = np.arange(len(frames))
    fit: Fit | None = None
    calm = 0
    for _ in range(_FILLS):
        modes = replace(reduce(frames), missing=int(missing.sum()))
        last, fit = fit, fit_modes(modes, floor=floor, start=None if fit is None else fit.theta)
        constant = frames.mean(0) - predict(modes, fit.theta, every).mean(0) if modes.background else 0.0
        for part in np.array_split(every, -(-len(every) // 16)):
            rest = predict(modes, fit.theta, part)
            gaps = missing[part]
            if modes.boundary != "fixed" and not modes.background:
                # The mean of a frame is free: it is what the pixels seen say it is.
                known = ~gaps
                rest += ((frames[part] - rest) * known).sum((1, 2), keepdims=True) / known.sum((1, 2), keepdims=True)
            if modes.background:
                rest += constant
            frames[part] = np.where(gaps, rest, frames[part])
        calm = calm + 1 if last is not None and abs(fit.diffusivity - last.diffusivity) < 2e-3 * fit.stderr else 0
        if calm == 3:
            break
    assert fit is not None
    # Filled pixels look as if they had been seen: take their share of the information back.
    lost, total = 0.0, 0.0
    for part in np.array_split(every, -(-len(every) // 16)):
        power = np.square(sensitivity(modes, fit, part))
        total += float(power.sum())
        lost += float(power[missing[part]].sum())
    widening = 1 / np.sqrt(max(1 - lost / total, 1e-6))
    wider = replace(
        fit, covariance=fit.covariance * widening**2, bound=fit.bound * widening, inflation=fit.inflation * widening**2
    )
    return modes, wider


def _search(modes: Modes) -> Array:
    """D near the minimum, from a grid over all that the video could tell, on its strongest modes."""
    energy = np.square(modes.amplitudes).sum(1)
    if len(energy) > 4096:
        modes = modes.subset(np.argpartition(energy, -4096)[-4096:])
    times = modes.courses.times
    largest = modes.discretisation.largest_diffusivity(float(modes.symbol.max()))
    low = 1e-3 / (modes.symbol.max() * times[-1])
    high = min(10 / (modes.symbol.min() * np.diff(times).min()), 0.999 * largest)
    grid = np.geomspace(low, max(high, 2 * low), 96)
    found = scan_then_brent(
        lambda diffusivity: modes.residual_power(np.array([diffusivity, 0.0])), grid, logarithmic=True
    )
    return np.array([found.position, 0.0][: modes.parameters])


def noise_power(modes: Modes, theta: Array) -> float:
    """σ² by all that the model at θ leaves, over the degrees of freedom left by the amplitudes."""
    return (modes.remainder + modes.residual_power(theta)) / max(modes.freedom, 1)


def _weights(modes: Modes, theta: Array, noise_power: float) -> Array:
    """Share of each band's measured amplitude that is not noise; 0 for bands without significant amplitude."""
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


def _climb(modes: Modes, theta: Array, weights: Array, noise_power: float, *, fixed: bool = False) -> Array:
    """Scoring steps to the maximum; with D ``fixed``, over the bleaching rate alone."""
    free = slice(1, None) if fixed else slice(None)
    largest = _highest(modes)
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


def _observed_information(modes: Modes, theta: Array, weights: Array, noise_power: float, expected: Array) -> Array:
    """−∂score/∂θ by central differences, over σ²; ``expected`` is the slope that is expected."""
    size = 0.05 * np.sqrt(noise_power / np.maximum(np.diag(expected), 1e-300))
    size[0] = min(size[0], 0.5 * theta[0]) if theta[0] > 0 else size[0]
    if theta[0] <= 0:
        return expected / noise_power
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
