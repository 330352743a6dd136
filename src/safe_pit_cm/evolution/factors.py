"""A matrix over fields of few wavenumbers, factorised: a preconditioner where that of a linear equation is poor."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_CHUNK = 32


@dataclass(frozen=True)
class _Basis:
    """Orthonormal cosines and sines of the wavenumbers kept.

    Attributes
    ----------
    shape
        Of the fields, (field, y, x).
    entries
        Field, row and column of each wavenumber in the half spectrum, without those that follow by symmetry.
    weights
        Of each: 1 for the mean, else √2.
    """

    shape: tuple[int, int, int]
    entries: tuple[Tensor, Tensor, Tensor]
    weights: Tensor

    @classmethod
    def of(cls, kept: Tensor, shape: tuple[int, int]) -> "_Basis":
        field, row, column = torch.nonzero(kept, as_tuple=True)
        own = (column > 0) | (row <= (shape[0] - 1) // 2)
        field, row, column = field[own], row[own], column[own]
        weights = torch.where((row == 0) & (column == 0), 1.0, np.sqrt(2.0)).float()
        return cls((kept.shape[0], *shape), (field, row, column), weights)

    @property
    def size(self) -> int:
        """Number of amplitudes: real and imaginary parts, that of the mean included, which is always 0."""
        return 2 * len(self.weights)

    def amplitudes(self, fields: Tensor) -> Tensor:
        """``(batch, amplitude)`` of fields ``(batch, field, y, x)``."""
        field, row, column = self.entries
        found = self.weights * torch.fft.rfft2(fields, norm="ortho")[:, field, row, column]
        return torch.cat([found.real, found.imag], dim=-1)

    def compose(self, amplitudes: Tensor) -> Tensor:
        """Fields ``(batch, field, y, x)`` of amplitudes ``(batch, amplitude)``."""
        field, row, column = self.entries
        values = torch.complex(*amplitudes.chunk(2, dim=-1)) / self.weights
        fields, rows, columns = self.shape
        spectrum = torch.zeros((len(values), fields, rows, columns // 2 + 1), dtype=values.dtype)
        edge = column == 0
        spectrum[:, field[edge], -row[edge] % rows, 0] = values[:, edge].conj()
        spectrum[:, field, row, column] = values
        return torch.fft.irfft2(spectrum, s=(rows, columns), norm="ortho")


@dataclass(frozen=True)
class Factors:
    """Cholesky factor of a positive matrix over the fields of a basis."""

    basis: _Basis
    factor: Tensor

    @classmethod
    def of(cls, kept: Tensor, shape: tuple[int, int], product: Callable[[Tensor], Tensor]) -> "Factors | None":
        """Factorise.

        Parameters
        ----------
        kept
            Wavenumbers, ``(field, ky, kx)`` of the half spectrum.
        shape
            Of the grid, (y, x).
        product
            The matrix times fields ``(batch, field, y, x)``.

        Returns
        -------
        Factors or None
            None where rounding has made the matrix indefinite, or the largest wavenumber is kept.
        """
        if kept[..., shape[0] // 2, :].any() or kept[..., shape[1] // 2].any():
            return None
        basis = _Basis.of(kept, shape)
        unit = torch.eye(basis.size)
        matrix = torch.cat([basis.amplitudes(product(basis.compose(part))) for part in unit.split(_CHUNK)]).double()
        # The imaginary parts of means.
        nothing = matrix.diagonal() == 0
        matrix.diagonal()[nothing] = 1.0
        factor, failed = torch.linalg.cholesky_ex((matrix + matrix.T) / 2)
        return None if bool(failed) else cls(basis, factor.float())

    def solve(self, fields: Tensor) -> Tensor:
        """The inverse times fields ``(batch, field, y, x)``."""
        amplitudes = self.basis.amplitudes(fields)
        return self.basis.compose(torch.cholesky_solve(amplitudes.T, self.factor).T)
