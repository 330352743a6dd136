"""One axis of a tile: how its pixels, at every time, see the initial field on the tile and on a margin about it.

What a pixel i sees of an initial pixel j is a kernel K_t(i − j), the Fourier integral of exp(−s(κ) t). At an open edge
the line goes on: pixels of the margin are joined in cells that grow with the distance from the tile, since all that is
seen of a cell at a distance d has spread over d/3.3 by then. At a known boundary there is no margin, and K is made of
the modes of that boundary.

An axis is its own mirror image, so the even and the odd halves of the pixels see the even and the odd halves of the
field alone. With two axes, that makes four independent problems of a quarter of the size.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, wavenumbers
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.numerics.arrays import Array

# A margin this many diffusion lengths √(2 D T) wide; what lies beyond moves no pixel by a thousandth of its contrast.
MARGIN = 3.3
# Distance from the tile, in pixels and over the size of a cell, within which cells of the margin are single pixels.
_SINGLE = 8


def halves(size: int) -> tuple[slice, slice]:
    """Where :func:`fold` puts the even and the odd half of an axis."""
    return slice(0, size - size // 2), slice(size - size // 2, size)


def _fold_axis(values: Array, axis: int) -> Array:
    moved = np.moveaxis(values, axis, -1)
    half = moved.shape[-1] // 2
    left, right = moved[..., :half], moved[..., ::-1][..., :half]
    middle = moved[..., half : moved.shape[-1] - half]
    folded = np.concatenate([(left + right) / np.sqrt(2), middle, (left - right) / np.sqrt(2)], axis=-1)
    return np.moveaxis(folded, -1, axis)


def _unfold_axis(values: Array, axis: int) -> Array:
    moved = np.moveaxis(values, axis, -1)
    size = moved.shape[-1]
    half = size // 2
    even, middle, odd = moved[..., :half], moved[..., half : size - half], moved[..., size - half :]
    left, right = (even + odd) / np.sqrt(2), (even - odd) / np.sqrt(2)
    return np.moveaxis(np.concatenate([left, middle, right[..., ::-1]], axis=-1), -1, axis)


def fold(pictures: Array) -> Array:
    """Even and odd halves of pictures ``(..., y, x)`` along both axes: an orthogonal transform, same shape."""
    return _fold_axis(_fold_axis(pictures, -1), -2)


def unfold(pictures: Array) -> Array:
    """The inverse of :func:`fold`."""
    return _unfold_axis(_unfold_axis(pictures, -2), -1)


def _cells(size: int, margin: int) -> NDArray[np.intp]:
    """First pixel of each cell of the padded axis, and the end of the last; symmetric about the tile."""
    edges = [0]
    while edges[-1] < margin:
        edges.append(edges[-1] + max(1, edges[-1] // _SINGLE))
    outward = np.array(edges)
    return np.concatenate([-outward[::-1], np.arange(1, size), size + outward])


def _modes(size: int, boundary: Boundary) -> Array:
    """Orthonormal modes of an axis, ``(pixel, mode)``, in the order of :func:`wavenumbers`."""
    if boundary == "periodic":
        phase = 2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
        return np.asarray((np.cos(phase) + np.sin(phase)) / np.sqrt(size))
    transform = scipy.fft.idst if boundary == "dirichlet" else scipy.fft.idct
    return np.asarray(transform(np.eye(size), axis=0, norm="ortho"))


@dataclass(frozen=True)
class Axis:
    """One axis of a tile.

    Attributes
    ----------
    size
        Pixels of the tile.
    margin
        Pixels beyond either end of which the initial field is unknown; 0 at a known boundary.
    spacing
        Pixel size, length.
    boundary, discretisation
        Of the field.
    """

    size: int
    margin: int
    spacing: float
    boundary: Boundary
    discretisation: Discretisation

    @classmethod
    def of(
        cls,
        size: int,
        spacing: float,
        boundary: Boundary,
        discretisation: Discretisation,
        diffusivity: float,
        duration: float,
    ) -> "Axis":
        """The axis with the margin that D asks for."""
        margin = 0
        if boundary == "open":
            margin = max(2, int(np.ceil(MARGIN * np.sqrt(2 * diffusivity * duration) / spacing)))
        return cls(size, margin, spacing, boundary, discretisation)

    @cached_property
    def _edges(self) -> NDArray[np.intp]:
        return _cells(self.size, self.margin)

    @property
    def unknowns(self) -> int:
        """Cells of the padded axis."""
        return len(self._edges) - 1 if self.boundary == "open" else self.size

    def _kernel(self, times: Array, diffusivity: float) -> Array:
        """K_t(m) for distances m of −reach … reach pixels, shape ``(time, 2 reach + 1)``."""
        reach = self.size + self.margin
        ring = scipy.fft.next_fast_len(2 * reach + 2, real=True)
        wavenumber = 2 * np.pi * scipy.fft.rfftfreq(ring, self.spacing)
        rate = self.discretisation.rate(diffusivity, self.discretisation.symbol(wavenumber, self.spacing))
        # Times the alternating sign, the kernel is centred on the middle of the ring.
        kernel = scipy.fft.irfft(np.exp(-np.outer(times, rate)), ring, axis=1)
        return np.concatenate([kernel[:, reach:0:-1], kernel[:, : reach + 1]], axis=1)

    def _open(self, times: Array, diffusivity: float) -> Array:
        kernel = self._kernel(times, diffusivity)
        reach = self.size + self.margin
        summed = np.concatenate([np.zeros((len(times), 1)), np.cumsum(kernel, axis=1)], axis=1)
        # Pixel i sees the cell [a, b) by K(i − b + 1) + … + K(i − a).
        pixel = np.arange(self.size)[:, None]
        first, end = self._edges[:-1], np.minimum(self._edges[1:], self.size + self.margin)
        first = np.maximum(first, -self.margin)
        seen = summed[:, pixel - first + reach + 1] - summed[:, pixel - end + reach + 1]
        return np.asarray(seen / np.sqrt(end - first))

    def seen(self, times: Array, diffusivity: float) -> tuple[Array, Array]:
        """What the even and the odd half of the tile see of the even and the odd half of the field.

        Returns
        -------
        tuple
            Two arrays ``(time, pixel of the half, unknown of the half)``.
        """
        if self.boundary == "open":
            whole = self._open(times, diffusivity)
        else:
            symbol = self.discretisation.symbol(wavenumbers(self.size, self.spacing, self.boundary), self.spacing)
            modes = _modes(self.size, self.boundary)
            decay = np.exp(-np.outer(times, self.discretisation.rate(diffusivity, symbol)))
            whole = (modes * decay[:, None, :]) @ modes.T
        folded = fold(whole)
        rows, columns = halves(whole.shape[1]), halves(whole.shape[2])
        return folded[:, rows[0], columns[0]], folded[:, rows[1], columns[1]]
