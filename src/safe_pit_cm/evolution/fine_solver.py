"""Exponential time differencing to fourth order (ETD-RK4), for solutions alone.

With z = hL and one evaluation of N for each of the states u, a, b and c (Cox and Matthews 2002),

    a  = e^{z/2} u + h/2 φ₁(z/2) N(u)
    b  = e^{z/2} u + h/2 φ₁(z/2) N(a)
    c  = e^{z/2} a + h/2 φ₁(z/2) (2 N(b) − N(u))
    u' = e^z u + h (φ₁ − 3φ₂ + 4φ₃)(z) N(u) + h (2φ₂ − 4φ₃)(z) (N(a) + N(b)) + h (4φ₃ − φ₂)(z) N(c)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from safe_pit_cm.evolution.compiled import Coefficients
from safe_pit_cm.evolution.stepping import Stepper, phi


@dataclass(frozen=True)
class _Step:
    """Coefficients of a step of one length; each ``(field, ky, kx)``."""

    half: Tensor
    half_first: Tensor
    whole: Tensor
    begin: Tensor
    middle: Tensor
    end: Tensor


class FineSolver(Stepper):
    """Solver of fourth order, for twice the cost of a step of second order."""

    def _coefficients(self, theta: Coefficients) -> dict[float, _Step]:
        linear, _ = self.linear(theta)
        dtype = self.compiled.grid.complex if linear.is_complex() else self.compiled.grid.dtype
        found: dict[float, _Step] = {}
        for length in {round(length, 12) for length in self.lengths}:
            half, half_first, _, _ = phi(length / 2 * linear)
            whole, first, second, third = phi(length * linear)
            parts = (
                half,
                length / 2 * half_first,
                whole,
                length * (first - 3 * second + 4 * third),
                length * (2 * second - 4 * third),
                length * (4 * third - second),
            )
            found[length] = _Step(*(part.to(dtype) for part in parts))
        return found

    @torch.no_grad()
    def solve(self, theta: Coefficients, start: Tensor) -> Tensor:
        """Frames ``(time, field, y, x)`` of the solution from the first of them, ``(field, y, x)``."""
        grid = self.compiled.grid
        coefficients = self._coefficients(theta)
        field = start.to(grid.dtype)
        spectrum = grid.forward(field)
        frames = [field]

        def rest(spectrum: Tensor, field: Tensor | None = None) -> Tensor:
            return self.nonlinear(theta, spectrum, grid.backward(spectrum) if field is None else field)[0]

        for count, length in zip(self.counts, self.lengths, strict=True):
            step = coefficients[round(length, 12)]
            for _ in range(count):
                if self.compiled.drives:
                    at_begin, halfway = rest(spectrum, field), step.half * spectrum
                    first = halfway + step.half_first * at_begin
                    at_first = rest(first)
                    at_second = rest(halfway + step.half_first * at_first)
                    last = step.half * first + step.half_first * (2 * at_second - at_begin)
                    spectrum = (
                        step.whole * spectrum
                        + step.begin * at_begin
                        + step.middle * (at_first + at_second)
                        + step.end * rest(last)
                    )
                else:
                    spectrum = step.whole * spectrum
                field = grid.backward(spectrum)
            frames.append(field)
        return torch.stack(frames)
