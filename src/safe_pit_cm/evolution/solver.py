"""Exponential time differencing (ETD-RK2) of an equation, with its tangent and its adjoint.

A step of length h multiplies the linear part exactly and treats the rest N to second order (Cox and Matthews 2002):

    a  = e^{hL} u + h φ₁(hL) N(u)
    u' = a + h φ₂(hL) (N(a) − N(u)),      φ₁(z) = (e^z − 1)/z,   φ₂(z) = (e^z − 1 − z)/z²

The mean slope of N over the first field is moved from N to L: the scheme converges to the same solution, and stays
stable where N is stiff. Tangent and adjoint are those of the discrete scheme, exact up to rounding.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safe_pit_cm.evolution.compiled import Coefficients, Compiled
from safe_pit_cm.numerics.arrays import Array


def _phi(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """e^z, φ₁, φ₂, φ₁′ and φ₂′."""
    small = z.abs() < 0.5
    safe = torch.where(small, torch.ones_like(z), z)
    exponential = torch.exp(z)
    first = torch.where(small, _series(z, 1), (exponential - 1) / safe)
    second = torch.where(small, _series(z, 2), (first - 1) / safe)
    third = torch.where(small, _series(z, 3), (second - 0.5) / safe)
    # φₙ′ = φₙ − n φₙ₊₁ + … follows from the series: φ₁′ = φ₁ − φ₂, φ₂′ = φ₂ − 2 φ₃.
    return exponential, first, second, first - second, second - 2 * third


def _series(z: Tensor, n: int) -> Tensor:
    """φₙ(z) = Σ zʲ/(j + n)! for small z."""
    factor, total = torch.ones_like(z) / float(np.prod(np.arange(1, n + 1))), torch.zeros_like(z)
    for j in range(16):
        total = total + factor
        factor = factor * z / (j + n + 1)
    return total


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


class Solver:
    """Solver of a compiled equation at given times.

    Parameters
    ----------
    compiled
        The equation on a grid.
    times
        Of the frames, increasing.
    substeps
        Steps per median frame interval; longer intervals have more.
    """

    def __init__(self, compiled: Compiled, times: NDArray[Any], substeps: int) -> None:
        self.compiled, self.times, self.substeps = compiled, np.asarray(times, dtype=np.float64), substeps
        intervals = np.diff(self.times)
        longest = float(np.median(intervals)) / substeps
        self._counts = [max(1, int(np.ceil(interval / longest * (1 - 1e-6)))) for interval in intervals]
        self._lengths = [float(interval / count) for interval, count in zip(intervals, self._counts, strict=True)]
        self.shift: dict[tuple[int, int], float] = {}

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(self._counts)

    def stabilise(self, theta: Coefficients, fields: Tensor) -> None:
        """Move the mean slope of the nonlinear part at given fields ``(..., field, y, x)`` to the linear part."""
        compiled = self.compiled
        atoms = compiled.read_atoms(compiled.grid.forward(fields), fields)
        slopes = compiled.slopes(theta, atoms)
        for pair, slope in zip(compiled.slope_pairs, slopes, strict=True):
            i, j = pair
            if compiled.drives[i] == compiled.atom_fields[j]:
                self.shift[pair] = float(torch.as_tensor(slope, dtype=torch.float64).mean())

    def linear(self, theta: Coefficients) -> tuple[Tensor, Tensor]:
        """Symbol of the linear part, with what :meth:`stabilise` has moved to it, and its derivatives by θ."""
        compiled = self.compiled
        total, slope = compiled.linear(theta)
        for (i, j), mean in self.shift.items():
            operator = compiled.outer_operators[i] * compiled.atom_operators[j]
            symbol = compiled.grid.symbol(operator.expand())
            if symbol.is_complex() and not total.is_complex():
                total, slope = total.to(symbol.dtype), slope.to(symbol.dtype)
            total[compiled.drives[i]] += mean * symbol
        return total, slope

    def _coefficients(self, theta: Coefficients) -> dict[float, _Step]:
        linear, slopes = self.linear(theta)
        dtype = self.compiled.grid.complex if linear.is_complex() else self.compiled.grid.dtype
        found: dict[float, _Step] = {}
        for length in self._lengths:
            key = round(length, 12)
            if key in found:
                continue
            exponential, first, second, first_slope, second_slope = _phi(length * linear)
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

    def _nonlinear(self, theta: Coefficients, spectrum: Tensor, field: Tensor) -> tuple[Tensor, list[Tensor]]:
        compiled = self.compiled
        atoms = compiled.read_atoms(spectrum, field)
        values = compiled.values(theta, atoms)
        for (i, j), mean in self.shift.items():
            values[i] = values[i] - mean * atoms[j]
        return compiled.driven(values, range(len(values)), spectrum), atoms

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
        for count, length in zip(self._counts, self._lengths, strict=True):
            step = coefficients[round(length, 12)]
            for _ in range(count):
                rest, atoms = self._nonlinear(theta, spectrum, field)
                middle = step.exponential * spectrum + step.first * rest
                if compiled.drives:
                    middle_field = grid.backward(middle)
                    second, second_atoms = self._nonlinear(theta, middle, middle_field)
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

    def _jacobian(self, slopes: list[Tensor | float], spectrum: Tensor) -> Tensor:
        """Derivative of N along spectra ``(..., field, ky, kx)``."""
        compiled = self.compiled
        atoms = compiled.read_atoms(spectrum)
        parts: dict[int, Tensor] = {}
        for (i, j), slope in zip(compiled.slope_pairs, slopes, strict=True):
            part = slope * atoms[j]
            parts[i] = parts[i] + part if i in parts else part
        return compiled.driven(list(parts.values()), list(parts), spectrum)

    def _jacobian_adjoint(self, slopes: list[Tensor | float], spectrum: Tensor) -> Tensor:
        compiled, grid = self.compiled, self.compiled.grid
        used = sorted({i for i, _ in compiled.slope_pairs})
        stacked = torch.stack(
            [compiled.writes[i].adjoint(spectrum[..., compiled.drives[i], :, :]) for i in used], dim=-3
        )
        fields = dict(zip(used, grid.backward(stacked).unbind(-3), strict=True))
        parts: dict[int, Tensor] = {}
        for (i, j), slope in zip(compiled.slope_pairs, slopes, strict=True):
            part = slope * fields[i]
            parts[j] = parts[j] + part if j in parts else part
        spectra = grid.forward(torch.stack(list(parts.values()), dim=-3))
        out = torch.zeros_like(spectrum)
        for place, j in enumerate(parts):
            out[..., compiled.atom_fields[j], :, :] += compiled.reads[j].adjoint(spectra[..., place, :, :])
        return out

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
        spectrum = grid.forward(start.to(grid.dtype))
        frames, due = [start.to(grid.dtype)], 1
        for index, (step, (slopes, second_slopes)) in enumerate(zip(at.steps, at.slopes, strict=True)):
            middle = step.exponential * spectrum
            if nonlinear:
                before = self._jacobian(slopes, spectrum)
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
        due = len(at.frames) - 1
        spectrum = torch.zeros_like(grid.forward(frames[0]))
        for index in range(len(at.steps) - 1, -1, -1):
            if at.frames[due] == index + 1:
                spectrum = spectrum + grid.forward(frames[due])
                due -= 1
            step, (slopes, second_slopes) = at.steps[index], at.slopes[index]
            middle = spectrum
            if nonlinear:
                second = step.second.conj() * spectrum
                middle = spectrum + self._jacobian_adjoint(second_slopes, second)
            before = step.exponential.conj() * middle
            if nonlinear:
                before = before + self._jacobian_adjoint(slopes, step.first.conj() * middle - second)
            spectrum = before
        return grid.backward(spectrum) + frames[0]
