"""Bleached spots by formula: a Gaussian hole that diffuses in the plane, averaged over pixels by error functions."""

from typing import Any

import numpy as np
import scipy.special
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.inference.checks import Film, measure

Frames = NDArray[np.float64]

# Times and pixels of a film of a supported lipid bilayer, s and µm.
UNEVEN: Frames = np.asarray(
    [0, 9.985, 20.032, 29.985, 40, 50.032, 80, 110, 139.985, 169.985, 200, 230, 260, 289.985, 350], dtype=np.float64
)
BILAYER_PIXEL = 150 / 471


def hole(
    diffusivity: float | tuple[float, float],
    times: Frames,
    shape: tuple[int, int] = (40, 40),
    *,
    width: float = 4.0,
    depth: float = 1.0,
    spacing: float = 1.0,
    centre: tuple[float, float] = (0.48, 0.53),
) -> Frames:
    """Frames ``(time, y, x)`` of ``−depth exp(−r²/2w²)`` after it has diffused.

    ``diffusivity`` may differ along y and x; ``width`` w is in units of length, ``centre`` in shares of the height of
    the frame and of its width.
    """
    edges = [np.arange(size + 1) * spacing for size in shape]
    middle = [share * size * spacing for share, size in zip(centre, shape, strict=True)]
    frames = []
    for time in times:
        along = []
        for edge, at, each in zip(edges, middle, np.broadcast_to(diffusivity, 2), strict=True):
            wide = np.sqrt(2 * width**2 + 4 * each * time)
            along.append(np.diff(scipy.special.erf((edge - at) / wide)) * width * np.sqrt(np.pi / 2) / spacing)
        frames.append(-depth * np.outer(*along))
    return np.stack(frames)


def binned(frames: NDArray[Any], factor: int) -> Frames:
    """Means over squares of pixels; sizes are multiples of ``factor``."""
    count, rows, columns = frames.shape
    return np.asarray(frames.reshape(count, rows // factor, factor, columns // factor, factor).mean((2, 4)))


def video(frames: NDArray[Any], times: Frames, spacing: float = 1.0) -> xr.DataArray:
    """The frames with their coordinates."""
    _, rows, columns = frames.shape
    coords = {"time": times, "y": (np.arange(rows) + 0.5) * spacing, "x": (np.arange(columns) + 0.5) * spacing}
    return xr.DataArray(frames, dims=("time", "y", "x"), coords=coords)


def film(frames: NDArray[Any], times: Frames, spacing: float = 1.0) -> Film:
    """The frames as a checked film."""
    return measure(video(frames, times, spacing))
