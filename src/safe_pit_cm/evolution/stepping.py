"""What exponential time differencing of any order has in common: the steps, and which part is treated as linear.

A step of length h multiplies the linear part L exactly and approximates the rest N by functions of hL,

    φ₀(z) = e^z,   φₙ₊₁(z) = (φₙ(z) − 1/n!)/z.

The mean slope of N over the first field is moved from N to L: a scheme converges to the same solution, and stays stable
where N is stiff.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safe_pit_cm.evolution.compiled import Coefficients, Compiled


def phi(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """φ₀ to φ₃."""
    small = z.abs() < 0.5
    safe = torch.where(small, torch.ones_like(z), z)
    exponential = torch.exp(z)
    first = torch.where(small, _series(z, 1), (exponential - 1) / safe)
    second = torch.where(small, _series(z, 2), (first - 1) / safe)
    third = torch.where(small, _series(z, 3), (second - 0.5) / safe)
    return exponential, first, second, third


def _series(z: Tensor, n: int) -> Tensor:
    """φₙ(z) = Σ zʲ/(j + n)! for small z."""
    factor, total = torch.ones_like(z) / float(np.prod(np.arange(1, n + 1))), torch.zeros_like(z)
    for j in range(16):
        total = total + factor
        factor = factor * z / (j + n + 1)
    return total


class Stepper:
    """A compiled equation and the steps between given times.

    Parameters
    ----------
    compiled
        The equation on a grid.
    times
        Of the frames, increasing.
    substeps
        Steps per median frame interval; longer intervals have more.

    Attributes
    ----------
    counts, lengths
        Number and length of the steps of each interval.
    shift
        Slope that was moved to the linear part, by term of N and atom.
    """

    def __init__(self, compiled: Compiled, times: NDArray[Any], substeps: int) -> None:
        self.compiled, self.times, self.substeps = compiled, np.asarray(times, dtype=np.float64), substeps
        intervals = np.diff(self.times)
        longest = float(np.median(intervals)) / substeps
        self.counts = [max(1, int(np.ceil(interval / longest * (1 - 1e-6)))) for interval in intervals]
        self.lengths = [float(interval / count) for interval, count in zip(intervals, self.counts, strict=True)]
        self.shift: dict[tuple[int, int], float] = {}

    @property
    def steps(self) -> int:
        """Number of steps."""
        return sum(self.counts)

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

    def nonlinear(self, theta: Coefficients, spectrum: Tensor, field: Tensor) -> tuple[Tensor, list[Tensor]]:
        """N of a state, given as spectrum and as field, and the atoms that it reads."""
        compiled = self.compiled
        atoms = compiled.read_atoms(spectrum, field)
        values = compiled.values(theta, atoms)
        for (i, j), mean in self.shift.items():
            values[i] = values[i] - mean * atoms[j]
        return compiled.driven(values, range(len(values)), spectrum), atoms
