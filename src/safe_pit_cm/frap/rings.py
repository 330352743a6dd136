"""A film reduced to means over rings around the spot, kept apart by sectors."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from safe_pit_cm.numerics.arrays import Array

SECTORS = 8


@dataclass(frozen=True)
class Rings:
    """Sums over cells: rings one pixel wide, cut into sectors.

    Attributes
    ----------
    counts, sums, squares
        Number of pixels of a cell that are present, and sums of their values and squares, ``(time, sector, ring)``.
    distance
        Mean distance of the pixels of a ring from the centre, length units.
    pixel
        Side of a square of the area of a pixel.
    """

    counts: Array
    sums: Array
    squares: Array
    distance: Array
    pixel: float

    def without(self, sector: int) -> "Rings":
        """The same with one sector left out."""
        kept = np.arange(self.counts.shape[1]) != sector
        parts = {name: getattr(self, name)[:, kept] for name in ("counts", "sums", "squares")}
        return replace(self, **parts)

    def frames(self, kept: NDArray[np.bool_]) -> "Rings":
        """The same with only some of the frames."""
        return replace(self, **{name: getattr(self, name)[kept] for name in ("counts", "sums", "squares")})

    def with_profile(self, profile: Array) -> "Rings":
        """Rings that have the means of ``profile``, ``(time, ring)``, in every sector, and the noise of these."""
        noise = self.squares - self.sums**2 / np.maximum(self.counts, 1)
        sums = self.counts * profile[:, None]
        return replace(self, sums=sums, squares=noise + sums * profile[:, None])

    def profile(self) -> tuple[Array, Array]:
        """Mean of each ring (0 for an empty one) and the number of its pixels, ``(time, ring)``."""
        counts = self.counts.sum(1)
        return self.sums.sum(1) / np.maximum(counts, 1), counts

    def mean(self, rings: slice) -> tuple[Array, Array]:
        """Mean over some rings, and its standard error from the noise of the pixels, ``(time,)``.

        The noise is the median over the cells of their variance, which dirt in a few of them leaves alone.
        """
        counts, sums, squares = (each[..., rings] for each in (self.counts, self.sums, self.squares))
        total = counts.sum((1, 2))
        mean = sums.sum((1, 2)) / total
        degrees = counts - 1
        enough = degrees > 1
        variance = np.full(counts.shape, np.nan)
        spread = squares - sums**2 / np.maximum(counts, 1)
        variance[enough] = np.maximum(spread[enough], 0) / chi2.median(degrees[enough])
        flat = variance.reshape(len(total), -1)
        known = np.isfinite(flat).any(1)
        noise = np.full(len(total), np.nan)
        noise[known] = np.nanmedian(flat[known], axis=1)
        return mean, np.sqrt(noise / total)

    def radius(self, count: int) -> float:
        """Radius of the disc of the area of the innermost rings, were the frame to hold them whole."""
        return count * self.pixel


def reduce(frames: NDArray[np.generic], centre: tuple[float, float], spacing: tuple[float, float]) -> Rings:
    """Reduce a film to rings and sectors.

    Parameters
    ----------
    frames
        ``(time, y, x)``; NaN where a pixel is missing.
    centre
        Row and column, pixels.
    spacing
        Pixel size (Δy, Δx).
    """
    pixel = float(np.sqrt(spacing[0] * spacing[1]))
    rows, columns = np.indices(frames.shape[1:])
    dy, dx = (rows - centre[0]) * spacing[0], (columns - centre[1]) * spacing[1]
    distance = np.hypot(dy, dx)
    ring = (distance / pixel).astype(np.intp)
    rings = int(ring.max()) + 1
    sector = ((np.arctan2(dy, dx) / (2 * np.pi) % 1.0) * SECTORS).astype(np.intp) % SECTORS
    cell = (sector * rings + ring).ravel()
    size = SECTORS * rings
    whole = np.bincount(cell, minlength=size)
    sums = np.empty((3, len(frames), size))
    for index, frame in enumerate(frames):
        values = frame.astype(np.float64).ravel()
        present = np.isfinite(values)
        if present.all():
            sums[0, index] = whole
        else:
            sums[0, index] = np.bincount(cell, present, size)
            values = np.where(present, values, 0.0)
        sums[1, index] = np.bincount(cell, values, size)
        sums[2, index] = np.bincount(cell, values**2, size)
    counts, totals, squares = sums.reshape(3, len(frames), SECTORS, rings)
    in_ring = np.bincount(ring.ravel(), minlength=rings)
    mean_distance = np.bincount(ring.ravel(), distance.ravel(), rings) / np.maximum(in_ring, 1)
    return Rings(counts, totals, squares, mean_distance, pixel)
