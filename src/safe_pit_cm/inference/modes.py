"""A video with a known boundary as a sum of decaying modes, and the elimination of their amplitudes.

A video with a known boundary is a sum of modes k (:mod:`~safe_pit_cm.equations.boundaries`), observed with white noise:

    y_k(t) = a_k g_k(t; θ) + b_k + ε,   g_k = exp(−s_k(D) t − β t),   ε ~ N(0, σ²)

with a_k unknown and, on request, a constant background b_k and a bleaching rate β. For given
θ = (D, β) the best amplitudes have a closed form (variable projection), which leaves the residual power

    RSS_k(θ) = |y_k|² − (y_k·g_k)²/|g_k|²

Because the amplitudes are eliminated by projection, the noise adds the same expected power at every θ.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array

T = TypeVar("T")
BANDS = 24
# Modes per block, which limits the memory in addition to the video; few enough for the cache of a core.
_BLOCK = 4096


def _cores() -> int:
    # The number that a scheduler allocated, which may be less than that of the machine.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dot(first: Array, second: Array) -> Array:
    """Scalar products of rows ``(mode, course)``."""
    return np.asarray(np.einsum("kr,kr->k", first, second))


@dataclass(frozen=True)
class Modes:
    """A video reduced to its modes.

    Attributes
    ----------
    amplitudes
        Coefficients of each mode's time course in the basis, shape ``(mode, course)``; any constant background is
        removed.
    symbol
        λ of each mode, shape ``(mode,)``, 1/length².
    courses, discretisation, boundary, shape
        Definition of the modes; ``shape`` is that of a frame.
    remainder
        Power of the video outside the space of time courses: noise, independently of D.
    background, bleaching
        Whether a constant background and a bleaching rate are estimated as well.
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
    def degrees_of_freedom(self) -> int:
        """Degrees of freedom of the noise that remain when every amplitude is eliminated."""
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
        """Results of a function of the modes, block by block, on all cores that this process may use."""
        if len(self.symbol) <= _BLOCK:
            return [function(slice(None), self)]
        # Threads suffice: NumPy releases the lock of the interpreter while it computes.
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
        """g(θ), shape ``(mode, course)``, and its derivatives, without the share of the background."""
        diffusivity = float(theta[0])
        # Most modes share their symbol with others; on a square of square pixels, eight modes have the same symbol.
        symbol, index = self._distinct
        rates = self.discretisation.rate(diffusivity, symbol)
        course, slope = self.courses(rates + theta[1] if self.bleaching else rates, slopes)
        course, slope = course.take(index, 0), None if slope is None else slope.take(index, 0)
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
        power = np.maximum(dot(course, course), 1e-300)
        amplitude = dot(course, self.amplitudes) / power
        # Instead of |y|² − (y·g)²/|g|², which rounding cancels to nothing where there is hardly any noise.
        residual = np.multiply(amplitude[:, None], course)
        np.subtract(self.amplitudes, residual, out=residual)
        return Projection(amplitude, power, residual)

    def at(self, theta: Array) -> "Projection":
        """Eliminate the amplitudes at θ."""
        return self.project(self.time_courses(theta)[0])

    def residual_power(self, theta: Array, weights: Array | None = None) -> float:
        """Σ w RSS(θ) over the modes, without the remainder."""

        def of_block(part: slice, modes: "Modes") -> float:
            residual = modes.at(theta).residual
            power = dot(residual, residual)
            return float(power.sum() if weights is None else weights[part] @ power)

        return sum(self.over_blocks(of_block))

    def score(self, theta: Array, weights: Array, noise_power: float) -> "Score":
        """Score of the weighted likelihood, and its variance and expected slope (see the module)."""
        count = self.parameters

        def of_block(part: slice, modes: "Modes") -> Score:
            score, (variance, slope, information) = np.zeros(count), np.zeros((3, count, count))
            course, derivatives = modes.time_courses(theta, slopes=True)
            projection = modes.project(course)
            normal = [each - (dot(each, course) / projection.power)[:, None] * course for each in derivatives]
            weight = weights[part]
            measured = np.square(projection.amplitude)
            signal = measured - noise_power / projection.power
            for i, first in enumerate(normal):
                score[i] = weight @ (projection.amplitude * dot(first, projection.residual))
                for j, second in enumerate(normal):
                    product = dot(first, second)
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
        Called with the completed fraction.
    """
    courses = TimeCourses.of(times)
    shape = (frames.shape[1], frames.shape[2])
    pixels = shape[0] * shape[1]
    precision: Any = np.float64 if frames.size <= 2**25 else np.float32
    compressed = np.zeros((courses.basis.shape[1], pixels), dtype=precision)
    basis = courses.basis.astype(precision)
    symbol = symbols(shape, spacing, boundary, discretisation).ravel()
    mean_is_mode = boundary != "dirichlet"
    offset = float(frames[0].mean(dtype=np.float64))
    power = 0.0
    chunk = max(1, 2**22 // pixels)
    for start in range(0, len(frames), chunk):
        block: NDArray[Any] = frames[start : start + chunk].reshape(-1, pixels).astype(precision)
        # The mean of a frame does not diffuse: without it, an offset has no effect, not even one that flickers.
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


def band_of(symbol: Array, bands: int = BANDS) -> NDArray[np.intp]:
    """Band of wavenumbers of each mode: equal steps of √λ from 0 to the largest."""
    share = np.sqrt(symbol / symbol.max())
    return np.minimum((share * bands).astype(np.intp), bands - 1)


def to_frames(modes: Modes, values: Array, frames: NDArray[np.intp]) -> Array:
    """Frames ``(frame, y, x)`` of modes with the coefficients ``(mode, course)``."""
    spectrum = np.zeros((len(frames), modes.shape[0] * modes.shape[1]))
    first, last = int(modes.kept[0]), int(modes.kept[-1])
    # Usually all modes but the mean are kept, and a slice is filled faster.
    place = slice(first, last + 1) if last + 1 - first == len(modes.kept) else modes.kept
    spectrum[:, place] = modes.courses.basis[frames] @ values.T
    return np.asarray(to_field(spectrum.reshape(-1, *modes.shape), modes.boundary), dtype=np.float64)


def predict(modes: Modes, theta: Array, frames: NDArray[np.intp]) -> Array:
    """Frames ``(frame, y, x)`` of the fitted model, without the mean of a frame and without background."""
    course, _ = modes.time_courses(theta)
    return to_frames(modes, modes.project(course).amplitude[:, None] * course, frames)
