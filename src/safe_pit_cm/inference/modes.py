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

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array

T = TypeVar("T")
BANDS = 24
# Modes per block, which limits the memory in addition to the video; few enough for the cache of a core.
_BLOCK = 4096
# The difference of two powers is used where it is this share of them at least.
_CANCELLED = 1e-6


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
        Coefficients y of each mode's time course in the basis, shape ``(mode, course)``; any constant background is
        removed.
    symbols, index
        λ, the distinct ones, shape ``(symbol,)``, 1/length², and which of them is that of each mode, shape ``(mode,)``.
        On a square of square pixels, eight modes have the same symbol, hence the same time course.
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
    symbols: Array
    index: NDArray[np.intp]
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
        return len(self.index) * (frames - 1 - self.background) - self.parameters - self.missing

    @cached_property
    def constant(self) -> Array:
        """The constant time course, of norm 1, in the basis."""
        ones = self.courses.basis.sum(0)
        return ones / np.linalg.norm(ones)

    @cached_property
    def symbol(self) -> Array:
        """λ of each mode, shape ``(mode,)``, 1/length²."""
        return self.symbols.take(self.index)

    @cached_property
    def energy(self) -> Array:
        """|y|² of each mode, shape ``(mode,)``."""
        return dot(self.amplitudes, self.amplitudes)

    def subset(self, chosen: NDArray[Any] | slice) -> "Modes":
        """The same with some of the modes."""
        used, index = np.unique(self.index[chosen], return_inverse=True)
        return replace(
            self,
            amplitudes=self.amplitudes[chosen],
            symbols=self.symbols[used],
            index=index,
            kept=self.kept[chosen],
            remainder=0.0,
        )

    def over_blocks(self, function: Callable[[slice, "Modes"], T]) -> list[T]:
        """Results of a function of the modes, block by block, on all cores that this process may use."""
        if len(self.index) <= _BLOCK:
            return [function(slice(None), self)]
        # Threads suffice: NumPy releases the lock of the interpreter while it computes.
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(function, *zip(*self._blocks, strict=True)))

    @cached_property
    def _blocks(self) -> list[tuple[slice, "Modes"]]:
        parts = [slice(start, start + _BLOCK) for start in range(0, len(self.index), _BLOCK)]
        return [(part, self.subset(part)) for part in parts]

    @cached_property
    def _projections(self) -> "dict[bytes, Projection]":
        return {}

    def along(self, courses: Array) -> Array:
        """Products of the y and of time courses ``(symbol, course)``, shape ``(mode,)``."""
        return dot(courses.take(self.index, 0), self.amplitudes)

    def time_courses(self, theta: Array, slopes: bool = False) -> tuple[Array, list[Array]]:
        """g(θ) of every distinct symbol, shape ``(symbol, course)``, and its derivatives, without the background."""
        diffusivity = float(theta[0])
        rates = self.discretisation.rate(diffusivity, self.symbols)
        course, slope = self.courses(rates + theta[1] if self.bleaching else rates, slopes)
        derivatives: list[Array] = []
        if slope is not None:
            derivatives = [slope * self.discretisation.rate_slope(diffusivity, self.symbols)[:, None]]
            derivatives += [slope] if self.bleaching else []
        if self.background:
            course, *derivatives = (
                values - np.outer(values @ self.constant, self.constant) for values in (course, *derivatives)
            )
        return course, derivatives

    def at(self, theta: Array) -> "Projection":
        """Eliminate the amplitudes at θ."""
        key = np.asarray(theta, dtype=np.float64).tobytes()
        if key not in self._projections:
            # The last alone is asked for again: at the maximum, by the noise, the error bar and the check.
            self._projections.clear()
            self._projections[key] = Projection.of(self, self.time_courses(theta)[0])
        return self._projections[key]

    def residual_power(self, theta: Array, weights: Array | None = None) -> float:
        """Σ w RSS(θ) over the modes, without the remainder."""
        return sum(
            self.over_blocks(lambda part, modes: modes.at(theta).power(None if weights is None else weights[part]))
        )

    def score(self, theta: Array, weights: Array) -> "Score":
        """Score of the weighted likelihood, with its variance and its expected slope (see the module)."""
        count = self.parameters

        def of_block(part: slice, modes: "Modes") -> Score:
            score, (variance, *slopes) = np.zeros(count), np.zeros((5, count, count))
            course, derivatives = modes.time_courses(theta, slopes=True)
            projection = Projection.of(modes, course)
            normal = projection.normal(derivatives)
            weight, measured = weights[part], np.square(projection.amplitude)
            noise = (1 / projection.norm).take(modes.index)
            totals = [weight * measured, weight * noise, measured, noise]
            for i, first in enumerate(normal):
                # n·g = 0, so that n·y is n·(y − â g).
                score[i] = (weight * projection.amplitude) @ modes.along(first)
                for j, second in enumerate(normal):
                    product = dot(first, second).take(modes.index)
                    variance[i, j] = (weight * totals[0]) @ product
                    for slope, total in zip(slopes, totals, strict=True):
                        slope[i, j] = total @ product
            return Score(projection.power(weight), score, variance, *slopes)

        first, *others = self.over_blocks(of_block)
        if not others:
            return first
        return Score(*(sum(getattr(part, each.name) for part in (first, *others)) for each in fields(Score)))


@dataclass(frozen=True)
class Projection:
    """Modes at given θ, their amplitudes eliminated.

    Attributes
    ----------
    measured, energy
        y and |y|², shape ``(mode, course)`` and ``(mode,)``.
    course, norm
        g and |g|² of every symbol, shape ``(symbol, course)`` and ``(symbol,)``.
    index
        Symbol of each mode, shape ``(mode,)``.
    amplitude
        â, shape ``(mode,)``.
    """

    measured: Array
    energy: Array
    course: Array
    norm: Array
    index: NDArray[np.intp]
    amplitude: Array

    @classmethod
    def of(cls, modes: Modes, course: Array) -> "Projection":
        """Project modes on the time courses ``(symbol, course)`` of their symbols."""
        norm = np.maximum(dot(course, course), 1e-300)
        return cls(modes.amplitudes, modes.energy, course, norm, modes.index, modes.along(course / norm[:, None]))

    def normal(self, derivatives: list[Array]) -> list[Array]:
        """What of derivatives ``(symbol, course)`` no amplitude can make up for."""
        return [each - (dot(each, self.course) / self.norm)[:, None] * self.course for each in derivatives]

    def spread(self, courses: Array, factor: Array) -> Array:
        """Time courses ``(symbol, course)`` times a factor of each mode, shape ``(mode, course)``."""
        spread = courses.take(self.index, 0)
        # Faster than by broadcasting over short rows.
        spread *= np.repeat(factor, courses.shape[1]).reshape(spread.shape)
        return spread

    @property
    def fitted(self) -> Array:
        """â g, shape ``(mode, course)``."""
        return self.spread(self.course, self.amplitude)

    @property
    def residual(self) -> Array:
        """What is left, y − â g, shape ``(mode, course)``."""
        fitted = self.fitted
        return np.subtract(self.measured, fitted, out=fitted)

    def power(self, weights: Array | None = None) -> float:
        """Σ w |y − â g|²."""
        explained = np.square(self.amplitude) * self.norm.take(self.index)
        weights = np.ones(len(explained)) if weights is None else weights
        power = float(weights @ (self.energy - explained))
        if power > _CANCELLED * float(weights @ self.energy):
            return power
        # Where there is hardly any noise, rounding leaves nothing of that difference.
        residual = self.residual
        return float(weights @ dot(residual, residual))


@dataclass(frozen=True)
class Score:
    """Score of the weighted likelihood at given θ, times σ².

    Attributes
    ----------
    power
        Σ w RSS.
    score, variance
        Of shape ``(parameter,)`` and ``(parameter, parameter)``.
    measured, noise
        Terms of the slope: without noise, and what noise of variance 1 adds to the amplitudes.
    whole, whole_noise
        The same with all weights 1.
    """

    power: float
    score: Array
    variance: Array
    measured: Array
    noise: Array
    whole: Array
    whole_noise: Array

    def slope(self, noise_power: float) -> Array:
        """Expected slope of the score, for noise σ²."""
        return self.measured - noise_power * self.noise

    def information(self, noise_power: float) -> Array:
        """Information when all weights are 1, for noise σ²."""
        return self.whole - noise_power * self.whole_noise


def band_of(symbol: Array, bands: int = BANDS) -> NDArray[np.intp]:
    """Band of wavenumbers of each mode: equal steps of √λ from 0 to the largest."""
    share = np.sqrt(symbol / symbol.max())
    return np.minimum((share * bands).astype(np.intp), bands - 1)
