"""Boundaries with known modes: periodic, no-flux and Dirichlet.

Each has a real, orthonormal transform whose modes diagonalise ∇², so that white noise of the pixels is white
noise of the amplitudes, with the same variance:

``periodic``
    Hartley transform, Re φ̂ − Im φ̂ of the Fourier transform; κ = 2π j/(n Δx).
``no-flux``
    Cosine transform (DCT-II): no flux through the outer edges of the outermost pixels; κ = π j/(n Δx), j = 0 … n−1.
``dirichlet``
    Sine transform (DST-II): a value that does not change at the outer edges of the outermost pixels, zero once a
    constant background has been taken out; κ = π j/(n Δx), j = 1 … n.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import scipy  # its parts are imported where they are first used, which most stages never do
from numpy.typing import NDArray

from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.numerics.arrays import namespace

Boundary = Literal["open", "periodic", "no-flux", "dirichlet"]
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)

Array = NDArray[np.floating[Any]]

# Pixels of the fields that are best transformed together: few enough for the cache of a core.
TOGETHER = 2**16


def _hartley(field: Array) -> Array:
    # Half of the spectrum of a real field tells the other half.
    spectrum = scipy.fft.rfft2(field, norm="ortho")
    columns = field.shape[-1]
    half = columns // 2 + 1
    modes = np.empty((*spectrum.shape[:-1], columns), dtype=spectrum.real.dtype)
    np.subtract(spectrum.real, spectrum.imag, out=modes[..., :half])
    mirrored = spectrum[..., columns - half : 0 : -1]
    np.add(mirrored.real[..., :1, :], mirrored.imag[..., :1, :], out=modes[..., :1, half:])
    np.add(mirrored.real[..., :0:-1, :], mirrored.imag[..., :0:-1, :], out=modes[..., 1:, half:])
    return modes


_TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "periodic": (_hartley, _hartley),
    "no-flux": (
        lambda field: scipy.fft.dctn(field, axes=(-2, -1), norm="ortho"),
        lambda modes: scipy.fft.idctn(modes, axes=(-2, -1), norm="ortho"),
    ),
    "dirichlet": (
        lambda field: scipy.fft.dstn(field, axes=(-2, -1), norm="ortho"),
        lambda modes: scipy.fft.idstn(modes, axes=(-2, -1), norm="ortho"),
    ),
}


def to_modes(field: Array, boundary: Boundary) -> Array:
    """Amplitudes of the modes of fields ``(..., y, x)``; same shape and dtype."""
    return _TRANSFORMS[boundary][0](field)


def to_field(modes: Array, boundary: Boundary) -> Array:
    """Fields ``(..., y, x)`` of the amplitudes of :func:`to_modes`."""
    return _TRANSFORMS[boundary][1](modes)


def wavenumbers(size: int, spacing: float, boundary: Boundary) -> NDArray[np.float64]:
    """|κ| of the modes along an axis of ``size`` pixels Δx apart, in the order of :func:`to_modes`, 1/length."""
    if boundary == "periodic":
        return np.abs(2 * np.pi * np.fft.fftfreq(size, spacing))
    index = np.arange(size) + (1 if boundary == "dirichlet" else 0)
    return np.asarray(np.pi * index / (size * spacing))


def half_plane_counts(columns: int) -> NDArray[np.float64]:
    """Modes of the whole plane for which a mode of ``rfft2`` stands, by its column: 2, or 1 if it is its own mirror."""
    counts = np.full(columns // 2 + 1, 2.0)
    counts[[0, -1] if columns % 2 == 0 else 0] = 1.0
    return counts


def pad_periodic(field: Any, halo: int) -> Any:
    """Field ``(..., y, x)`` of NumPy or torch with ``halo`` periodic neighbours on every side."""
    xp = namespace(field)
    field = xp.concat((field[..., -halo:, :], field, field[..., :halo, :]), axis=-2)
    return xp.concat((field[..., -halo:], field, field[..., :halo]), axis=-1)


def symbols(
    shape: tuple[int, int], spacing: tuple[float, float], boundary: Boundary, discretisation: Discretisation
) -> NDArray[np.float64]:
    """Symbol λ of −∇² of every mode, shape ``(y, x)``, 1/length², for pixels of size (Δy, Δx)."""
    along_y, along_x = (
        discretisation.symbol(wavenumbers(size, pixel, boundary), pixel)
        for size, pixel in zip(shape, spacing, strict=True)
    )
    return np.asarray(along_y[:, None] + along_x[None, :])
