"""Tiles of an open crop, and their model: a padded initial field, propagated along each axis and seen in the frame.

With the frame cut out of the padded field by C, and modes that decay along each axis by exp(−D λ t),

    y(t) = A_t a + ε,   A_t = A_t^y ⊗ A_t^x,   A_t^x = C Q exp(−D λ t) Qᵀ V

where V keeps, along each axis, the fields that can be seen at all.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg

from safe_pit_cm.equations.boundaries import wavenumbers
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array

# A margin this many diffusion lengths √(2 D T) wide; what lies beyond moves no pixel by a thousandth of its contrast.
_MARGIN = 3.3
# Fields whose visible part is less than this share of the most visible, or than this share of the noise, are left out
# along each axis.
_VISIBLE = 2e-3
_VISIBLE_ABOVE_NOISE = 0.3
# Ridge over the ratio of noise to field variance.
RIDGE = 0.01


def cut(shape: tuple[int, int], side: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Corners of equal tiles of at most ``side`` pixels a side, and their shape; the last rows may be left over."""
    counts = [-(-size // side) for size in shape]
    tile = (shape[0] // counts[0], shape[1] // counts[1])
    corners = [(row * tile[0], column * tile[1]) for row in range(counts[0]) for column in range(counts[1])]
    return corners, tile


def _axis(
    size: int,
    spacing: float,
    times: Array,
    diffusivity: float,
    discretisation: Discretisation,
    margin: int,
    ridge: float,
) -> Array:
    """Visible initial fields V along an axis, ``(padded, visible)``, for D near ``diffusivity``."""
    courses = _seen(size, spacing, times, diffusivity, discretisation, margin)
    gram = np.einsum("tip,tiq->pq", courses, courses)
    power, fields = np.linalg.eigh(gram)
    chosen = power > min(_VISIBLE, _VISIBLE_ABOVE_NOISE * np.sqrt(ridge)) ** 2 * power[-1]
    return np.asarray(fields[:, chosen])


def _seen(
    size: int, spacing: float, times: Array, diffusivity: float, discretisation: Discretisation, margin: int
) -> Array:
    """What the frame sees of each initial pixel of the padded axis, shape ``(time, size, padded)``."""
    padded = size + 2 * margin
    symbol = discretisation.symbol(wavenumbers(padded, spacing, "no-flux"), spacing)
    modes = scipy.fft.idct(np.eye(padded), axis=0, norm="ortho")
    decay = np.exp(-np.outer(times, discretisation.rate(diffusivity, symbol)))
    return np.asarray((modes[margin : margin + size] * decay[:, None, :]) @ modes.T)


@dataclass
class System:
    """Model of a tile at one D: forward, adjoint, and the solution of the normal equations.

    Attributes
    ----------
    along_y, along_x
        A_t of each axis, shape ``(time, pixel, visible)``.
    ridge
        ρ.
    background
        Whether a constant background of every pixel is eliminated as well.
    """

    along_y: Array
    along_x: Array
    ridge: float
    background: bool
    factor: Any = field(init=False)
    degrees_of_freedom: float = field(init=False)
    mean: Array | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        frames, _, rows = self.along_y.shape
        columns = self.along_x.shape[2]
        gram_y = (self.along_y.transpose(0, 2, 1) @ self.along_y).reshape(frames, -1)
        gram_x = (self.along_x.transpose(0, 2, 1) @ self.along_x).reshape(frames, -1)
        blocks = (gram_y.T @ gram_x).reshape(rows, rows, columns, columns).transpose(0, 2, 1, 3)
        normal: Array = np.ascontiguousarray(blocks).reshape(rows * columns, rows * columns)
        if self.background:
            product = self.along_y.reshape(frames, -1).T @ self.along_x.reshape(frames, -1) / frames
            size_y, size_x = self.along_y.shape[1], self.along_x.shape[1]
            mean = product.reshape(size_y, rows, size_x, columns).transpose(0, 2, 1, 3)
            self.mean = np.ascontiguousarray(mean).reshape(size_y * size_x, rows * columns)
            normal -= frames * (self.mean.T @ self.mean)
        normal.flat[:: len(normal) + 1] += self.ridge
        self.factor = scipy.linalg.cholesky(normal, lower=True, overwrite_a=True, check_finite=False)
        # tr H = unknowns − ρ tr (AᵀA + ρ)⁻¹, and the trace of the inverse is the power of the inverse factor.
        inverse, _ = scipy.linalg.lapack.dtrtri(self.factor, lower=1)
        self.degrees_of_freedom = len(normal) - self.ridge * float(np.square(np.tril(inverse)).sum())

    def adjoint(self, frames: Array) -> Array:
        """Aᵀ y of tiles ``(tile, time, y, x)``, shape ``(unknown, tile)``."""
        tiles = [np.tensordot(self.along_y, each @ self.along_x, axes=([0, 1], [0, 1])) for each in frames]
        result = np.stack([each.ravel() for each in tiles], axis=1)
        if self.mean is not None:
            result -= self.mean.T @ frames.sum(1).reshape(len(frames), -1).T
        return result

    def solve(self, right: Array) -> Array:
        """(AᵀA + ρ)⁻¹ b."""
        return np.asarray(scipy.linalg.cho_solve((self.factor, True), right, check_finite=False))

    def forward(self, unknown: Array) -> Array:
        """A a, tiles ``(tile, time, y, x)``."""
        rows, columns = self.along_y.shape[2], self.along_x.shape[2]
        tiles = [self.along_y @ each.reshape(rows, columns) @ self.along_x.transpose(0, 2, 1) for each in unknown.T]
        result = np.stack(tiles)
        return result - result.mean(1, keepdims=True) if self.mean is not None else result

    def smooth(self, frames: Array) -> Array:
        """H y."""
        return self.forward(self.solve(self.adjoint(frames)))


@dataclass(frozen=True)
class Model:
    """What does not depend on D: the visible fields of each axis near a pilot D, and the ridge."""

    shape: tuple[int, int]
    spacing: tuple[float, float]
    times: Array
    discretisation: Discretisation
    margins: tuple[int, int]
    visible: tuple[Array, Array]
    ridge: float
    background: bool

    @classmethod
    def near(
        cls,
        shape: tuple[int, int],
        spacing: tuple[float, float],
        times: Array,
        discretisation: Discretisation,
        diffusivity: float,
        ridge: float,
        background: bool = False,
    ) -> "Model":
        """Model for D within some ten per cent of ``diffusivity``."""
        length = np.sqrt(2 * diffusivity * times[-1])
        margins = tuple(
            int(np.clip(np.ceil(_MARGIN * length / pixel), 2, 3 * size))
            for size, pixel in zip(shape, spacing, strict=True)
        )
        visible = tuple(
            _axis(size, pixel, times, diffusivity, discretisation, margin, ridge)
            for size, pixel, margin in zip(shape, spacing, margins, strict=True)
        )
        return cls(
            shape,
            spacing,
            times,
            discretisation,
            (margins[0], margins[1]),
            (visible[0], visible[1]),
            ridge,
            background,
        )

    def at(self, diffusivity: float) -> System:
        """The system at D."""
        along_y, along_x = (
            _seen(size, pixel, self.times, diffusivity, self.discretisation, margin) @ fields
            for size, pixel, margin, fields in zip(self.shape, self.spacing, self.margins, self.visible, strict=True)
        )
        return System(along_y, along_x, self.ridge, self.background)


def criterion(system: System, tiles: Array, noise_power: float) -> float:
    """C(D), summed over tiles ``(tile, time, y, x)``."""
    right = system.adjoint(tiles)
    explained = float((right * system.solve(right)).sum())
    return float(np.square(tiles).sum()) - explained + noise_power * len(tiles) * system.degrees_of_freedom


def noise_power_of(tiles: Array, courses: TimeCourses) -> float | None:
    """σ² by what no sum of decaying exponentials can follow; None where the frames are too few."""
    smooth = courses.smooth
    frames = tiles.shape[1]
    if frames - smooth < 2:
        return None
    basis = courses.basis[:, :smooth]
    series = tiles.swapaxes(0, 1).reshape(frames, -1)
    inside = float(np.square(basis.T @ series).sum())
    return (float(np.square(series).sum()) - inside) / (series.shape[1] * (frames - smooth))
