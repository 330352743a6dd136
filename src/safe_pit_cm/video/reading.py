"""Read a video, or a part of it, into an array with axes, positions and units; refuse what cannot be a measurement."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import units
from safe_pit_cm.video.opening import opened
from safe_pit_cm.video.source import Choice, Source, grey
from safe_pit_cm.video.times import check_times

# A fit needs the video as it is stored, as 4-byte numbers, and its transform.
_COPIES = 3
_MIN_FRAMES = 3
_MIN_PIXELS = 8
_LARGEST = 1e100  # beyond, squares overflow
_CLIPPED = 1e-3  # share of equal extreme pixels that is no chance
_DEPTHS = (8, 10, 12, 14)  # bits of detectors whose images are stored in 16
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
                "t, y, x, c (channel) or z, in the order of the file, such as tyx"
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
    counts = dict(zip(axes, shape, strict=True))
    if any(letter not in "tzyxc" and size > 1 for letter, size in counts.items()) or not set("yx") <= set(axes):
        raise UserError(f"{path} has the axes {axes} of {sizes}; save one plane as a video with the axes time, y, x")
    if counts.get("t", 1) == 1:
        if counts.get("z", 1) > 1:
            raise UserError(
                f"{path} holds one time with {counts['z']} slices in z, and a film needs at least {_MIN_FRAMES} times; "
                f"if the slices are the frames of a film, say --axes {axes.replace('t', 's').replace('z', 't')}"
            )
        raise UserError(
            f"{path} is a single image of {sizes}; a video needs at least {_MIN_FRAMES} frames, as one file or as "
            "images in one folder"
        )
    return axes


def _one(letter: str, count: int, asked: int | None, path: Path) -> slice:
    """What to read of the channels or the slices in z."""
    name, option = ("channels", "--channel") if letter == "c" else ("slices in z", "--z")
    if asked is not None:
        if not 0 <= asked < count:
            raise UserError(f"{path} has the {name} 0 to {count - 1}: {option} {asked} is none of them")
        return slice(asked, asked + 1)
    if letter == "z" and count > 1:
        raise UserError(f"{path} has {count} slices in z, and a field has none; choose one by --z 0 to {count - 1}")
    return slice(0, count)


def _slices(source: Source, axes: str, path: Path, selection: Selection, choice: Choice) -> dict[str, slice]:
    """Part to read of each axis, by its letter."""
    size = dict(zip(axes, source.shape, strict=True))
    parts = {letter: slice(0, count, 1) for letter, count in size.items()}
    for letter, asked in (("c", choice.channel), ("z", choice.z)):
        part = _one(letter, size.get(letter, 1), asked, path)
        if letter in size:
            parts[letter] = part
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


def _check_memory(source: Source, axes: str, parts: dict[str, slice], path: Path) -> None:
    counts = {letter: len(range(*parts[letter].indices(n))) for letter, n in zip(axes, source.shape, strict=True)}
    # Bytes as they are read, or as the 4-byte numbers of one channel.
    pixel = max(source.dtype.itemsize * counts.get("c", 1), 4)
    size = float(np.prod([counts[letter] for letter in _LETTERS], dtype=np.float64)) * pixel
    available = memory_available()
    if size * _COPIES > available:
        raise UserError(
            f"{path} holds {_gigabytes(size)} as asked for, a fit needs about {_COPIES} times that and "
            f"{_gigabytes(available)} of memory are free; take a part of it by --roi Y0:Y1,X0:X1 or "
            "--frames START:STOP:STEP"
        )


def _loaded(source: Source, letters: str, parts: dict[str, slice], path: Path) -> NDArray[Any]:
    """Pixels ``(time, y, x)`` of the parts; channels that all show the same become one."""
    # Axes of one step that no letter here names come first.
    order = sorted(letters, key="zctyx".find)
    others = [letter for letter in order if letter not in _LETTERS]

    def load(parts: dict[str, slice]) -> NDArray[Any]:
        pixels = source.load(tuple(parts[letter] for letter in letters))
        pixels = pixels.transpose([letters.index(letter) for letter in order])
        for letter in others:
            pixels = grey(np.moveaxis(pixels, 0, -1), path, source.channels) if letter == "c" else pixels[0]
        return pixels

    if "c" in others and parts["c"].stop - parts["c"].start > 1:
        # Channels that differ do so in the first frame, before a large film is read.
        start = parts["t"].start
        load(parts | {"t": slice(start, start + 1, 1)})
    return load(parts)


@dataclass(frozen=True)
class Brightness:
    """What a look at all pixels found.

    Attributes
    ----------
    saturation
        Largest value that the detector can give, at which a pixel is saturated; None where it is not known.
    warnings
        Doubts about the pixels.
    """

    saturation: float | None
    warnings: list[str]


@dataclass
class _Extreme:
    """The largest value so far and how many pixels have exactly that."""

    value: float = -np.inf
    count: int = 0

    def update(self, frame: NDArray[np.float64]) -> None:
        value = float(np.nanmax(frame, initial=-np.inf))
        if value > self.value:
            self.value, self.count = value, 0
        if value == self.value:
            self.count += int((frame == value).sum())


def _saturation(dtype: np.dtype[Any], bits: int | None, highest: _Extreme, size: int) -> float | None:
    """Largest value of the detector: by its bits, else by the type, unless the pixels pile up at that of fewer bits."""
    if dtype.kind not in "iu":
        return None
    # Metadata can name fewer bits than the pixels have.
    if bits is not None and 2.0**bits - 1 >= highest.value and bits < 8 * dtype.itemsize:
        return 2.0**bits - 1
    piled_up = highest.count > _CLIPPED * size
    of_fewer = [2.0**depth - 1 for depth in _DEPTHS if depth < 8 * dtype.itemsize and piled_up]
    return highest.value if highest.value in of_fewer else float(np.iinfo(dtype).max)


def check_pixels(pixels: NDArray[Any], path: Path, missing: bool = False, bits: int | None = None) -> Brightness:
    """Refuse pixels that cannot be a measured field; find the level of saturation and doubtful pixels.

    Looks at one frame after another, so that the check takes no memory. With ``missing``, NaN is taken for a pixel that
    was not measured. ``bits`` are those that the detector fills, where the file gives them.

    Raises
    ------
    UserError
        If pixels are no numbers, NaN, infinite, too large to compute with or wrapped around, or all equal.
    """
    if pixels.dtype.kind not in "iufb":
        raise UserError(f"{path} holds {pixels.dtype} and no real numbers; save the brightness as integers or floats")
    highest, negated = _Extreme(), _Extreme()
    wrapped = 0
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
        highest.update(frame)
        negated.update(-frame)
        if integer:
            if before is not None:
                wrapped += int((np.abs(frame - before) > 0.75 * (float(high) - float(low))).sum())
            before = frame
    lowest = -negated.value
    if max(abs(lowest), abs(highest.value)) > (2.0**53 if integer else _LARGEST):
        raise UserError(
            f"{path} has pixels as large as {max(abs(lowest), abs(highest.value)):.3g}, which looks like an overflow "
            "and is too large to compute with exactly; divide the video by a constant, which changes no diffusivity"
        )
    if wrapped > 1e-4 * pixels.size:
        raise UserError(
            f"{path} has {wrapped} pixels that jump by nearly the whole range of {pixels.dtype} from one frame to the "
            "next, which looks like integer overflow; save the video again with more bits or a lower gain"
        )
    if lowest == highest.value:
        raise UserError(f"{path} is constant (every pixel is {lowest:g}); a fit needs a field that changes")
    if lowest > highest.value:
        raise UserError(f"{path} holds nothing but NaN; check the file, or choose other frames by --frames")
    if not any((frame != pixels[0]).any() for frame in pixels[1:]):
        raise UserError(f"every frame of {path} is the same; nothing moves, so there is no coefficient to measure")
    saturation = _saturation(pixels.dtype, bits, highest, pixels.size)
    return Brightness(saturation, _clipping(pixels, highest, negated, saturation))


def _clipping(pixels: NDArray[Any], highest: _Extreme, negated: _Extreme, saturation: float | None) -> list[str]:
    """Warnings about pixels that pile up at the largest or smallest value."""
    warnings = []
    for extreme, limit, what in (
        (highest, saturation, "saturated"),
        (negated, 0.0 if pixels.dtype.kind in "u" else None, "cut off"),
    ):
        share = extreme.count / pixels.size
        # Integers repeat by nature: their extremes count only at a limit.
        if share > _CLIPPED and (pixels.dtype.kind == "f" or extreme.value == limit):
            value = extreme.value if extreme is highest else -extreme.value + 0.0
            side = "largest" if extreme is highest else "smallest"
            warnings.append(
                f"{share:.1%} of the pixels have exactly the {side} value, {value:g}: where they are {what} or "
                "clipped, the fit is biased"
            )
    return warnings


def _unit(letter: str, source: Source, asked: str | None, path: Path) -> tuple[float, str]:
    """Factor and unit that what the file says is converted to: µm and s where the file's unit is known."""
    given = source.units.get(letter)
    if given is None:
        return 1.0, asked or "1"
    factor = units.factor(letter, given)
    wanted = asked or (units.standard(letter) if factor is not None else given)
    size = units.factor(letter, wanted)
    if factor is not None and size is not None:
        return factor / size, wanted
    if wanted != given and (factor is not None or size is not None) and given not in ("", "1"):
        option, scale = ("--time-unit", "--dt") if letter == "t" else ("--length-unit", "--dx")
        raise UserError(
            f"{path} gives its {_NAMES[letter]} axis in {given}, which cannot be converted to {option} {wanted}; give "
            f"{scale} in that unit, or leave {option} out"
        )
    return 1.0, wanted


def _unknown(letter: str, source: Source, path: Path) -> str:
    """What to say where neither the file nor the user gives a scale."""
    if letter != "t":
        return f"{path} does not say the size of a pixel; give it by --dx (1 if you want the result in pixels)"
    if source.frame_rate is not None:
        return (
            f"{path} is played at {source.frame_rate:g} frames a second, which does not say how fast it was recorded; "
            f"give the time between frames by --dt ({1 / source.frame_rate:g} s if the two are the same)"
        )
    return (
        f"{path} does not say the time between frames; give it by --dt or, where it changes, by --times (--dt 1 if you "
        "want the result in frames)"
    )


def _positions(
    letter: str,
    source: Source,
    part: slice,
    size: int,
    asked: float | None,
    times: NDArray[np.float64] | None,
    path: Path,
) -> NDArray[np.float64]:
    """Positions of what was read along one axis, as the user or the file has them."""
    option = "--dt" if letter == "t" else "--dx"
    if times is not None:
        if len(times) != size:
            raise UserError(
                f"--times gives {len(times)} times and {path} has {size} frames; give one time for each frame of the "
                "file, also where only some are read"
            )
        check_times(times, "--times")
        return times[part]
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
        raise UserError(_unknown(letter, source, path))
    if not (np.isfinite(step) and step > 0):
        source_of = option if asked is not None else f"the metadata of {path}, to be replaced by {option},"
        raise UserError(f"{source_of} must be a positive number, and is {step:g}")
    return np.arange(size, dtype=np.float64)[part] * step


def read(
    path: str | Path,
    *,
    dx: tuple[float, float] | float | None = None,
    dt: float | None = None,
    times: ArrayLike | None = None,
    selection: Selection | None = None,
    axes: str | None = None,
    channel: int | None = None,
    z: int | None = None,
    pattern: str | None = None,
    variable: str | None = None,
    length_unit: str | None = None,
    time_unit: str | None = None,
    missing: bool = False,
) -> xr.DataArray:
    """Read a video of any supported format.

    Parameters
    ----------
    path
        File, or folder with an image for each frame; the page *Inputs* of the documentation lists the formats.
    dx
        Pixel size, one number or (Δy, Δx); what the file says if None.
    dt
        Time between the frames of the file; what the file says if None.
    times
        Time of each frame of the file, growing; takes the place of ``dt``.
    selection
        Frames and region to read; only they are held in memory where the format allows it.
    axes
        Meaning of the file's axes in their order, a letter per axis, such as ``yxt``.
    channel, z
        Channel and slice to read, from 0; needed where a file has several.
    pattern
        Names of the images of a folder that belong to the film, such as ``*s.tif``; all if None.
    variable
        Name of the array or image, for files that hold several.
    length_unit, time_unit
        Units of dx, dt and times. What the file says is converted to them, or else to µm and s.
    missing
        Whether NaN marks a pixel that was not measured, rather than a mistake.

    Returns
    -------
    xr.DataArray
        ``(time, y, x)``, with coordinates and their ``units``. Attributes: ``warnings``, doubts about the film;
        ``saturation``, the largest value that the detector can give, where it is known; ``frame_size``, rows and
        columns of a whole frame.

    Raises
    ------
    UserError
        If the video cannot be read, does not fit into memory, or cannot be a measured field.
    """
    path = Path(path)
    selection = selection or Selection()
    choice = Choice(variable, channel, z, pattern)
    for value, option in ((dt, "--dt"), *((d, "--dx") for d in np.atleast_1d(dx if dx is not None else 1.0))):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise UserError(f"{option} must be a positive number, and is {value:g}")
    if dt is not None and times is not None:
        raise UserError("--dt and --times both give the times of the frames; give one of them")
    listed = None if times is None else np.asarray(times, dtype=np.float64)
    with opened(path, choice) as source:
        letters = _axes(source, path, axes)
        parts = _slices(source, letters, path, selection, choice)
        _check_memory(source, letters, parts, path)
        pixels = _loaded(source, letters, parts, path)
    brightness = check_pixels(pixels, path, missing, source.bits)
    dy, dx_ = (None, None) if dx is None else (dx, dx) if isinstance(dx, int | float) else dx
    asked = {"t": dt, "y": dy, "x": dx_}
    size = dict(zip(letters, source.shape, strict=True))
    coordinates = {}
    for letter, wanted in (("t", time_unit), ("y", length_unit), ("x", length_unit)):
        given = listed if letter == "t" else None
        positions = _positions(letter, source, parts[letter], size[letter], asked[letter], given, path)
        if asked[letter] is not None or given is not None:
            factor, unit = 1.0, wanted or _unit(letter, source, None, path)[1]
        else:
            factor, unit = _unit(letter, source, wanted, path)
        name = _NAMES[letter]
        coordinates[name] = (
            name,
            positions * factor,
            {"long_name": name if letter == "t" else f"{name} position", "units": unit},
        )
    known = {} if brightness.saturation is None else {"saturation": brightness.saturation}
    return xr.DataArray(
        np.ascontiguousarray(pixels),
        dims=("time", "y", "x"),
        coords=coordinates,
        name="field",
        attrs={
            "long_name": "brightness",
            "units": "1",
            "warnings": [*source.warnings, *brightness.warnings],
            "frame_size": [size["y"], size["x"]],
            **known,
        },
    )


def _still(path: Path, option: str, choice: Choice) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An image of one frame, ``(y, x)`` or ``(y, x, channel)``, and the names of its channels."""
    if not path.exists():
        raise UserError(f"there is no file {path}; {option} needs an image of one frame")
    with opened(path, choice) as source:
        axes = source.axes or {2: "yx", 3: "yxc"}.get(len(source.shape), "")
        counts = dict(zip(axes, source.shape, strict=False))
        if any(counts.get(letter, 1) != 1 for letter in set(axes) - set("zyxc")) or not set("yx") <= set(axes):
            sizes = " × ".join(map(str, source.shape))
            raise UserError(f"{path} has {len(source.shape)} axes of {sizes}; {option} needs an image of one frame")
        parts = {letter: slice(0, count) for letter, count in counts.items()}
        for letter, asked in (("c", choice.channel), ("z", choice.z)):
            # A film of several channels may well have a reference of one.
            if counts.get(letter, 1) > 1:
                parts[letter] = _one(letter, counts[letter], asked, path)
        pixels = source.load(tuple(parts[letter] for letter in axes))
        order = [axes.index(letter) for letter in sorted(axes, key=lambda letter: "tzyxc".find(letter))]
        pixels = pixels.transpose(order)
        kept = (counts["y"], counts["x"], *((pixels.shape[-1],) if "c" in axes else ()))
        pixels = pixels.reshape(kept)
    if pixels.dtype.kind not in "biuf":
        raise UserError(f"{path} holds {pixels.dtype} and no real numbers; {option} needs an image")
    return pixels, source.channels


def read_image(
    path: str | Path,
    film: xr.DataArray,
    selection: Selection | None = None,
    *,
    option: str = "--reference",
    channel: int | None = None,
    z: int | None = None,
) -> NDArray[np.float64]:
    """Read an image of one frame that belongs to a film, such as the one before bleaching or a dark one.

    Parameters
    ----------
    path
        Image of any format that holds a film or a frame of one.
    film
        The film as :func:`read` returned it.
    selection
        The selection by which the film was read; the image is cut to its region.
    option
        What asks for the image, for messages.
    channel, z
        Channel and slice to read, where the image has several.

    Returns
    -------
    NDArray
        ``(y, x)``, of the size of the film that was read.

    Raises
    ------
    UserError
        If there is no such image, or its size is not that of a frame.
    """
    path = Path(path)
    pixels, channels = _still(path, option, Choice(channel=channel, z=z))
    image = (grey(pixels, path, channels) if pixels.ndim == 3 else pixels).astype(np.float64)
    rows, columns = film.attrs["frame_size"]
    if image.shape != (rows, columns):
        raise UserError(
            f"{path} has {image.shape[0]} × {image.shape[1]} pixels and a frame of the film {rows} × {columns}; "
            f"{option} needs an image of a whole frame, taken with the same camera settings"
        )
    if not np.isfinite(image).all():
        raise UserError(f"{path} has NaN or infinite pixels; {option} needs an image without")
    if selection is not None and selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        image = image[y0:y1, x0:x1]
    return image


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
    pixels, _ = _still(Path(path), "--mask", Choice())
    marked: NDArray[np.bool_] = np.asarray((pixels != 0).any(axis=-1) if pixels.ndim == 3 else pixels != 0)
    if selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        marked = marked[y0:y1, x0:x1]
    return marked
