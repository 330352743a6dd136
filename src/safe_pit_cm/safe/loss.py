"""The SAFE loss (Eq. 9), over fields and, for a frozen encoder, over spectra.

    L_safe(α) = mean over frame pairs and pixels of (SAFE(z_t, α) − z_{t+1})²

Which frame is propagated to which follows the propagation of mobility, see :mod:`safe_pit_cm.equations.processes`.
"""

from collections.abc import Callable

from torch import Tensor

from safe_pit_cm.equations.processes import Process, Propagation, propagation_sign
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss, frame_pairs


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
        The process seen in the video and the propagation of mobility.

    Returns
    -------
    Tensor
        Mean squared residual, scalar, squared field units.
    """
    source, target = frame_pairs(video, process, propagation)
    alpha = propagation_sign(process, propagation) * magnitude
    return (operator(source, alpha[..., None]) - target).square().mean()


def loss_of_magnitude(
    video: Tensor, operator: SafeOperator, process: Process, propagation: Propagation
) -> Callable[[Tensor], Tensor]:
    """SAFE loss of one video ``(time, y, x)`` as a function of |α| alone, in the form that the operator's path allows.

    ``fourier``: :class:`SpectralSafeLoss`. ``stencil`` and ``autograd``: every evaluation propagates every frame by S
    stencils; with ``autograd`` backward goes through all of them, as in the paper.
    """
    if operator.path == "fourier":
        return SpectralSafeLoss.of_video(video, operator, process, propagation)
    return lambda magnitude: safe_loss(video, magnitude, operator, process, propagation)
