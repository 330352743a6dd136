"""The SAFE operator of any equation: S frozen forward-Euler sub-steps by stencils (§2.4, Eq. 6).

One sub-step is ``z ← z + Δτ F(z; θ)``, F being the right-hand side on the stencils of the grid, periodic, on all fields
of a vector at once. Sub-steps are chosen so that no mode that decays is amplified: with the symbol s of F linearised,
``|1 + Δτ s| ≤ 1`` wherever Re s < 0. The paper's |α| Δτ λ_max ≤ 2 (Eq. 4) is the case of diffusion.

Backward keeps every √S-th state and computes those between again, so that memory grows as √S. Where the equation is
linear, S sub-steps multiply each mode by ``(1 + Δτ s)^S``, which is the same operator by one pair of Fourier
transforms.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import sympy
import torch
from torch import Tensor

from safe_pit_cm.equations.boundaries import pad_periodic
from safe_pit_cm.errors import UserError
from safe_pit_cm.models import operators
from safe_pit_cm.models.model import Model
from safe_pit_cm.models.operators import IDENTITY
from safe_pit_cm.models.pointwise import Pointwise
from safe_pit_cm.safe.operator import Operator, OperatorPath

_MOST_SUBSTEPS = 5000


@cache
def _stencil(operator: sympy.Expr, spacing: float) -> tuple[int, tuple[tuple[tuple[int, int], float], ...]]:
    """Halo, and weights by offset, of which every sub-step makes use."""
    return operators.halo(operator), tuple(operators.stencil(operator, (spacing, spacing)).items())


def apply_stencil(operator: sympy.Expr, field: Tensor, spacing: float) -> Tensor:
    """An operator of periodic fields ``(..., y, x)`` by its stencil; same shape and dtype."""
    if operator == IDENTITY:
        return field
    halo, weights = _stencil(operator, spacing)
    padded = pad_periodic(field, halo)
    rows, columns = field.shape[-2:]
    total: Tensor | None = None
    for (row, column), weight in weights:
        part = padded[..., halo + row : halo + row + rows, halo + column : halo + column + columns] * weight
        total = part if total is None else total + part
    assert total is not None
    return total


class RightHandSide:
    """Right-hand side of an equation by stencils on a periodic grid."""

    def __init__(self, model: Model, spacing: float) -> None:
        self.model, self.spacing = model, spacing
        forms = [form for _, form in model.split]
        known = forms[0].atoms.known
        used = {atom for form in forms for part in form.terms.values() for atom in form.atoms.within(part)}
        self._atoms = [(atom, *known[atom]) for atom in sorted(used, key=lambda atom: atom.name)]
        self._linear = [
            (index, operator) for index, (linear, _) in enumerate(model.split) for operator, _ in linear.terms
        ]
        self._factors = Pointwise.of([factor for linear, _ in model.split for _, factor in linear.terms])
        self._rest = [(index, operator) for index, form in enumerate(forms) for operator in form.terms]
        self._values = Pointwise.of([part for form in forms for part in form.terms.values()])

    def _known(self, theta: Tensor) -> dict[sympy.Symbol, Any]:
        # Two axes of length one: each video has coefficients of its own.
        return {sympy.Symbol(name): theta[..., p, None, None] for p, name in enumerate(self.model.names)}

    def __call__(self, fields: Tensor, theta: Tensor) -> Tensor:
        """∂/∂t of fields ``(..., field, y, x)`` for θ ``(..., coefficient)``."""
        known = self._known(theta)
        parts = [torch.zeros_like(fields[..., index, :, :]) for index in range(len(self.model.fields))]
        for (index, operator), factor in zip(self._linear, self._factors(known), strict=True):
            parts[index] = parts[index] + factor * apply_stencil(operator, fields[..., index, :, :], self.spacing)
        for atom, index, operator in self._atoms:
            known[atom] = apply_stencil(operator, fields[..., index, :, :], self.spacing)
        for (index, operator), value in zip(self._rest, self._values(known), strict=True):
            whole = value if isinstance(value, Tensor) else torch.full_like(parts[index], value)
            whole = whole.broadcast_to(parts[index].shape)
            parts[index] = parts[index] + apply_stencil(operator, whole, self.spacing)
        return torch.stack(parts, dim=-3).to(fields.dtype)

    def rates(self, shape: tuple[int, int], theta: Tensor) -> Tensor:
        """Symbol of the linear part of a linear equation, ``(..., ky, kx)``, complex128, laid out like ``rfft2``."""
        known = self._known(theta.double())
        total = torch.zeros((), dtype=torch.complex128)
        for (_, operator), factor in zip(self._linear, self._factors(known), strict=True):
            total = total + factor * _symbol(operator, shape, self.spacing)
        return total


@cache
def _symbol(operator: sympy.Expr, shape: tuple[int, int], spacing: float) -> Tensor:
    full = 2 * math.pi / spacing * torch.fft.fftfreq(shape[0], dtype=torch.float64)[:, None]
    half = 2 * math.pi / spacing * torch.fft.rfftfreq(shape[1], dtype=torch.float64)[None, :]
    return torch.as_tensor(operators.symbol(operator, (full, half), (spacing, spacing)))


def stable_substeps(
    model: Model, theta: np.ndarray, interval: float, spacing: float, fields: Tensor | None = None
) -> int:
    """Fewest sub-steps of forward Euler that amplify no decaying mode (Eq. 4 for any equation).

    Parameters
    ----------
    model
        The equation.
    theta
        Coefficients, at their largest.
    interval
        Frame interval Δt_f.
    spacing
        Grid spacing Δx.
    fields
        Fields ``(..., field, y, x)`` that the equation is linearised about; None for a linear one. Each slope of a
        nonlinear term counts with its largest size, as if all of them damped.

    Raises
    ------
    UserError
        If it would take more than 5000 sub-steps.
    """
    kappa = torch.linspace(-math.pi, math.pi, 65, dtype=torch.float64) / spacing
    along = (kappa[:, None], kappa[None, :])
    known: dict[sympy.Symbol, Any] = {
        sympy.Symbol(name): float(value) for name, value in zip(model.names, theta, strict=True)
    }
    fewest = 1.0
    for index, (linear, form) in enumerate(model.split):
        total = torch.zeros((65, 65), dtype=torch.complex128)
        for operator, factor in linear.terms:
            (value,) = Pointwise.of([factor])(known)
            total = total + value * torch.as_tensor(operators.symbol(operator, along, (spacing, spacing)))
        for operator, expression in form.terms.items():
            for atom in form.atoms.within(expression):
                of, inner = form.atoms.known[atom]
                if fields is None or of != index:
                    continue
                values = {
                    each: apply_stencil(
                        form.atoms.known[each][1], fields[..., form.atoms.known[each][0], :, :], spacing
                    )
                    for each in form.atoms.within(expression)
                }
                (slope,) = Pointwise.of([sympy.diff(expression, atom)])(known | values)
                size = float(torch.as_tensor(slope).abs().max())
                whole = operators.symbol(sympy.expand(operator * inner), along, (spacing, spacing))
                total = total - size * torch.as_tensor(whole).abs()
        damped = total.real < -1e-12 * total.abs().max()
        if bool(damped.any()):
            fewest = max(fewest, float((interval * total.abs() ** 2 / (-2 * total.real))[damped].max()))
    count = math.ceil(fewest * (1 - 1e-12))
    if count > _MOST_SUBSTEPS:
        raise UserError(
            f"forward Euler of {model.name} is stable with {count} sub-steps per frame interval and no fewer; take a "
            "coarser grid, frames at shorter intervals, or maximum likelihood"
        )
    return count


def path_of(model: Model) -> OperatorPath:
    """The fastest path of an equation: ``fourier`` where it is linear and homogeneous, else ``stencil``."""
    homogeneous = model.is_linear and not any(part != 0 for part in model.split[0][1].terms.values())
    return "fourier" if homogeneous else "stencil"


class _Propagate(torch.autograd.Function):
    """S sub-steps; backward computes the states between every √S-th again."""

    @staticmethod
    def forward(ctx: Any, fields: Tensor, theta: Tensor, rate: RightHandSide, step: float, substeps: int) -> Tensor:
        """S sub-steps without a graph."""
        each = max(1, math.isqrt(substeps))
        kept = []
        for index in range(substeps):
            if index % each == 0:
                kept.append(fields)
            fields = fields + step * rate(fields, theta)
        ctx.save_for_backward(theta, *kept)
        ctx.settings = rate, step, substeps, each
        return fields

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        """Gradients of the fields and of θ, segment by segment."""
        theta, *kept = ctx.saved_tensors
        rate, step, substeps, each = ctx.settings
        (gradient,) = gradients
        total = torch.zeros_like(theta)
        for segment in range(len(kept) - 1, -1, -1):
            with torch.enable_grad():
                start, coefficients = kept[segment].detach().requires_grad_(), theta.detach().requires_grad_()
                fields = start
                for _ in range(min(each, substeps - segment * each)):
                    fields = fields + step * rate(fields, coefficients)
                gradient, part = torch.autograd.grad(fields, (start, coefficients), gradient)
            total = total + part
        return gradient, total, None, None, None


class EquationOperator(Operator):
    """Frozen SAFE operator of an equation: predict the next frame from this one. It has no parameters.

    Parameters
    ----------
    model
        The equation.
    interval
        Frame interval Δt_f, time units.
    spacing
        Grid spacing Δx, length units, the same along x and y.
    substeps
        Sub-steps S per frame interval, see :func:`stable_substeps`.
    path
        ``stencil``, or ``fourier`` for a linear equation: the same operator, up to rounding.

    Raises
    ------
    ValueError
        If a number is not positive, or the path is ``fourier`` and the equation is not linear and homogeneous.
    """

    def __init__(
        self, model: Model, interval: float, spacing: float, substeps: int, path: OperatorPath = "stencil"
    ) -> None:
        super().__init__(interval, spacing, substeps)
        if path == "fourier" and path_of(model) != "fourier":
            raise ValueError(f"the equation {model.name} is not linear and homogeneous; its path is stencil")
        self.model, self.path = model, path
        self.rate = RightHandSide(model, spacing)

    def forward(self, fields: Tensor, theta: Tensor) -> Tensor:
        """Propagate fields over one frame interval.

        Parameters
        ----------
        fields
            Shape ``(..., field, y, x)``, periodic.
        theta
            Shape ``(..., coefficient)``, whose leading axes broadcast against those of ``fields``.

        Returns
        -------
        Tensor
            The fields one frame interval later; shape and dtype of ``fields``.
        """
        step = self.interval / self.substeps
        if self.path == "fourier":
            shape = (fields.shape[-2], fields.shape[-1])
            factor = (1 + step * self.rate.rates(shape, theta)) ** self.substeps
            spectrum = torch.fft.rfft2(fields)
            return torch.fft.irfft2(spectrum * factor[..., None, :, :].to(spectrum.dtype), s=shape)
        # ``apply`` carries the gradients of both.
        return _Propagate.apply(fields, theta.to(fields.dtype), self.rate, step, self.substeps)
