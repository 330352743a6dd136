"""S sub-steps of a stencil with their own adjoint, whose memory does not grow with S (§2.4, Eq. 6).

One sub-step is ``z ← (1 + r K) z`` with the stencil K of a term for grid spacing 1 and its rate ``r``, so S of them are
``G_S = (1 + r K)^S``. A periodic stencil of even parity is self-adjoint, and it commutes with every power of itself.
For a function of ``G_S z`` with the gradient v,

    ∂/∂z = G_S v,        ∂/∂r = S ⟨K G_{S−1} z, v⟩ = S ⟨z, K G_{S−1} v⟩

Backward is therefore S sub-steps of v, which need no intermediate field of the S sub-steps of z; and where only the
rate asks for a gradient, none at all, since ``K G_{S−1} z`` is computed in the last sub-step forward. Both gradients
consist of the same operator, so they can be differentiated again, to any order.

A few frames at a time take all their sub-steps, so that they stay in the cache, in two buffers that alternate.
"""

from typing import Any

import torch
from torch import Tensor

from safe_pit_cm.equations.boundaries import pad_periodic
from safe_pit_cm.equations.terms import Term

# Bytes of frames that take their sub-steps together on a CPU: many enough to make the calls cheap, few enough for a
# cache.
_TOGETHER = 2**20


def propagate(field: Tensor, rate: Tensor, term: Term, substeps: int) -> Tensor:
    """S sub-steps ``z ← z + r K z`` of one term with periodic boundaries.

    Parameters
    ----------
    field
        z, shape ``(..., y, x)``, any floating dtype.
    rate
        r, dimensionless, shape ``(..., 1, 1)``, dtype and device of ``field``; for a term of order m with coefficient
        θ it is ``sign · θ Δτ/Δxᵐ``.
    term
        Of even parity.
    substeps
        S, at least 0.

    Returns
    -------
    Tensor
        Broadcast shape, dtype of ``field``; differentiable to any order in ``field`` and ``rate``.

    Raises
    ------
    ValueError
        If the parity of the term is odd: its stencil is not self-adjoint.
    """
    if term.parity != "even":
        raise ValueError(f"the stencil of a term must be self-adjoint, but the term of {term.coefficient} is odd")
    if substeps == 0:
        return field
    batch = torch.broadcast_shapes(field.shape[:-2], rate.shape[:-2])
    expanded = field.expand(*batch, *field.shape[-2:]), rate.expand(*batch, 1, 1)
    result: Tensor = _Substeps.apply(*expanded, term, substeps)
    return result


class _Substeps(torch.autograd.Function):
    """``G_S z`` for a field ``(..., y, x)`` and a rate ``(..., 1, 1)`` of the same leading axes."""

    @staticmethod
    def forward(ctx: Any, field: Tensor, rate: Tensor, term: Term, substeps: int) -> Tensor:
        ctx.term, ctx.substeps = term, substeps
        by_field, by_rate = ctx.needs_input_grad[:2]
        result, slope = _run(field, rate, term, substeps, sloped=by_rate and not by_field)
        # The inputs are no copies.
        ctx.save_for_backward(field, rate, slope)
        return result

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        field, rate, slope = ctx.saved_tensors
        term, substeps = ctx.term, ctx.substeps
        by_field, by_rate = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            # The gradients are to be differentiated again.
            return (
                propagate(cotangent, rate, term, substeps) if by_field else None,
                substeps * _inner(cotangent, _stencil(propagate(field, rate, term, substeps - 1), term))
                if by_rate
                else None,
                None,
                None,
            )
        if slope is not None:
            return None, substeps * _inner(cotangent, slope), None, None
        result, slope = _run(cotangent, rate, term, substeps, sloped=by_rate)
        return result, None if slope is None else substeps * _inner(field, slope), None, None


def _inner(first: Tensor, second: Tensor) -> Tensor:
    """Scalar products of fields, shape ``(..., 1, 1)``."""
    return (first * second).sum((-2, -1), keepdim=True)


def _stencil(field: Tensor, term: Term) -> Tensor:
    """K z, differentiable by PyTorch's own means."""
    return term.apply(pad_periodic(field, term.halo), 1.0)


def _run(field: Tensor, rate: Tensor, term: Term, substeps: int, *, sloped: bool) -> tuple[Tensor, Tensor | None]:
    """``G_S z`` and, where ``sloped``, ``K G_{S−1} z``, a few frames at a time."""
    frames, rates = field.reshape(-1, *field.shape[-2:]), rate.reshape(-1, 1)
    result = torch.empty_like(frames, memory_format=torch.contiguous_format)
    slope = torch.empty_like(result) if sloped else None
    together = len(frames)
    if field.device.type == "cpu":
        together = max(1, _TOGETHER // (frames.shape[1] * frames.shape[2] * frames.element_size()))
    for start in range(0, len(frames), together):
        part = slice(start, start + together)
        _step(frames[part], rates[part], term, substeps, result[part], None if slope is None else slope[part])
    return result.reshape(field.shape), None if slope is None else slope.reshape(field.shape)


def _step(frames: Tensor, rates: Tensor, term: Term, substeps: int, result: Tensor, slope: Tensor | None) -> None:
    """S sub-steps of frames ``(frame, y, x)`` with rates ``(frame, 1)``, written to ``result`` and ``slope``."""
    here, there = (_Buffer(frames, term) for _ in range(2))
    change = torch.empty_like(here.centre, memory_format=torch.contiguous_format)
    here.inside.copy_(frames)
    for index in range(substeps):
        here.wrap()
        here.stencil(change)
        if slope is not None and index == substeps - 1:
            there.centre.copy_(change)
            slope.copy_(there.inside)
        torch.addcmul(here.centre, change, rates, out=there.centre)
        here, there = there, here
    result.copy_(here.inside)


class _Buffer:
    """Frames with a halo, and the views that a sub-step reads and writes: making them anew would take as long.

    A padded frame is one row of memory, along which every neighbour has a fixed offset. So each operation runs through
    the row from the first pixel of the frame to the last; what it writes into the halo is replaced before it is read.
    """

    def __init__(self, frames: Tensor, term: Term) -> None:
        halo, (count, rows, columns) = term.halo, frames.shape
        width = columns + 2 * halo
        padded = frames.new_empty((count, rows + 2 * halo, width))
        flat, first = padded.view(count, -1), halo * width + halo
        end = flat.shape[1] - first
        self.inside = padded[:, halo : halo + rows, halo : halo + columns]
        self.centre = flat[:, first:end]
        self._neighbours = [
            (flat[:, first + row * width + column : end + row * width + column], weight)
            for (row, column), weight in term.stencil.items()
        ]
        self._halo = [
            (padded[:, :halo], padded[:, rows : rows + halo]),
            (padded[:, rows + halo :], padded[:, halo : 2 * halo]),
            (padded[:, :, :halo], padded[:, :, columns : columns + halo]),
            (padded[:, :, columns + halo :], padded[:, :, halo : 2 * halo]),
        ]

    def wrap(self) -> None:
        """Fill the halo with the periodic neighbours; rows before columns, for the corners."""
        for outside, source in self._halo:
            outside.copy_(source)

    def stencil(self, out: Tensor) -> None:
        """Σ weight · neighbour, in the order of the stencil, along the rows of memory."""
        (first, weight), *others = self._neighbours
        if weight == 1.0 and others:
            (second, second_weight), *others = others
            torch.add(first, second, alpha=second_weight, out=out)
        else:
            torch.mul(first, weight, out=out)
        for view, each in others:
            out.add_(view, alpha=each)
