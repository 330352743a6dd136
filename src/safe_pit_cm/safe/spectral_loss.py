"""The SAFE loss as a function of the coefficient alone, over the modes of a video with a frozen encoder (z = φ).

The functions accept arrays of NumPy and torch and do not import torch, which a fit of a measured video does not need.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import array_api_compat

from safe_pit_cm.equations.boundaries import half_plane_counts, symbols
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.equations.processes import Process, Propagation, propagation_sign
from safe_pit_cm.numerics.arrays import Array, namespace

# Complex numbers whose sums are formed together.
_BLOCK = 2**15


def frame_pairs(video: Any, process: Process, propagation: Propagation) -> tuple[Any, Any]:
    """Frames that are propagated, and the frames with which they are compared.

    Parameters
    ----------
    video
        Shape ``(..., time, y, x)``, at least two frames.
    process, propagation
        The process seen in the video and the propagation of mobility.

    Returns
    -------
    tuple[Any, Any]
        Sources and targets, each ``(..., time − 1, y, x)``.
    """
    earlier, later = video[..., :-1, :, :], video[..., 1:, :, :]
    if process == "mobility" and propagation == "stable":
        return later, earlier
    return earlier, later


class ModeOperator(Protocol):
    """What the SAFE operator does to modes: that of PyTorch, or :class:`NumpyOperator`."""

    @property
    def interval(self) -> float:
        """Frame interval Δt_f."""

    @property
    def discretisation(self) -> Discretisation:
        """Evolution of a mode over it."""

    def symbol(self, field: Any) -> Any:
        """λ_k of the modes of ``rfft2`` of a field ``(..., y, x)``."""


@dataclass(frozen=True)
class NumpyOperator:
    """The SAFE operator for videos as arrays of NumPy: a study of minima alone need not import PyTorch.

    Attributes
    ----------
    interval, spacing, substeps
        As of :class:`~safe_pit_cm.safe.operator.SafeOperator`.
    """

    interval: float
    spacing: float
    substeps: int

    @property
    def discretisation(self) -> Discretisation:
        """Forward Euler with sub-step Δτ = Δt_f/S."""
        return Discretisation("euler", self.interval / self.substeps)

    def symbol(self, field: Array) -> Array:
        """λ_k of the modes of ``rfft2`` of a field ``(..., y, x)``, 1/length²."""
        rows, columns = field.shape[-2:]
        whole = symbols((rows, columns), (self.spacing, self.spacing), "periodic", self.discretisation)
        return whole[:, : columns // 2 + 1]


@dataclass(frozen=True)
class SpectralSafeLoss:
    """SAFE loss of one video as a function of α alone, for a frozen encoder (z = φ).

    By Parseval the loss is ``Σ_k (A_k g_k² − 2 B_k g_k + C_k)`` with ``A = Σ_t |φ̂_t|²``,
    ``B = Σ_t Re(φ̂*_{t+1} φ̂_t)``, ``C = Σ_t |φ̂_{t+1}|²``. Near the minimum that sum cancels almost completely, so it is
    stored as a complete square, ``Σ_k A_k (g_k − ĝ_k)² + R``: ``ĝ_k = B_k/A_k`` is the amplification factor that fits
    mode k best, and R is the residual that no amplification factor can remove. A step then costs one pass over the
    wavenumbers, whatever the number of frames and sub-steps.

    Attributes
    ----------
    weight
        A_k over the number of pixels and pairs, shape ``(ky, kx)``, float64.
    best_factor
        ĝ_k, shape ``(ky, kx)``, float64.
    floor
        R over the number of pixels and pairs, scalar, float64.
    symbol
        λ_k, shape ``(ky, kx)``, float64.
    interval
        Frame interval Δt_f.
    discretisation
        Evolution of a mode over it; for the SAFE operator, forward Euler with its sub-step Δτ.
    sign
        Sign of the propagated coefficient, see :func:`~safe_pit_cm.equations.processes.propagation_sign`.
    """

    weight: Any
    best_factor: Any
    floor: Any
    symbol: Any
    interval: float
    discretisation: Discretisation
    sign: float

    @classmethod
    def of_video(cls, video: Any, operator: ModeOperator, process: Process, propagation: Propagation) -> Self:
        """Reduce a periodic video ``(time, y, x)`` to its spectral sums, computed once in float64."""
        xp = namespace(video)
        rows, columns = video.shape[-2], video.shape[-1]
        spectrum = xp.fft.rfftn(xp.astype(video, xp.float64), axes=(-2, -1))
        source, target = frame_pairs(spectrum, process, propagation)
        multiplicity = xp.asarray(half_plane_counts(columns), device=array_api_compat.device(video))
        # Parseval: Σ_pixels r² = Σ_k |r̂_k|² / pixels; then the mean over pixels and pairs.
        scale = multiplicity / (source.shape[0] * (rows * columns) ** 2)
        # A few rows of modes at a time, which stay in the cache.
        together = max(1, _BLOCK // (source.shape[0] * source.shape[-1]))
        parts = [
            _sums(source[:, start : start + together], target[:, start : start + together])
            for start in range(0, rows, together)
        ]
        power, best_factor, residual = (xp.concat(each, axis=0) for each in zip(*parts, strict=True))
        return cls(
            weight=scale * power,
            best_factor=best_factor,
            floor=xp.sum(scale * residual),
            symbol=operator.symbol(video),
            interval=operator.interval,
            discretisation=operator.discretisation,
            sign=propagation_sign(process, propagation),
        )

    @classmethod
    def of_modes(
        cls, pairs: Iterable[tuple[Any, Any]], symbol: Any, interval: float, discretisation: Discretisation
    ) -> Self:
        """Reduce pairs of successive frames of a diffusion video to spectral sums, a few pairs at a time.

        Parameters
        ----------
        pairs
            Real, orthonormal modes ``(pair, ky, kx)`` of frames and of the next ones, at least one pair, all the same
            interval apart.
        symbol
            λ_k of these modes, 1/length².
        interval, discretisation
            As in the attributes.
        """
        xp = namespace(symbol)
        power, product, later = (xp.zeros_like(symbol) for _ in range(3))
        count = 0
        for source, target in pairs:
            power += xp.sum(xp.square(source), axis=0)
            product += xp.sum(source * target, axis=0)
            later += xp.sum(xp.square(target), axis=0)
            count += source.shape[0]
        best_factor, scale = _ratio(product, power), 1.0 / (count * math.prod(symbol.shape))
        return cls(
            weight=scale * power,
            best_factor=best_factor,
            floor=scale * xp.sum(later - best_factor * product),
            symbol=symbol,
            interval=interval,
            discretisation=discretisation,
            sign=-1.0,
        )

    def with_substeps(self, substeps: int) -> Self:
        """The SAFE loss of the same video with another number of sub-steps: its spectral sums remain."""
        return replace(self, discretisation=Discretisation("euler", self.interval / substeps))

    def __call__(self, magnitude: Any) -> Any:
        """SAFE loss at |α| = ``magnitude``, any shape; float64, differentiable in ``magnitude`` for torch."""
        xp = namespace(self.weight)
        factor = self.discretisation.amplification(self.sign * magnitude, self.symbol, self.interval)
        return xp.sum(self.weight * xp.square(factor - self.best_factor), axis=(-2, -1)) + self.floor


def _sums(source: Any, target: Any) -> tuple[Any, Any, Any]:
    """A_k, ĝ_k and R_k of modes ``(pair, ky, kx)``, each ``(ky, kx)``."""
    xp = namespace(source)
    power = xp.sum(_squared_magnitude(source), axis=0)
    product = xp.real(target) * xp.real(source) + xp.imag(target) * xp.imag(source)
    best_factor = _ratio(xp.sum(product, axis=0), power)
    return power, best_factor, xp.sum(_squared_magnitude(target - best_factor * source), axis=0)


def _squared_magnitude(values: Any) -> Any:
    """|z|², without the square root of |z|, which takes most of the time."""
    xp = namespace(values)
    return xp.square(xp.real(values)) + xp.square(xp.imag(values))


def _ratio(product: Any, power: Any) -> Any:
    """Amplification factor that fits every mode best; 0 where the mode is empty."""
    xp = namespace(power)
    return xp.where(power > 0, product / xp.where(power > 0, power, xp.ones_like(power)), xp.zeros_like(power))
