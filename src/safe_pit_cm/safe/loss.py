"""The SAFE loss (Eq. 9), over fields and, for a frozen encoder, over spectra.

    L_safe(α) = mean over frame pairs and pixels of (SAFE(z_t, α) − z_{t+1})²

Which frame is propagated to which follows the reading of mobility, see :mod:`safe_pit_cm.equations.processes`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from safe_pit_cm.equations.processes import Process, Propagation, propagation_sign
from safe_pit_cm.safe.operator import SafeOperator, amplification_factor, laplacian_symbol


def frame_pairs(video: Tensor, process: Process, propagation: Propagation) -> tuple[Tensor, Tensor]:
    """Frames that are propagated and frames that they must become.

    Parameters
    ----------
    video
        Shape ``(..., time, y, x)``, at least two frames.
    process, propagation
        The process seen in the video and the reading of mobility.

    Returns
    -------
    tuple[Tensor, Tensor]
        Sources and targets, each ``(..., time − 1, y, x)``.
    """
    earlier, later = video[..., :-1, :, :], video[..., 1:, :, :]
    if process == "mobility" and propagation == "stable":
        return later, earlier
    return earlier, later


def safe_loss(
    video: Tensor,
    magnitude: Tensor,
    operator: SafeOperator,
    process: Process,
    propagation: Propagation,
) -> Tensor:
    """SAFE loss by propagating every frame: the reference, and the form for a trained encoder (Eq. 9).

    Parameters
    ----------
    video
        Latent video z, shape ``(..., time, y, x)``.
    magnitude
        |α|, shape ``()`` or the leading axes ``(...)`` of ``video``, length²/time.
    operator
        The SAFE operator.
    process, propagation
        The process seen in the video and the reading of mobility.

    Returns
    -------
    Tensor
        Mean squared residual, scalar, squared field units.
    """
    source, target = frame_pairs(video, process, propagation)
    alpha = propagation_sign(process, propagation) * magnitude
    return (operator(source, alpha[..., None]) - target).square().mean()


@dataclass(frozen=True)
class SpectralSafeLoss:
    """SAFE loss of one video as a function of α alone, for a frozen encoder (z = φ).

    By Parseval the loss is ``Σ_k (A_k g_k² − 2 B_k g_k + C_k)`` with ``A = Σ_t |φ̂_t|²``,
    ``B = Σ_t Re(φ̂*_{t+1} φ̂_t)``, ``C = Σ_t |φ̂_{t+1}|²``. Near the minimum that sum cancels to nothing, so it is kept
    as a complete square, ``Σ_k A_k (g_k − ĝ_k)² + R``: ``ĝ_k = B_k/A_k`` is the amplification factor that fits mode k
    best, and R is the residual that no amplification factor can remove. A step then costs one pass over the
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
    interval, substeps
        Frame interval Δt_f and sub-steps S of the SAFE operator.
    sign
        Sign of the propagated coefficient, see :func:`~safe_pit_cm.equations.processes.propagation_sign`.
    """

    weight: Tensor
    best_factor: Tensor
    floor: Tensor
    symbol: Tensor
    interval: float
    substeps: int
    sign: float

    @classmethod
    def of_video(cls, video: Tensor, operator: SafeOperator, process: Process, propagation: Propagation) -> Self:
        """Reduce a video ``(time, y, x)`` to its spectral sums, computed once in float64."""
        shape = (video.shape[-2], video.shape[-1])
        source, target = frame_pairs(torch.fft.rfft2(video.double()), process, propagation)
        # rfft2 keeps half of the plane: every column but the self-conjugate ones stands for two.
        multiplicity = torch.full((shape[1] // 2 + 1,), 2.0, dtype=torch.float64, device=video.device)
        multiplicity[0] = 1.0
        if shape[1] % 2 == 0:
            multiplicity[-1] = 1.0
        # Parseval: Σ_pixels r² = Σ_k |r̂_k|² / pixels; then the mean over pixels and pairs.
        scale = multiplicity / (source.shape[0] * (shape[0] * shape[1]) ** 2)
        power = source.abs().square().sum(0)
        product = (target.conj() * source).real.sum(0)
        best_factor = torch.where(power > 0, product / power.clamp_min(torch.finfo(power.dtype).tiny), 0.0)
        floor = (scale * (target - best_factor * source).abs().square().sum(0)).sum()
        return cls(
            weight=scale * power,
            best_factor=best_factor,
            floor=floor,
            symbol=laplacian_symbol(shape, operator.spacing, device=video.device),
            interval=operator.interval,
            substeps=operator.substeps,
            sign=propagation_sign(process, propagation),
        )

    def __call__(self, magnitude: Tensor) -> Tensor:
        """SAFE loss at |α| = ``magnitude``, any shape; float64, differentiable in ``magnitude``."""
        factor = amplification_factor(self.sign * magnitude, self.symbol, self.interval, self.substeps)
        return (self.weight * (factor - self.best_factor).square()).sum((-2, -1)) + self.floor


def loss_of_magnitude(
    video: Tensor, operator: SafeOperator, process: Process, propagation: Propagation
) -> Callable[[Tensor], Tensor]:
    """SAFE loss of one video ``(time, y, x)`` as a function of |α| alone, in the form that the operator's path allows.

    ``fourier``: :class:`SpectralSafeLoss`. ``stencil``: every evaluation propagates every frame by S stencils, as the
    paper does, and backward goes through all of them.
    """
    if operator.path == "fourier":
        return SpectralSafeLoss.of_video(video, operator, process, propagation)
    return lambda magnitude: safe_loss(video, magnitude, operator, process, propagation)
