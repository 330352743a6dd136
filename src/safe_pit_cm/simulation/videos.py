"""Scales and clean field of a simulated video."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def frame_interval(video: xr.Dataset) -> float:
    """Frame interval Δt_f = k Δt of a video dataset, time units."""
    return float(video.attrs["time_step"]) * int(video.attrs["save_interval"])


def spacing(video: xr.Dataset) -> tuple[float, float]:
    """Pixel size (Δy, Δx)."""
    side = float(video.attrs["grid_spacing"])
    return side, side


def first_frame(video: xr.Dataset) -> NDArray[np.float64]:
    """Clean field from which diffusion starts: for mobility, the last frame."""
    field = video["field"].to_numpy()[0 if video.attrs["process"] == "diffusion" else -1]
    return np.asarray(field, dtype=np.float64)
