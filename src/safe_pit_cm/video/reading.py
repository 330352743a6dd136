"""Read a video, or a part of it, into an array with axes, positions and units; refuse what cannot be a measurement."""

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.opening import opened
from safe_pit_cm.video.pixels import check_pixels
from safe_pit_cm.video.scales import NAMES, positions_of, unit_of
from safe_pit_cm.video.selection import LETTERS, Selection, axes_of, slices_of
from safe_pit_cm.video.source import Choice, Source, grey

# A fit needs the video as it is stored, as 4-byte numbers, and its transform.
_COPIES = 3


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


def _check_memory(source: Source, axes: str, parts: dict[str, slice], path: Path) -> None:
    counts = {letter: len(range(*parts[letter].indices(n))) for letter, n in zip(axes, source.shape, strict=True)}
    # Bytes as they are read, or as the 4-byte numbers of one channel.
    pixel = max(source.dtype.itemsize * counts.get("c", 1), 4)
    size = float(np.prod([counts[letter] for letter in LETTERS], dtype=np.float64)) * pixel
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
    others = [letter for letter in order if letter not in LETTERS]

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
        letters = axes_of(source, path, axes)
        parts = slices_of(source, letters, path, selection, choice)
        _check_memory(source, letters, parts, path)
        pixels = _loaded(source, letters, parts, path)
    brightness = check_pixels(pixels, path, missing, source.bits)
    dy, dx_ = (None, None) if dx is None else (dx, dx) if isinstance(dx, int | float) else dx
    asked = {"t": dt, "y": dy, "x": dx_}
    size = dict(zip(letters, source.shape, strict=True))
    coordinates = {}
    for letter, wanted in (("t", time_unit), ("y", length_unit), ("x", length_unit)):
        given = listed if letter == "t" else None
        positions = positions_of(letter, source, parts[letter], size[letter], asked[letter], given, path)
        if asked[letter] is not None or given is not None:
            factor, unit = 1.0, wanted or unit_of(letter, source, None, path)[1]
        else:
            factor, unit = unit_of(letter, source, wanted, path)
        name = NAMES[letter]
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
