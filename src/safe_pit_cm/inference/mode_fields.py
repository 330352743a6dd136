"""From a video to its modes, and from modes to frames."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import TOGETHER, Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array

# Videos of up to so many pixels are reduced in double precision.
_DOUBLE = 2**25


@lru_cache(maxsize=8)
def _geometry(
    shape: tuple[int, int], spacing: tuple[float, float], boundary: Boundary, discretisation: Discretisation
) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Distinct symbols but 0, which of them is that of each mode, and the modes that are kept, as in :class:`Modes`."""
    # Videos of a series share these, and sorting the symbols takes as long as a pass over the modes.
    symbol = symbols(shape, spacing, boundary, discretisation).ravel()
    kept = np.flatnonzero(symbol > 0)
    distinct, index = np.unique(symbol[kept], return_inverse=True)
    for shared in (distinct, index, kept):
        shared.flags.writeable = False
    return distinct, index, kept


def reduce_video(
    frames: NDArray[Any],
    times: Array,
    spacing: tuple[float, float],
    boundary: Boundary,
    discretisation: Discretisation,
    *,
    background: bool = False,
    bleaching: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Modes:
    """Reduce a video to its modes, a few frames at a time.

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, finite. Float32 is reduced in float32 when it is large.
    times
        Of the frames, increasing.
    spacing
        Pixel size (Δy, Δx).
    boundary, discretisation
        The model; not ``open``.
    background, bleaching
        Whether to estimate a constant background, a bleaching rate.
    progress
        Called with the completed fraction.
    """
    courses = TimeCourses.of(times)
    shape = (frames.shape[1], frames.shape[2])
    pixels = shape[0] * shape[1]
    precision: Any = np.float64 if frames.size <= _DOUBLE else np.float32
    compressed = np.zeros((courses.basis.shape[1], pixels), dtype=precision)
    basis = courses.basis.astype(precision)
    symbol, index, kept = _geometry(shape, spacing, boundary, discretisation)
    mean_is_mode = boundary != "dirichlet"
    offset = float(frames[0].mean(dtype=np.float64))
    power = 0.0
    chunk = max(1, 2**22 // pixels)
    for start in range(0, len(frames), chunk):
        # A number that is taken out leaves more digits.
        block = np.subtract(frames[start : start + chunk].reshape(-1, pixels), precision(offset), dtype=precision)
        # NumPy sums in pairs, and its sums have more digits than a product of BLAS.
        power += float(np.square(block).sum(dtype=np.float64))
        if mean_is_mode:
            # A mean that flickers may hold far more than the noise: its digits count.
            power -= float(np.square(block.sum(1, dtype=np.float64)).sum()) / pixels
        compressed += basis[start : start + chunk].T @ block
        progress(min(1.0, (start + chunk) / len(frames)))
    # The mean of a frame does not diffuse: without it, an offset has no effect, not even one that flickers.
    amplitudes = np.empty((len(kept), len(compressed)))
    together = max(1, TOGETHER // pixels)
    for first in range(0, len(compressed), together):
        fields = compressed[first : first + together].reshape(-1, *shape).astype(np.float64)
        found = to_modes(fields, boundary).reshape(len(fields), pixels)
        amplitudes[:, first : first + together] = found[:, _place(kept)].T
    del compressed
    remainder = max(0.0, power - float(np.square(amplitudes).sum()))
    modes = Modes(
        amplitudes,
        symbol,
        index,
        courses,
        discretisation,
        boundary,
        shape,
        remainder,
        background,
        bleaching,
        kept,
    )
    if background:
        amplitudes = modes.amplitudes
        amplitudes -= np.outer(amplitudes @ modes.constant, modes.constant)
    return modes


def _place(kept: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Usually all modes but the mean are kept, and a slice is filled and read faster."""
    first, last = int(kept[0]), int(kept[-1])
    return slice(first, last + 1) if last + 1 - first == len(kept) else kept


def to_frames(modes: Modes, values: Array, frames: NDArray[np.intp]) -> Array:
    """Frames ``(frame, y, x)`` of modes with the coefficients ``(mode, course)``."""
    spectrum = np.zeros((len(frames), modes.shape[0] * modes.shape[1]))
    spectrum[:, _place(modes.kept)] = modes.courses.basis[frames] @ values.T
    return np.asarray(to_field(spectrum.reshape(-1, *modes.shape), modes.boundary), dtype=np.float64)


def predict(modes: Modes, theta: Array, frames: NDArray[np.intp]) -> Array:
    """Frames ``(frame, y, x)`` of the fitted model, without the mean of a frame and without background."""
    return to_frames(modes, modes.at(theta).fitted, frames)
