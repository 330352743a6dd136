"""An equation on a grid: symbols of its operators, and pointwise expressions with their derivatives.

The right-hand side of field c is ``L_c u_c + Σ_i P_i f_i(Q u; θ)``. What SymPy derives here are ∂f_i/∂(Q_j u), ∂f_i/∂θ
and ∂L/∂θ, from which tangents and adjoints of the solver are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
import torch
from torch import Tensor

from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.models import operators
from safe_pit_cm.models.model import Model
from safe_pit_cm.models.operators import IDENTITY
from safe_pit_cm.models.pointwise import Pointwise
from safe_pit_cm.numerics.arrays import Array

# Values of θ, in the order of the names of the model.
Coefficients = Sequence[float] | Array


@dataclass(frozen=True)
class Grid:
    """A periodic grid.

    Attributes
    ----------
    shape
        Pixels (y, x).
    spacing
        Pixel size (Δy, Δx).
    scheme
        ``continuous``: derivatives of the trigonometric interpolant; ``five-point``: the stencils of the grid.
    dtype
        Of fields.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    scheme: Scheme = "continuous"
    dtype: torch.dtype = torch.float64

    @property
    def complex(self) -> torch.dtype:
        """Type of a spectrum."""
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    def wavenumbers(self) -> tuple[Tensor, Tensor]:
        """κ along y and along x, laid out like ``torch.fft.rfft2``, float64."""
        (rows, columns), (along_y, along_x) = self.shape, self.spacing
        kappa_y = 2 * np.pi / along_y * torch.fft.fftfreq(rows, dtype=torch.float64)
        kappa_x = 2 * np.pi / along_x * torch.fft.rfftfreq(columns, dtype=torch.float64)
        return kappa_y[:, None], kappa_x[None, :]

    def symbol(self, operator: sympy.Expr) -> Tensor:
        """Symbol of an operator, ``(ky, kx)``, float64 or complex128."""
        found = operators.symbol(operator, self.wavenumbers(), self.spacing, continuous=self.scheme == "continuous")
        shape = (self.shape[0], self.shape[1] // 2 + 1)
        return torch.as_tensor(found).broadcast_to(shape)

    def forward(self, field: Tensor) -> Tensor:
        """Spectrum ``(..., ky, kx)`` of fields ``(..., y, x)``."""
        return torch.fft.rfft2(field)

    def backward(self, spectrum: Tensor) -> Tensor:
        """Fields ``(..., y, x)`` of spectra."""
        return torch.fft.irfft2(spectrum, s=self.shape)


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """Fields or spectra ``(..., y, x)`` as ``(..., part, y, x)``; a single one is not copied."""
    return parts[0].unsqueeze(-3) if len(parts) == 1 else torch.stack([*parts], dim=-3)


@dataclass(frozen=True)
class _Factor:
    """Symbol of an operator on the grid; None for the identity."""

    symbol: Tensor | None

    def __call__(self, spectrum: Tensor) -> Tensor:
        return spectrum if self.symbol is None else spectrum * self.symbol

    def adjoint(self, spectrum: Tensor) -> Tensor:
        if self.symbol is None:
            return spectrum
        return spectrum * (self.symbol.conj() if self.symbol.is_complex() else self.symbol)


class Compiled:
    """An equation on a grid."""

    def __init__(self, model: Model, grid: Grid) -> None:
        self.model, self.grid = model, grid
        self.names = model.names
        theta = [sympy.Symbol(name) for name in self.names]
        forms = [form for _, form in model.split]
        known = forms[0].atoms.known
        used = {atom for form in forms for part in form.terms.values() for atom in form.atoms.within(part)}
        self.atoms = sorted(used, key=lambda atom: atom.name)
        self.atom_fields = [known[atom][0] for atom in self.atoms]
        self.atom_operators = [known[atom][1] for atom in self.atoms]
        self.reads = [self._factor(operator) for operator in self.atom_operators]
        # One entry for each f: the field that it drives, and P.
        self.drives = [index for index, form in enumerate(forms) for _ in form.terms]
        self.outer_operators = [operator for form in forms for operator in form.terms]
        self.writes = [self._factor(operator) for operator in self.outer_operators]
        expressions = [part for form in forms for part in form.terms.values()]
        self._values = Pointwise.of(expressions)
        slopes = [[sympy.diff(part, atom) for atom in self.atoms] for part in expressions]
        self.slope_pairs = [(i, j) for i, row in enumerate(slopes) for j, slope in enumerate(row) if slope != 0]
        self._slopes = Pointwise.of([slopes[i][j] for i, j in self.slope_pairs])
        gradients = [[sympy.diff(part, name) for name in theta] for part in expressions]
        self.gradient_pairs = [(i, p) for i, row in enumerate(gradients) for p, each in enumerate(row) if each != 0]
        self._gradients = Pointwise.of([gradients[i][p] for i, p in self.gradient_pairs])
        linear = [
            (index, operator, factor) for index, (part, _) in enumerate(model.split) for operator, factor in part.terms
        ]
        self._linear_fields = [index for index, _, _ in linear]
        self._linear_symbols = [grid.symbol(operator) for _, operator, _ in linear]
        self._linear = Pointwise.of([factor for _, _, factor in linear])
        rates = [[sympy.diff(factor, name) for name in theta] for _, _, factor in linear]
        self._linear_gradient = Pointwise.of([each for row in rates for each in row])

    def _factor(self, operator: sympy.Expr) -> _Factor:
        if operator == IDENTITY:
            return _Factor(None)
        symbol = self.grid.symbol(operator)
        return _Factor(symbol.to(self.grid.complex if symbol.is_complex() else self.grid.dtype))

    def _known(self, theta: Coefficients, atoms: Sequence[Tensor] = ()) -> dict[Any, Any]:
        values: dict[Any, Any] = {
            sympy.Symbol(name): float(value) for name, value in zip(self.names, theta, strict=True)
        }
        return values | dict(zip(self.atoms, atoms, strict=True)) if atoms else values

    def linear(self, theta: Coefficients) -> tuple[Tensor, Tensor]:
        """Symbol of L, ``(field, ky, kx)``, and its derivatives by θ, ``(coefficient, field, ky, kx)``."""
        known = self._known(theta)
        factors, slopes = self._linear(known), self._linear_gradient(known)
        count, fields = len(self.names), len(self.model.fields)
        shape = (self.grid.shape[0], self.grid.shape[1] // 2 + 1)
        is_complex = any(symbol.is_complex() for symbol in self._linear_symbols)
        dtype = torch.complex128 if is_complex else torch.float64
        total = torch.zeros((fields, *shape), dtype=dtype)
        slope = torch.zeros((count, fields, *shape), dtype=dtype)
        for index, (field, symbol) in enumerate(zip(self._linear_fields, self._linear_symbols, strict=True)):
            total[field] += factors[index] * symbol
            for p in range(count):
                slope[p, field] += slopes[index * count + p] * symbol
        return total, slope

    def read_atoms(self, spectrum: Tensor, field: Tensor | None = None) -> list[Tensor]:
        """Q_j u, each ``(..., y, x)``, from spectra ``(..., field, ky, kx)``, and fields where they are known."""
        if not self.atoms:
            return []
        found: list[Tensor | None] = [
            field[..., index, :, :] if field is not None and read.symbol is None else None
            for index, read in zip(self.atom_fields, self.reads, strict=True)
        ]
        missing = [j for j, each in enumerate(found) if each is None]
        if missing:
            spectra = stacked([self.reads[j](spectrum[..., self.atom_fields[j], :, :]) for j in missing])
            for j, atom in zip(missing, self.grid.backward(spectra).unbind(-3), strict=True):
                found[j] = atom
        return [each for each in found if each is not None]

    def values(self, theta: Coefficients, atoms: Sequence[Tensor]) -> list[Any]:
        """f_i, a tensor ``(..., y, x)`` or a number each."""
        return self._values(self._known(theta, atoms))

    def slopes(self, theta: Coefficients, atoms: Sequence[Tensor]) -> list[Any]:
        """∂f_i/∂(Q_j u) for every pair of :attr:`slope_pairs`."""
        return self._slopes(self._known(theta, atoms))

    def gradients(self, theta: Coefficients, atoms: Sequence[Tensor]) -> list[Any]:
        """∂f_i/∂θ_p for every pair of :attr:`gradient_pairs`."""
        return self._gradients(self._known(theta, atoms))

    def driven(self, parts: Sequence[Any], indices: Sequence[int], like: Tensor) -> Tensor:
        """Σ_i P_i of pointwise values, as spectra with the shape of ``like``, ``(..., field, ky, kx)``."""
        if not parts:
            return torch.zeros_like(like)
        shape = (*like.shape[:-3], *self.grid.shape)
        whole = [part if isinstance(part, Tensor) else torch.full(shape, part, dtype=self.grid.dtype) for part in parts]
        spectra = self.grid.forward(stacked([part.broadcast_to(shape) for part in whole])).unbind(-3)
        return self.gathered(
            [(self.drives[i], self.writes[i](part)) for i, part in zip(indices, spectra, strict=True)], like
        )

    def gathered(self, parts: Sequence[tuple[int, Tensor]], like: Tensor) -> Tensor:
        """Sum of spectra ``(..., ky, kx)``, each of one field, with the shape of ``like``, ``(..., field, ky, kx)``."""
        if like.shape[-3] == 1 and len(parts) == 1:
            return parts[0][1].unsqueeze(-3)
        out = torch.zeros_like(like)
        for field, part in parts:
            out[..., field, :, :] += part
        return out
