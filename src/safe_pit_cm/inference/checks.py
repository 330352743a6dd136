"""Check a measured video and put it in order before it is fitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.equations.processes import Process
from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import Array

# Whole numbers are taken as clipped where this many pixels share the largest or the smallest value, so many times more
# than the value next to it, in a film of at least so many levels.
_LEAST_CLIPPED, _PILED, _LEAST_LEVELS = 30, 4, 32


@dataclass(frozen=True)
class Film:
    """A checked video.

    Attributes
    ----------
    frames
        Shape ``(time, y, x)``, in the order in which the field smooths.
    missing
        True where a pixel is not to be used, same shape; None when all are.
    times
        Of the frames, from 0, increasing.
    spacing
        Pixel size (Δy, Δx).
    floor
        Standard deviation of the rounding of the pixels.
    notes
        What was left out, for the reader.
    """

    frames: NDArray[Any]
    missing: NDArray[np.bool_] | None
    times: Array
    spacing: tuple[float, float]
    floor: float
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels ``(y, x)`` of a frame."""
        return self.frames.shape[1], self.frames.shape[2]


def measure(
    video: xr.DataArray,
    *,
    dx: float | tuple[float, float] | None = None,
    dt: float | None = None,
    process: Process = "diffusion",
    mask: ArrayLike | xr.DataArray | None = None,
) -> Film:
    """Check a video and put it in order; arguments and errors as in :func:`~safe_pit_cm.inference.fit.fit`."""
    if not isinstance(video, xr.DataArray) or set(video.dims) != {"time", "y", "x"}:
        dims = getattr(video, "dims", type(video).__name__)
        raise UserError(f"the video has the dimensions {dims}; give an xarray DataArray with time, y and x")
    video = video.transpose("time", "y", "x")
    frames = video.to_numpy()
    if frames.dtype.kind not in "fiub":
        raise UserError(f"the pixels are of type {frames.dtype}; give real numbers, one channel")
    if frames.dtype == np.float16 or frames.dtype.kind in "iub":
        rounding = 1 / np.sqrt(12) if frames.dtype.kind in "iub" else None
        frames = frames.astype(np.float32 if frames.dtype.itemsize <= 2 else np.float64)
    else:
        rounding = None
    spacing = _spacing(video, dx)
    times = _times(video, dt)
    # Neither is finite where a pixel is not, which saves a look at every pixel of most videos.
    low, high = float(frames.min()), float(frames.max())
    missing = _missing(frames, mask, finite=bool(np.isfinite((low, high)).all()))
    clipped = _clipped(video, frames, rounding is not None)
    notes: tuple[str, ...] = ()
    if clipped is not None:
        notes = (f"{clipped.mean():.2g} of all pixels are saturated or clipped and were left out.",)
        missing = clipped if missing is None else missing | clipped
    if missing is not None:
        present = ~missing.all((1, 2))
        frames, times, missing = frames[present], times[present], missing[present]
    if len(frames) < 3:
        raise UserError(f"the video has {len(frames)} usable frames; diffusion and noise are told apart from three on")
    if min(frames.shape[1:]) < 4:
        raise UserError(f"a frame has {frames.shape[1]} × {frames.shape[2]} pixels; give at least 4 × 4")
    if missing is not None and not missing.any():
        missing = None
    if missing is not None and missing.mean() > 0.5:
        raise UserError(f"{missing.mean():.0%} of the pixels are missing or masked; give a region with at most half")
    if missing is not None:
        seen = frames[~missing]
        low, high = float(seen.min()), float(seen.max())
    if low == high:
        raise UserError(
            f"every pixel of the video is {low:g}; there is nothing to diffuse: check the region and the file"
        )
    if rounding is None:
        rounding = float(np.finfo(frames.dtype).eps) * max(abs(low), abs(high)) / 2
    if process == "mobility":
        # Read backwards, a video that sharpens is one that diffuses: the stable reading.
        frames, times = frames[::-1], (times[-1] - times)[::-1]
        missing = None if missing is None else missing[::-1]
    return Film(frames, missing, times - times[0], spacing, float(rounding), notes)


def flat_field(
    video: xr.DataArray, reference: ArrayLike | None = None, dark: ArrayLike | float | None = None
) -> xr.DataArray:
    """The video less the dark level, over a flat-field image less the same; pixels that see no light become NaN.

    Parameters
    ----------
    video
        ``(time, y, x)``.
    reference
        Flat-field image ``(y, x)``; None for none.
    dark
        Level of the dark detector, or an image of it ``(y, x)``; None for 0.

    Raises
    ------
    UserError
        If an image has another shape than a frame, or the reference is nowhere brighter than the dark level.
    """
    if reference is None and dark is None:
        return video
    shape = (video.sizes["y"], video.sizes["x"])
    level = np.asarray(0.0 if dark is None else dark, dtype=np.float64)
    for name, image in (("reference", reference), ("dark image", level if level.ndim else None)):
        if image is not None and np.shape(image) != shape:
            raise UserError(
                f"the {name} has {' × '.join(map(str, np.shape(image)))} pixels and a frame "
                f"{' × '.join(map(str, shape))}; give an image of the same region"
            )
    saturation = video.attrs.get("saturation")
    saturated = None if saturation is None else video >= saturation
    corrected = video.astype(np.float64) - xr.DataArray(level, dims=("y", "x") if level.ndim else ())
    if reference is not None:
        light = np.asarray(reference, dtype=np.float64) - level
        typical = float(np.median(light[light > 0])) if (light > 0).any() else 0.0
        lit = light > 0.05 * typical
        if typical <= 0 or not lit.any():
            raise UserError("the reference image is nowhere brighter than the dark level; check --reference and --dark")
        mean = float(light[lit].mean())
        corrected = corrected * xr.DataArray(np.where(lit, mean / np.where(lit, light, 1.0), np.nan), dims=("y", "x"))
    if saturated is not None:
        corrected = corrected.where(~saturated)
    # The corrected values have no such limit.
    corrected.attrs = {name: value for name, value in video.attrs.items() if name != "saturation"}
    return corrected


def _clipped(video: xr.DataArray, frames: NDArray[Any], whole: bool) -> NDArray[np.bool_] | None:
    """Pixels at the largest value of the detector, or piled up at the ends of the range of whole numbers."""
    saturation = video.attrs.get("saturation")
    if saturation is not None:
        found = frames >= float(saturation)
        return found if found.any() else None
    if not whole or np.ptp(frames) < _LEAST_LEVELS:
        return None
    ends: list[NDArray[np.bool_]] = []
    for end, inner in ((frames.max(), -1), (frames.min(), 1)):
        at_end = int((frames == end).sum())
        next_to_it = int((frames == end + inner).sum())
        if at_end > max(_LEAST_CLIPPED, _PILED * next_to_it):
            ends.append(frames == end)
    return np.logical_or.reduce(ends) if ends else None


def _missing(frames: NDArray[Any], mask: ArrayLike | xr.DataArray | None, *, finite: bool) -> NDArray[np.bool_] | None:
    missing: NDArray[np.bool_] | None = None
    if not finite:
        # A frame at a time: no copy of the video.
        infinite = sum(int(np.isinf(frame).sum()) for frame in frames)
        if infinite:
            raise UserError(f"{infinite} pixels of the video are infinite; replace them by NaN to leave them out")
        missing = np.isnan(frames)
        if missing.all():
            raise UserError("every pixel of the video is NaN; check the file and the region")
    if mask is not None:
        chosen = np.asarray(mask)
        if chosen.dtype != np.bool_ or chosen.shape not in (frames.shape, frames.shape[1:]):
            raise UserError(
                f"the mask has the shape {chosen.shape} and type {chosen.dtype}; give booleans of shape "
                f"{frames.shape[1:]} or {frames.shape}, True where a pixel is to be left out"
            )
        whole = np.broadcast_to(chosen, frames.shape)
        missing = whole.copy() if missing is None else missing | whole
        if missing.all():
            raise UserError("the mask leaves no pixel; it is True where a pixel is to be left out")
    return missing


def _positive(value: Any, name: str, remedy: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not 0 < number < np.inf:
        raise UserError(f"{name} is {value}; {remedy}")
    return number


def _spacing(video: xr.DataArray, dx: float | tuple[float, float] | None) -> tuple[float, float]:
    remedy = "give the pixel size as a positive number (dx)"
    if dx is not None:
        pair = (dx, dx) if np.ndim(dx) == 0 else tuple(np.asarray(dx, dtype=float))
        if len(pair) != 2:
            raise UserError(f"dx has {len(pair)} values; give one, or two as (Δy, Δx)")
        return _positive(pair[0], "the pixel size Δy", remedy), _positive(pair[1], "the pixel size Δx", remedy)
    sizes = []
    for axis in ("y", "x"):
        if axis not in video.coords or video.sizes[axis] < 2:
            raise UserError(f"the video has no coordinate {axis}; {remedy}")
        steps = np.diff(video[axis].to_numpy().astype(np.float64))
        if not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
            raise UserError(f"the pixels are not evenly spaced along {axis}; interpolate the video, or give dx")
        sizes.append(_positive(abs(steps.mean()), f"the pixel size along {axis}", remedy))
    return sizes[0], sizes[1]


def _times(video: xr.DataArray, dt: float | None) -> Array:
    count = video.sizes["time"]
    if dt is not None:
        interval = _positive(dt, "the frame interval", "give it as a positive number (dt)")
        return np.asarray(np.arange(count) * interval, dtype=np.float64)
    if "time" not in video.coords:
        raise UserError("the video has no coordinate time; give the frame interval (dt)")
    times = video["time"].to_numpy()
    if times.dtype.kind in "mM":
        # Seconds.
        times = (times - times[0]) / np.timedelta64(1, "s")
    times = times.astype(np.float64)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise UserError("the frame times do not increase; sort the frames, or give the frame interval (dt)")
    return np.asarray(times - times[0])
