"""Read a video, or a part of it, into an array with axes, positions and units; refuse what cannot be a measurement."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.opening import opened
from safe_pit_cm.video.source import Source, grey, library

# A fit needs the video as it is stored, as 4-byte numbers, and its transform.
_COPIES = 3
_MIN_FRAMES = 3
_MIN_PIXELS = 8
_LARGEST = 1e100  # beyond, squares overflow
_LETTERS = "tyx"
_NAMES = {"t": "time", "y": "y", "x": "x"}


@dataclass(frozen=True)
class Selection:
    """The part of a video to read.

    Attributes
    ----------
    frames
        First frame, first frame left out, step.
    roi
        First row, first row left out, first column, first column left out.
    """

    frames: tuple[int, int, int] | None = None
    roi: tuple[int, int, int, int] | None = None


def parse_frames(text: str) -> tuple[int, int, int]:
    """Read ``START:STOP`` or ``START:STOP:STEP``."""
    match = re.fullmatch(r"(\d{1,15}):(\d{1,15})(?::(\d{1,15}))?", text)
    if not match or int(match[1]) >= int(match[2]) or int(match[3] or 1) < 1:
        raise UserError(f"--frames {text} is no range of frames; write START:STOP or START:STOP:STEP, such as 0:100")
    return int(match[1]), int(match[2]), int(match[3] or 1)


def parse_roi(text: str) -> tuple[int, int, int, int]:
    """Read ``Y0:Y1,X0:X1``."""
    match = re.fullmatch(r"(\d{1,15}):(\d{1,15}),(\d{1,15}):(\d{1,15})", text)
    if not match or int(match[1]) >= int(match[2]) or int(match[3]) >= int(match[4]):
        raise UserError(f"--roi {text} is no region; write rows and columns as Y0:Y1,X0:X1, such as 16:80,0:64")
    y0, y1, x0, x1 = (int(match[index]) for index in range(1, 5))
    return y0, y1, x0, x1


def memory_available() -> int:
    """Bytes that this process can still take: of the machine or, if less, of its control group."""
    available = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return available
    return available if limit == "max" else min(available, int(limit) - int(used))


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _axes(source: Source, path: Path, asked: str | None) -> str:
    """A letter for each axis of the file."""
    shape = source.shape
    sizes = " × ".join(map(str, shape))
    if asked is not None:
        if len(asked) != len(shape) or not set(_LETTERS) <= set(asked) or len(set(asked)) != len(asked):
            raise UserError(
                f"--axes {asked} does not fit {path}, which has {len(shape)} axes of {sizes}; name each axis once by "
                "t, y, x or c (colour), in the order of the file, such as tyx"
            )
        return asked
    axes = source.axes
    if axes is None:
        if len(shape) == 3 and shape[0] == shape[1] != shape[2]:
            raise UserError(
                f"{path} has the shape {sizes}, which looks like (y, x, time), and time must come first; say "
                "--axes yxt if so, or --axes tyx if the first axis really is time"
            )
        if len(shape) == 3 and shape[2] in (3, 4):
            raise UserError(f"{path} has the shape {sizes}, which looks like one colour image; a video needs 3 frames")
        if len(shape) == 4 and shape[3] in (3, 4):
            axes = "tyxc"
        elif len(shape) == 3:
            axes = "tyx"
        else:
            raise UserError(
                f"{path} has {len(shape)} axes ({sizes}), and a video has 3: time, y, x; "
                + ("a single image is no video" if len(shape) == 2 else "say which is which by --axes, such as tyxc")
            )
    extra = [letter for letter, size in zip(axes, shape, strict=True) if letter not in "tyxc" and size > 1]
    if extra or not set("yx") <= set(axes):
        raise UserError(f"{path} has the axes {axes} of {sizes}; save one plane as a video with the axes time, y, x")
    if "t" not in axes:
        raise UserError(f"{path} is a single image of {sizes}; a video needs at least {_MIN_FRAMES} frames")
    return axes


def _slices(source: Source, axes: str, path: Path, selection: Selection) -> dict[str, slice]:
    """Part to read of each axis, by its letter."""
    size = dict(zip(axes, source.shape, strict=True))
    parts = {letter: slice(0, count, 1) for letter, count in size.items()}
    if selection.frames is not None:
        start, stop, step = selection.frames
        if stop > size["t"]:
            raise UserError(f"--frames {start}:{stop} goes beyond {path}, which has the frames 0:{size['t']}")
        parts["t"] = slice(start, stop, step)
    if selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        if y1 > size["y"] or x1 > size["x"]:
            raise UserError(
                f"--roi {y0}:{y1},{x0}:{x1} goes beyond {path}, whose frames are 0:{size['y']},0:{size['x']}"
            )
        parts["y"], parts["x"] = slice(y0, y1, 1), slice(x0, x1, 1)
    frames, rows, columns = (len(range(*parts[letter].indices(size[letter]))) for letter in _LETTERS)
    if frames < _MIN_FRAMES:
        raise UserError(f"{path} gives {frames} frames, and a fit with an error bar needs at least {_MIN_FRAMES}")
    if min(rows, columns) < _MIN_PIXELS:
        raise UserError(f"{path} gives frames of {rows} × {columns} pixels; at least {_MIN_PIXELS} each way are needed")
    return parts


def _check_memory(source: Source, axes: str, parts: dict[str, slice], path: Path, reads: Any = None) -> None:
    counts = [len(range(*parts[letter].indices(n))) for letter, n in zip(axes, source.shape, strict=True)]
    size = float(np.prod(counts, dtype=np.float64)) * max(source.dtype.itemsize, 4)
    available = memory_available()
    if size * _COPIES > available:
        raise UserError(
            f"{path} holds {_gigabytes(size)} as asked for, a fit needs about {_COPIES} times that and "
            f"{_gigabytes(available)} of memory are free; take a part of it by --roi Y0:Y1,X0:X1 or "
            "--frames START:STOP:STEP"
        )


def check_pixels(pixels: NDArray[Any], path: Path, missing: bool = False) -> list[str]:
    """Refuse pixels that cannot be a measured field; return warnings about doubtful ones.

    Looks at one frame after another, so that the check takes no memory. With ``missing``, NaN is taken for a pixel that
    was not measured.

    Raises
    ------
    UserError
        If pixels are no numbers, NaN, infinite, too large to compute with or wrapped around, or all equal.
    """
    if pixels.dtype.kind not in "iufb":
        raise UserError(f"{path} holds {pixels.dtype} and no real numbers; save the brightness as integers or floats")
    lowest, highest = np.inf, -np.inf
    wrapped = clipped = 0
    integer = pixels.dtype.kind in "iu"
    low, high = (np.iinfo(pixels.dtype).min, np.iinfo(pixels.dtype).max) if integer else (-np.inf, np.inf)
    before: NDArray[np.float64] | None = None
    for index, raw in enumerate(pixels):
        frame = raw.astype(np.float64)
        if not integer and (bad := np.isinf(frame) if missing else ~np.isfinite(frame)).any():
            y, x = np.argwhere(bad)[0]
            raise UserError(
                f"{path} has {int(bad.sum())} NaN or infinite pixels in frame {index} (the first at row {y}, column "
                f"{x}); cut them off by --roi or --frames, or, where they are NaN because nothing was measured there, "
                "give --missing"
            )
        lowest = min(lowest, float(np.nanmin(frame, initial=np.inf)))
        highest = max(highest, float(np.nanmax(frame, initial=-np.inf)))
        if integer:
            clipped += int(((raw == high) | ((raw == low) & (low == 0))).sum())
            if before is not None:
                wrapped += int((np.abs(frame - before) > 0.75 * (float(high) - float(low))).sum())
            before = frame
    if max(abs(lowest), abs(highest)) > (2.0**53 if integer else _LARGEST):
        raise UserError(
            f"{path} has pixels as large as {max(abs(lowest), abs(highest)):.3g}, which looks like an overflow and is "
            "too large to compute with exactly; divide the video by a constant, which changes no diffusivity"
        )
    if wrapped > 1e-4 * pixels.size:
        raise UserError(
            f"{path} has {wrapped} pixels that jump by nearly the whole range of {pixels.dtype} from one frame to the "
            "next, which looks like integer overflow; save the video again with more bits or a lower gain"
        )
    if lowest == highest:
        raise UserError(f"{path} is constant (every pixel is {lowest:g}); a fit needs a field that changes")
    if lowest > highest:
        raise UserError(f"{path} holds nothing but NaN; check the file, or choose other frames by --frames")
    if not any((frame != pixels[0]).any() for frame in pixels[1:]):
        raise UserError(f"every frame of {path} is the same; nothing moves, so there is no coefficient to measure")
    if clipped > 0.001 * pixels.size:
        return [
            f"{clipped / pixels.size:.1%} of the pixels are at a limit of {pixels.dtype} ({low} or {high}): where the "
            "camera was saturated or the image clipped, the fit is biased"
        ]
    return []


def _positions(
    letter: str, source: Source, part: slice, size: int, asked: float | None, option: str, path: Path
) -> NDArray[np.float64]:
    """Positions of what was read along one axis."""
    if asked is None and letter in source.coordinates:
        positions = source.coordinates[letter][part]
        steps = np.diff(positions)
        if np.isfinite(positions).all() and ((steps > 0).all() or (letter != "t" and (steps < 0).all())):
            return positions if steps[0] > 0 else positions[::-1] * -1
        raise UserError(
            f"the {_NAMES[letter]} coordinate of {path} does not grow from one value to the next; give {option}"
        )
    step = asked if asked is not None else source.spacing.get(letter)
    if step is None:
        what = "time between frames" if letter == "t" else "size of a pixel"
        raise UserError(
            f"{path} does not say the {what}; give it by {option} (1 if you want the result in pixels and frames)"
        )
    if not (np.isfinite(step) and step > 0):
        source_of = option if asked is not None else f"the metadata of {path}, to be replaced by {option},"
        raise UserError(f"{source_of} must be a positive number, and is {step:g}")
    return np.arange(size, dtype=np.float64)[part] * step


def read(
    path: str | Path,
    *,
    dx: tuple[float, float] | float | None = None,
    dt: float | None = None,
    selection: Selection | None = None,
    axes: str | None = None,
    channel: int | None = None,
    variable: str | None = None,
    length_unit: str | None = None,
    time_unit: str | None = None,
    missing: bool = False,
) -> xr.DataArray:
    """Read a video of any supported format.

    Parameters
    ----------
    path
        TIFF stack, NumPy array or archive, Zarr or HDF5 array or dataset, NetCDF, movie, or folder of PNG images.
    dx
        Pixel size, one number or (Δy, Δx); what the file says if None.
    dt
        Time between the frames of the file; what the file says if None.
    selection
        Frames and region to read; only they are held in memory where the format allows it.
    axes
        Meaning of the file's axes in their order, a letter per axis, such as ``yxt``.
    channel
        Colour channel of a colour video.
    variable
        Name of the array, for files that hold several.
    length_unit, time_unit
        Units of dx and dt; what the file says if None.
    missing
        Whether NaN marks a pixel that was not measured, rather than a mistake.

    Returns
    -------
    xr.DataArray
        ``(time, y, x)``, with coordinates and their ``units``. ``attrs["warnings"]`` lists doubts about the pixels.

    Raises
    ------
    UserError
        If the video cannot be read, does not fit into memory, or cannot be a measured field.
    """
    path = Path(path)
    selection = selection or Selection()
    for value, option in ((dt, "--dt"), *((d, "--dx") for d in np.atleast_1d(dx if dx is not None else 1.0))):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise UserError(f"{option} must be a positive number, and is {value:g}")
    with opened(path, variable=variable, channel=channel) as source:
        letters = _axes(source, path, axes)
        parts = _slices(source, letters, path, selection)
        _check_memory(source, letters, parts, path)
        pixels = source.load(tuple(parts[letter] for letter in letters))
        pixels = pixels.transpose([letters.index(letter) for letter in sorted(letters, key="zctyx".index)])
        # Singleton planes go; colour becomes brightness.
        leading = [letter for letter in sorted(letters, key="zctyx".index) if letter not in _LETTERS]
        for letter in leading:
            pixels = grey(np.moveaxis(pixels, 0, -1), channel, path) if letter == "c" else pixels[0]
    warnings = check_pixels(pixels, path, missing)
    dy, dx_ = (None, None) if dx is None else (dx, dx) if isinstance(dx, int | float) else dx
    asked = {"t": dt, "y": dy, "x": dx_}
    size = dict(zip(letters, source.shape, strict=True))
    coordinates = {}
    for letter in _LETTERS:
        option = "--dt" if letter == "t" else "--dx"
        positions = _positions(letter, source, parts[letter], size[letter], asked[letter], option, path)
        unit = (time_unit if letter == "t" else length_unit) or source.units.get(letter, "1")
        name = _NAMES[letter]
        coordinates[name] = (
            name,
            positions,
            {"long_name": name if letter == "t" else f"{name} position", "units": unit},
        )
    return xr.DataArray(
        np.ascontiguousarray(pixels),
        dims=("time", "y", "x"),
        coords=coordinates,
        name="field",
        attrs={"long_name": "brightness", "units": "1", "warnings": warnings},
    )


def read_mask(path: str | Path, selection: Selection) -> NDArray[np.bool_]:
    """Read which pixels to leave out: those that are not zero in an image of the size of a frame.

    Returns
    -------
    NDArray
        Booleans ``(y, x)``, cut to the region of the selection.

    Raises
    ------
    UserError
        If there is no such image.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; --mask needs a PNG image or an .npy array of one frame")
    try:
        if path.suffix.lower() == ".npy":
            image = np.load(path, allow_pickle=False)
        else:
            with library("PIL.Image", path).open(path) as image_file:
                image = np.asarray(image_file.convert("L"))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no image that can be read; --mask needs a PNG image or an .npy array") from error
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise UserError(f"{path} has {image.ndim} axes of {image.dtype}; --mask needs one number for each pixel (y, x)")
    if selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        image = image[y0:y1, x0:x1]
    return np.asarray(image != 0)
