"""Exponential time differencing (ETD-RK2) of an equation, with its tangent and its adjoint.

A step of length h multiplies the linear part exactly and treats the rest N to second order (Cox and Matthews 2002):

    a  = e^{hL} u + h φ₁(hL) N(u)
    u' = a + h φ₂(hL) (N(a) − N(u)),      φ₁(z) = (e^z − 1)/z,   φ₂(z) = (e^z − 1 − z)/z²

Tangent and adjoint are those of the discrete scheme, exact up to rounding. See :mod:`~safe_pit_cm.evolution.stepping`
for what is linear.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from safe_pit_cm.evolution.compiled import Coefficients, stacked
from safe_pit_cm.evolution.stepping import Stepper, phi
from safe_pit_cm.numerics.arrays import Array


@dataclass(frozen=True)
class _Step:
    """Coefficients of a step of one length; each ``(field, ky, kx)``, their derivatives with a first axis θ."""

    exponential: Tensor
    first: Tensor
    second: Tensor
    exponential_slope: Tensor
    first_slope: Tensor
    second_slope: Tensor


@dataclass
class Trajectory:
    """A solution, with what tangents and adjoints need.

    Attributes
    ----------
    theta
        θ of the solution.
    fields
        At the frames, ``(time, field, y, x)``.
    steps
        Length of every step.
    frames
        Index of the step after which each frame comes; 0 for the first.
    """

    theta: Array
    fields: Tensor
    steps: list[_Step]
    frames: list[int]
    slopes: list[tuple[list[Tensor | float], list[Tensor | float]]] = field(default_factory=list)
    forcings: list[tuple[Tensor, Tensor]] = field(default_factory=list)


class Solver(Stepper):
    """Solver of second order, with derivatives."""

    def _coefficients(self, theta: Coefficients) -> dict[float, _Step]:
        linear, slopes = self.linear(theta)
        dtype = self.compiled.grid.complex if linear.is_complex() else self.compiled.grid.dtype
        found: dict[float, _Step] = {}
        for length in self.lengths:
            key = round(length, 12)
            if key in found:
                continue
            exponential, first, second, third = phi(length * linear)
            # From the series: φₙ′ = φₙ − n φₙ₊₁.
            first_slope, second_slope = first - second, second - 2 * third
            found[key] = _Step(
                *(
                    each.to(dtype)
                    for each in (
                        exponential,
                        length * first,
                        length * second,
                        length * slopes * exponential,
                        length**2 * slopes * first_slope,
                        length**2 * slopes * second_slope,
                    )
                )
            )
        return found

    def _stage_slopes(self, theta: Coefficients, atoms: list[Tensor]) -> list[Tensor | float]:
        slopes = self.compiled.slopes(theta, atoms)
        return [
            slope - self.shift[pair] if pair in self.shift else slope
            for pair, slope in zip(self.compiled.slope_pairs, slopes, strict=True)
        ]

    @torch.no_grad()
    def solve(self, theta: Coefficients, start: Tensor, *, derivatives: bool = False) -> Trajectory:
        """Solution from the first frame ``(field, y, x)``.

        Parameters
        ----------
        theta
            Values of the coefficients.
        start
            First frame.
        derivatives
            Whether to keep what tangents and adjoints need.
        """
        compiled, grid = self.compiled, self.compiled.grid
        coefficients = self._coefficients(theta)
        field = start.to(grid.dtype)
        spectrum = grid.forward(field)
        frames, kept, after = [field], Trajectory(np.asarray(theta, dtype=np.float64), field, [], [0]), 0
        for count, length in zip(self.counts, self.lengths, strict=True):
            step = coefficients[round(length, 12)]
            for _ in range(count):
                rest, atoms = self.nonlinear(theta, spectrum, field)
                middle = step.exponential * spectrum + step.first * rest
                if compiled.drives:
                    middle_field = grid.backward(middle)
                    second, second_atoms = self.nonlinear(theta, middle, middle_field)
                    change = second - rest
                    after_step = middle + step.second * change
                else:
                    after_step = middle
                if derivatives:
                    kept.steps.append(step)
                    if compiled.drives:
                        kept.slopes.append((self._stage_slopes(theta, atoms), self._stage_slopes(theta, second_atoms)))
                        forcing = self._forcings(theta, step, spectrum, rest, change, atoms, second_atoms)
                    else:
                        kept.slopes.append(([], []))
                        forcing = (step.exponential_slope * spectrum, torch.zeros_like(spectrum))
                    kept.forcings.append(forcing)
                spectrum = after_step
                field = grid.backward(spectrum)
                after += 1
            frames.append(field)
            kept.frames.append(after)
        kept.fields = torch.stack(frames)
        return kept

    def _forcings(
        self,
        theta: Coefficients,
        step: _Step,
        spectrum: Tensor,
        rest: Tensor,
        change: Tensor,
        atoms: list[Tensor],
        second_atoms: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """What θ adds to the tangents of both stages, each ``(coefficient, field, ky, kx)``."""
        before, middle = self._gradient(theta, atoms, spectrum), self._gradient(theta, second_atoms, spectrum)
        first = step.exponential_slope * spectrum + step.first_slope * rest + step.first * before
        return first, step.second_slope * change + step.second * (middle - before)

    def _gradient(self, theta: Coefficients, atoms: list[Tensor], like: Tensor) -> Tensor:
        compiled = self.compiled
        out = torch.zeros((len(compiled.names), *like.shape), dtype=compiled.grid.complex)
        for (i, p), part in zip(compiled.gradient_pairs, compiled.gradients(theta, atoms), strict=True):
            whole = torch.as_tensor(part, dtype=compiled.grid.dtype).broadcast_to(compiled.grid.shape)
            out[p, compiled.drives[i]] += compiled.writes[i](compiled.grid.forward(whole))
        return out

    def _jacobian(self, slopes: list[Tensor | float], spectrum: Tensor, field: Tensor | None = None) -> Tensor:
        """Derivative of N along spectra ``(..., field, ky, kx)``, and fields where they are known."""
        compiled = self.compiled
        atoms = compiled.read_atoms(spectrum, field)
        parts: dict[int, Tensor] = {}
        for (i, j), slope in zip(compiled.slope_pairs, slopes, strict=True):
            part = slope * atoms[j]
            parts[i] = parts[i] + part if i in parts else part
        return compiled.driven(list(parts.values()), list(parts), spectrum)

    def _jacobian_adjoint(
        self, slopes: list[Tensor | float], spectrum: Tensor, further: Tensor | None = None
    ) -> Tensor:
        """Adjoint of :meth:`_jacobian`, and the spectra of further fields added to it."""
        compiled, grid = self.compiled, self.compiled.grid
        used = sorted({i for i, _ in compiled.slope_pairs})
        spectra = stacked([compiled.writes[i].adjoint(spectrum[..., compiled.drives[i], :, :]) for i in used])
        fields = dict(zip(used, grid.backward(spectra).unbind(-3), strict=True))
        parts: dict[int, Tensor] = {}
        for (i, j), slope in zip(compiled.slope_pairs, slopes, strict=True):
            part = slope * fields[i]
            parts[j] = parts[j] + part if j in parts else part
        plain = {compiled.atom_fields[j]: j for j in parts if compiled.reads[j].symbol is None}
        rest = None
        if further is not None and len(plain) == further.shape[-3]:
            # One transform for both.
            for index, j in plain.items():
                parts[j] = parts[j] + further[..., index, :, :]
        elif further is not None:
            rest = grid.forward(further)
        found = zip(parts, grid.forward(stacked(list(parts.values()))).unbind(-3), strict=True)
        adjoints = [(compiled.atom_fields[j], compiled.reads[j].adjoint(part)) for j, part in found]
        total = compiled.gathered(adjoints, spectrum)
        return total if rest is None else total + rest

    @torch.no_grad()
    def tangent(self, at: Trajectory, start: Tensor | None, *, coefficients: bool = False) -> Tensor:
        """Derivative of the frames.

        Parameters
        ----------
        at
            Solution with derivatives.
        start
            Changes of the first frame, ``(batch, field, y, x)``; None for none.
        coefficients
            Whether the batch is that of changes of each θ by 1, in addition to ``start``.

        Returns
        -------
        Tensor
            ``(time, batch, field, y, x)``.
        """
        grid = self.compiled.grid
        nonlinear = bool(self.compiled.slope_pairs)
        if start is None:
            start = torch.zeros((len(self.compiled.names), *at.fields.shape[1:]), dtype=grid.dtype)
        frames, due = [start.to(grid.dtype)], 1
        spectrum = grid.forward(frames[0])
        for index, (step, (slopes, second_slopes)) in enumerate(zip(at.steps, at.slopes, strict=True)):
            middle = step.exponential * spectrum
            if nonlinear:
                before = self._jacobian(slopes, spectrum, frames[-1] if at.frames[due - 1] == index else None)
                middle = middle + step.first * before
            if coefficients:
                middle = middle + at.forcings[index][0]
            after = middle
            if nonlinear:
                after = middle + step.second * (self._jacobian(second_slopes, middle) - before)
            spectrum = after + at.forcings[index][1] if coefficients else after
            if at.frames[due] == index + 1:
                frames.append(grid.backward(spectrum))
                due += 1
        return torch.stack(frames)

    @torch.no_grad()
    def adjoint(self, at: Trajectory, frames: Tensor) -> Tensor:
        """Adjoint of :meth:`tangent` with respect to the first frame.

        Parameters
        ----------
        at
            Solution with derivatives.
        frames
            ``(time, batch, field, y, x)``.

        Returns
        -------
        Tensor
            ``(batch, field, y, x)``.
        """
        grid = self.compiled.grid
        nonlinear = bool(self.compiled.slope_pairs)
        due = len(at.frames) - 2
        spectrum = grid.forward(frames[-1])
        for index in range(len(at.steps) - 1, -1, -1):
            further = None
            if at.frames[due] == index and index > 0:
                further = frames[due]
                due -= 1
            step, (slopes, second_slopes) = at.steps[index], at.slopes[index]
            middle = spectrum
            if nonlinear:
                second = step.second.conj() * spectrum
                middle = spectrum + self._jacobian_adjoint(second_slopes, second)
            spectrum = step.exponential.conj() * middle
            if nonlinear:
                spectrum = spectrum + self._jacobian_adjoint(slopes, step.first.conj() * middle - second, further)
            elif further is not None:
                spectrum = spectrum + grid.forward(further)
        return grid.backward(spectrum) + frames[0]
