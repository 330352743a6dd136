"""Maximum likelihood for linear equations in closed form per mode, for boundaries with known modes.

A mode is y_k(t) = a_k g_k(t; θ) + ε with g_k = exp(L_k(θ) (t − t₀)), and the mean of the frame has a source in
addition. The amplitudes are eliminated mode by mode, which leaves Gauss–Newton steps in θ alone; it is the Schur
complement of :mod:`~.normal_equations`, with a diagonal AᵀA. Weights and the standard error that follows from them are
those of :mod:`safe_pit_cm.inference.likelihood`: modes that hold only noise neither inform nor scatter the estimate.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, half_plane_counts, to_field, to_modes, wavenumbers
from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution import identifiability
from safe_pit_cm.models import operators
from safe_pit_cm.models.model import Model
from safe_pit_cm.models.pointwise import Pointwise
from safe_pit_cm.numerics.arrays import Array

_BANDS, _MOST_STEPS = 24, 60


@dataclass(frozen=True)
class LinearEstimate:
    """Estimate from the modes.

    Attributes
    ----------
    theta, covariance
        θ and its covariance, which takes the noise of the amplitudes into account.
    information
        Information about θ in units of 1/σ², the noise of the amplitudes taken out.
    noise
        σ of a pixel.
    residual_power, degrees_of_freedom
        Sum of squared residuals, and of how many.
    converged
        Whether the last step was below a thousandth of a standard error.
    """

    theta: Array
    covariance: Array
    information: Array
    noise: float
    residual_power: float
    degrees_of_freedom: int
    converged: bool


@dataclass(frozen=True)
class _Modes:
    """All modes at one θ.

    Attributes
    ----------
    course
        g, ``(time, mode)``.
    amplitude, power
        â, and |g|² summed over time, ``(mode,)``.
    residual
        Observed less predicted amplitudes, ``(time, mode)``.
    rates
        ∂L/∂θ, ``(coefficient, mode)``.
    source
        What θ adds to the mean of the frame by way of the source, ``(coefficient, time)``.
    """

    course: NDArray[Any]
    amplitude: NDArray[Any]
    power: Array
    residual: NDArray[Any]
    rates: NDArray[Any]
    source: Array


class LinearFit:
    """Modes of a video ``(time, y, x)`` of a linear equation of one field.

    Parameters
    ----------
    model
        The equation.
    frames, times, spacing
        Of the video.
    boundary
        ``periodic``, or ``no-flux`` for an equation that a mirror leaves as it is.
    scheme
        ``continuous`` or ``five-point``.
    """

    def __init__(
        self,
        model: Model,
        frames: Array,
        times: Array,
        spacing: tuple[float, float],
        boundary: Boundary,
        scheme: Scheme,
    ) -> None:
        self.model, self.times, self.boundary = model, times - times[0], boundary
        rows, columns = frames.shape[1:]
        self.shape = (rows, columns)
        if boundary == "periodic":
            spectra: NDArray[Any] = np.fft.rfft2(frames, norm="ortho")
            kappa = (2 * np.pi * np.fft.fftfreq(rows, spacing[0]), 2 * np.pi * np.fft.rfftfreq(columns, spacing[1]))
            multiplicity = np.tile(half_plane_counts(columns), (rows, 1))
        else:
            spectra = to_modes(frames.astype(np.float64), boundary)
            kappa = (wavenumbers(rows, spacing[0], boundary), wavenumbers(columns, spacing[1], boundary))
            multiplicity = np.ones(spectra.shape[1:])
        grid = (kappa[0][:, None], kappa[1][None, :])
        linear, rest = model.split[0]
        self._symbols = [
            np.broadcast_to(
                operators.symbol(operator, grid, spacing, continuous=scheme == "continuous"), multiplicity.shape
            ).ravel()
            for operator, _ in linear.terms
        ]
        theta = [sympy.Symbol(name) for name in model.names]
        factors = [factor for _, factor in linear.terms]
        source = sum(rest.terms.values(), sympy.Integer(0))
        self._factors = Pointwise.of([*factors, source])
        self._slopes = Pointwise.of([sympy.diff(each, name) for each in (*factors, source) for name in theta])
        self._grid = spectra.shape[1:]
        self._size = np.sqrt(rows * columns)
        self.modes: NDArray[Any] = spectra.reshape(len(spectra), -1)
        self.multiplicity = multiplicity.ravel()
        modulus = np.hypot(*np.broadcast_arrays(*grid)).ravel()
        self.wavenumber = modulus
        self.band = np.minimum((modulus / modulus.max() * _BANDS).astype(np.intp), _BANDS - 1)
        self._mean = int(np.argmin(modulus))
        self.has_source = source != 0

    def _rates(self, theta: Array) -> tuple[NDArray[Any], NDArray[Any], float, Array]:
        known = {sympy.Symbol(name): float(value) for name, value in zip(self.model.names, theta, strict=True)}
        *factors, source = map(float, self._factors(known))
        slopes = np.array(self._slopes(known), dtype=float).reshape(len(factors) + 1, len(theta))
        symbols = np.stack(self._symbols) if self._symbols else np.zeros((0, len(self.multiplicity)))
        return np.array(factors) @ symbols, slopes[:-1].T @ symbols, source, slopes[-1]

    def _solve(self, theta: Array) -> _Modes:
        rate, rates, source, source_slopes = self._rates(theta)
        # A growing mode is referred to the last frame: its amplitude is free, and the exponential stays finite.
        growing = np.real(rate) > 0
        course = np.exp(np.multiply.outer(self.times, rate) - np.where(growing, self.times[-1] * np.real(rate), 0))
        modes, extra = self.modes, np.zeros((len(theta), len(self.times)))
        if self.has_source:
            modes = modes.astype(np.result_type(modes.dtype, np.float64), copy=True)
            size = np.sqrt(self.shape[0] * self.shape[1])
            added, slope = _integral(float(np.real(rate[self._mean])), self.times)
            modes[:, self._mean] -= source * size * added
            mean_rates = np.real(rates[:, self._mean])
            extra = size * (np.multiply.outer(source_slopes, added) + source * np.multiply.outer(mean_rates, slope))
        power = (np.abs(course) ** 2).sum(0)
        amplitude = (course.conj() * modes).sum(0) / power
        return _Modes(course, amplitude, power, modes - amplitude * course, rates, extra)

    def _products(self, at: _Modes) -> tuple[Array, Array]:
        """Scalar products over time of the columns B, less their projection on g, of every mode.

        With one another, ``(coefficient, coefficient, mode)``, and with the residuals, ``(coefficient, mode)``. All
        columns of a mode have one course, (t − t̄) g with the mean time t̄ weighted by |g|²; that of the mean of the
        frame has the source in addition.
        """
        middle = self.times @ np.abs(at.course) ** 2 / at.power
        course = (self.times[:, None] - middle) * at.course
        scaled = at.rates * at.amplitude
        products = np.real(scaled.conj()[:, None] * scaled) * (np.abs(course) ** 2).sum(0)
        gradient = np.real(scaled.conj() * (course.conj() * at.residual).sum(0))
        if self.has_source:
            k, own = self._mean, at.course[:, self._mean]
            columns = scaled[:, k, None] * course[:, k]
            columns = columns + at.source - np.multiply.outer(at.source @ own.conj() / at.power[k], own)
            products[:, :, k] = np.real(columns.conj() @ columns.T)
            gradient[:, k] = np.real(columns.conj() @ at.residual[:, k])
        return products, gradient

    def power(self, theta: Array, weights: Array) -> float:
        """Weighted sum of squared residuals."""
        return self._tried(theta, weights)[1]

    def _tried(self, theta: Array, weights: Array) -> tuple[_Modes, float]:
        """The modes, and the weighted sum of their squared residuals; infinite where the solution is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            at = self._solve(theta)
            value = float((weights * self.multiplicity * (np.abs(at.residual) ** 2).sum(0)).sum())
        return at, value if np.isfinite(value) else np.inf

    @property
    def degrees_of_freedom(self) -> int:
        """Of the noise, when every amplitude is eliminated."""
        return int(self.multiplicity.sum()) * (len(self.times) - 1) - len(self.model.names)

    def _shares(self, measured: Array, power: Array, noise_power: float) -> Array:
        """Share of the measured power of each band that is not noise."""
        noise = np.bincount(self.band, self.multiplicity * noise_power / power, _BANDS)
        total = np.bincount(self.band, self.multiplicity * measured, _BANDS)
        count = np.bincount(self.band, self.multiplicity, _BANDS)
        share = 1 - noise / np.maximum(total, 1e-300)
        significant = total > noise * (1 + 3 * np.sqrt(2 / np.maximum(count, 1)))
        return np.where(significant, share, 0.0)[self.band]

    def held(self, theta: Array, index: int, weights: Array) -> Array:
        """Coefficients at which the likelihood is greatest where that of an index keeps its value, from a start."""
        free = np.arange(len(theta)) != index
        return self._climb(theta, weights, free)[0] if free.any() else theta

    def maximise(self, theta: Array) -> LinearEstimate:
        """Maximise the likelihood from a start value.

        Raises
        ------
        UserError
            If the equation has no real solution at the start value.
        """
        theta = np.clip(theta, *self.model.bounds)
        weights = np.ones(len(self.multiplicity))
        if not np.isfinite(self.power(theta, weights)):
            raise UserError(
                f"{self.model.name} has no real solution for its start values; give bounds of its coefficients"
            )
        chosen = np.ones(len(theta), dtype=bool)
        theta, _ = self._climb(theta, weights, chosen)
        weights = self.weights_at(theta)
        theta, converged = self._climb(theta, weights, chosen)
        at, unweighted = self._tried(theta, np.ones_like(weights))
        noise_power = unweighted / max(self.degrees_of_freedom, 1)
        products, _ = self._products(at)
        signal = np.maximum(np.abs(at.amplitude) ** 2, 1e-300)
        # The noise of the amplitudes adds to the columns; what it adds is no information.
        share = np.clip(1 - noise_power / at.power / signal, None, 1.0)
        products *= self.multiplicity
        slope, variance, information = (products @ each for each in (weights * share, weights**2, share))
        inverse = np.linalg.pinv(slope, hermitian=True)
        return LinearEstimate(
            theta,
            noise_power * inverse @ variance @ inverse,
            information,
            float(np.sqrt(noise_power)),
            unweighted,
            self.degrees_of_freedom,
            converged,
        )

    def weights_at(self, theta: Array) -> Array:
        """Weight of every mode: the share of the power of its band at θ that is not noise."""
        at, power = self._tried(theta, np.ones(len(self.multiplicity)))
        noise_power = power / max(self.degrees_of_freedom, 1)
        weights = self._shares(np.abs(at.amplitude) ** 2, at.power, noise_power)
        weights[self._mean] = 1.0
        return weights

    def _climb(self, theta: Array, weights: Array, chosen: NDArray[np.bool_]) -> tuple[Array, bool]:
        (low, high), weight = self.model.bounds, weights * self.multiplicity
        at, height = self._tried(theta, weights)
        noise_power = height / max(self.degrees_of_freedom, 1)
        for _ in range(_MOST_STEPS):
            products, gradient = self._products(at)
            normal, right = products[np.ix_(chosen, chosen)] @ weight, gradient[chosen] @ weight
            correlations, scale = identifiability.scaled(normal)
            inverse = np.linalg.pinv(correlations, rcond=1e-13, hermitian=True) * scale
            step = np.zeros(len(theta))
            step[chosen] = inverse @ right
            share = 1.0
            for _ in range(20):
                trial = np.clip(theta + share * step, low, high)
                there, found = self._tried(trial, weights)
                if found <= height * (1 + 1e-13):
                    break
                share /= 2
            else:
                return theta, True
            moved = np.abs(trial - theta)[chosen]
            theta, at, height = trial, there, found
            if np.all(moved <= 1e-3 * np.sqrt(noise_power * np.maximum(np.diag(inverse), 0)) + 1e-14):
                return theta, True
        return theta, False

    def residual(self, theta: Array) -> Array:
        """Observed less predicted frames ``(time, y, x)`` at θ."""
        left = self._solve(theta).residual.reshape(len(self.times), *self._grid)
        if self.boundary == "periodic":
            return np.asarray(np.fft.irfft2(left, s=self.shape, norm="ortho"))
        return np.asarray(to_field(np.real(left), self.boundary), dtype=np.float64)

    def remainder(self, theta: Array, noise: Array) -> Array:
        """What the elimination of the amplitudes at θ leaves of frames ``(time, y, x)`` of noise."""
        other = copy(self)
        spectra: NDArray[Any] = to_modes(noise, self.boundary) if self.boundary != "periodic" else np.fft.rfft2(noise)
        other.modes = spectra.reshape(len(noise), -1) / (1 if self.boundary != "periodic" else self._size)
        other.has_source = False
        return other.residual(theta)


def _integral(rate: float, times: Array) -> tuple[Array, Array]:
    """∫ exp(rate s) ds from 0 to each time, and its derivative by the rate."""
    z = rate * times
    small = np.abs(z) < 1e-3
    safe = np.where(small, 1.0, z)
    value = np.where(small, 1 + z / 2 + z**2 / 6, np.expm1(z) / safe) * times
    slope = np.where(small, 0.5 + z / 3 + z**2 / 8, (np.exp(z) * (z - 1) + 1) / safe**2) * times**2
    return value, slope
