"""The SAFE operator: S frozen forward-Euler sub-steps from one frame to the next (§2.4, Eq. 6).

One sub-step is ``z ← z − α Δτ ∇²z`` with the five-point periodic Laplacian of Eq. 2 and
``Δτ = Δt_f / S``. Two paths compute the *same* discrete operator, up to rounding:

``stencil``
    S applications of the stencil. The reference, and the path for equations that are not linear or not periodic.
``fourier``
    The operator is linear, translation-invariant and has one scalar coefficient, so S sub-steps multiply the Fourier
    mode k by ``g_k = (1 + α Δτ λ_k)^S`` with the *discrete* symbol ``λ_k = (4 − 2 cos kₓ − 2 cos k_y)/Δx²``. One FFT
    pair replaces S stencils, and backward needs no stored sub-steps.

All are differentiable, to any order, in the field and in α. Diffusion (α < 0) is stable for ``|α| Δτ λ_max ≤ 2``;
mobility (α > 0) is amplified at every wavenumber.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from safe_pit_cm.equations.amplification import amplification_factor
from safe_pit_cm.equations.boundaries import pad_periodic
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.equations.terms import TRANSPORT
from safe_pit_cm.safe.substeps import propagate

OperatorPath = Literal["fourier", "stencil", "autograd"]


class Operator(nn.Module):
    """A frozen SAFE operator, of the paper's processes or of any equation: what both have in common.

    Parameters
    ----------
    interval
        Frame interval Δt_f, time units.
    spacing
        Grid spacing Δx, length units, the same along x and y.
    substeps
        Sub-steps S per frame interval; Δτ = Δt_f/S.

    Raises
    ------
    ValueError
        If ``interval`` or ``spacing`` is not positive and finite, or ``substeps`` is not a whole number of at least
        one.
    """

    def __init__(self, interval: float, spacing: float, substeps: int) -> None:
        super().__init__()
        if not (0 < interval < math.inf and 0 < spacing < math.inf):
            raise ValueError(f"interval and spacing must be positive and finite, got {interval} and {spacing}")
        if substeps < 1 or substeps != int(substeps):
            raise ValueError(f"substeps must be a whole number of at least 1, got {substeps}")
        self.interval = interval
        self.spacing = spacing
        self.substeps = substeps


def laplacian(field: Tensor, spacing: float) -> Tensor:
    """Five-point periodic Laplacian (Eq. 2).

    Parameters
    ----------
    field
        Shape ``(..., y, x)``, any floating dtype.
    spacing
        Grid spacing Δx, length units.

    Returns
    -------
    Tensor
        ∇²φ, shape and dtype of ``field``, field units per length².
    """
    (term,) = TRANSPORT.terms
    # Neighbours along x are added first: the order of a sum determines its last bit, and with it that of stored
    # results.
    return term.apply(pad_periodic(field, term.halo).mT, spacing).mT


def laplacian_symbol(shape: tuple[int, int], spacing: float, *, device: torch.device | None = None) -> Tensor:
    """Eigenvalues λ_k of −∇² on the five-point periodic stencil, laid out like ``torch.fft.rfft2``.

    Parameters
    ----------
    shape
        Grid ``(y, x)``.
    spacing
        Grid spacing Δx, length units.
    device
        Device of the result.

    Returns
    -------
    Tensor
        Shape ``(y, x // 2 + 1)``, float64, 1/length², from 0 to at most 8/Δx².
    """
    (term,) = TRANSPORT.terms
    half = torch.fft.rfftfreq(shape[1], dtype=torch.float64, device=device)
    full = torch.fft.fftfreq(shape[0], dtype=torch.float64, device=device)
    wavenumbers = (2 * torch.pi / spacing * full[:, None], 2 * torch.pi / spacing * half[None, :])
    return -term.symbol(wavenumbers, (spacing, spacing))


def propagate_stencil(field: Tensor, alpha: Tensor, *, interval: float, spacing: float, substeps: int) -> Tensor:
    """Apply the SAFE operator by S stencils with their own adjoint; arguments as in :class:`SafeOperator`."""
    (term,) = TRANSPORT.terms
    rate = (term.sign * alpha * (interval / substeps / spacing**term.order)).to(field.dtype)[..., None, None]
    return propagate(field, rate, term, substeps)


def propagate_autograd(field: Tensor, alpha: Tensor, *, interval: float, spacing: float, substeps: int) -> Tensor:
    """Apply the SAFE operator by S stencils that autograd records; arguments as in :class:`SafeOperator`."""
    step = {"alpha": (alpha * (interval / substeps)).to(field.dtype)[..., None, None]}
    for _ in range(substeps):
        field = field + TRANSPORT.right_hand_side(pad_periodic(field, TRANSPORT.halo), step, spacing)
    return field


def propagate_fourier(field: Tensor, alpha: Tensor, *, interval: float, spacing: float, substeps: int) -> Tensor:
    """Apply the SAFE operator by one FFT pair; arguments as in :class:`SafeOperator`."""
    shape = (field.shape[-2], field.shape[-1])
    symbol = laplacian_symbol(shape, spacing, device=field.device)
    factor = amplification_factor(alpha, symbol, interval, substeps).to(field.dtype)
    return torch.fft.irfft2(torch.fft.rfft2(field) * factor, s=shape)


_PATHS: dict[OperatorPath, Callable[..., Tensor]] = {
    "fourier": propagate_fourier,
    "stencil": propagate_stencil,
    "autograd": propagate_autograd,
}


class SafeOperator(Operator):
    """Frozen SAFE operator: predict the next frame from this one (Eq. 6). It has no parameters.

    Parameters
    ----------
    interval
        Frame interval Δt_f, time units.
    spacing
        Grid spacing Δx, length units, the same along x and y.
    substeps
        Sub-steps S per frame interval; Δτ = Δt_f/S.
    path
        ``fourier`` (default), ``stencil`` or ``autograd``: the same operator, up to rounding.

    Raises
    ------
    ValueError
        If ``interval`` or ``spacing`` is not positive and finite, ``substeps`` is not a whole number of at least one,
        or ``path`` is unknown.
    """

    def __init__(self, interval: float, spacing: float, substeps: int, path: OperatorPath = "fourier") -> None:
        super().__init__(interval, spacing, substeps)
        if path not in _PATHS:
            raise ValueError(f"path must be one of {', '.join(_PATHS)}, got {path}")
        self.path: OperatorPath = path

    def forward(self, field: Tensor, alpha: Tensor) -> Tensor:
        """Propagate ``field`` over one frame interval.

        Parameters
        ----------
        field
            Shape ``(..., y, x)``, float32 or float64, periodic in y and x.
        alpha
            Signed transport coefficient α, length²/time: a scalar, or a shape that broadcasts against the leading
            axes of ``field``.

        Returns
        -------
        Tensor
            The field one frame interval later; broadcast shape, dtype of ``field``.
        """
        return _PATHS[self.path](field, alpha, interval=self.interval, spacing=self.spacing, substeps=self.substeps)

    @property
    def discretisation(self) -> Discretisation:
        """The same operator as a discretisation in time: forward Euler with sub-step Δτ = Δt_f/S."""
        return Discretisation("euler", self.interval / self.substeps)

    def symbol(self, field: Tensor) -> Tensor:
        """λ_k of the modes of ``rfft2`` of a field ``(..., y, x)``, see :func:`laplacian_symbol`."""
        return laplacian_symbol((field.shape[-2], field.shape[-1]), self.spacing, device=field.device)

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f"interval={self.interval:g}, spacing={self.spacing:g}, substeps={self.substeps}, path={self.path}"
