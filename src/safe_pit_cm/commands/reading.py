"""Options of the commands that read a film, and how they are followed."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from safe_pit_cm.video.selection import Selection

# Options that say what is read; the result records those that were given.
_RECORDED = ("times", "roi", "frames", "axes", "channel", "z", "pattern", "variable", "missing")


def _pixel(text: str) -> float | tuple[float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise argparse.ArgumentTypeError(f"{text!r} is no pixel size; give one number, or DY,DX")
    return values[0] if len(values) == 1 else (values[0], values[1])


def _image_or_level(text: str) -> float | Path:
    try:
        level = float(text)
    except ValueError:
        return Path(text)
    if not math.isfinite(level):
        raise argparse.ArgumentTypeError(f"{text!r} is no level; give a finite number, or an image")
    return level


def add_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options that say which film, or films, which part of it, and in which units."""
    add = parser.add_argument
    add(
        "videos" if several else "video",
        nargs="+" if several else None,
        type=Path,
        metavar="VIDEO",
        help="TIFF, LSM, CZI, LIF, ND2, OIB, ZVI, .npy, .npz, Zarr, OME-Zarr, NetCDF, HDF5, movie or folder of images",
    )
    add("--dx", type=_pixel, metavar="DX", help="pixel size, or DY,DX; default: what the file says")
    add("--dt", type=float, metavar="DT", help="time between two frames of the file; default: what the file says")
    add("--times", type=Path, metavar="FILE", help="text or CSV with the time of each frame of the file")
    add("--length-unit", metavar="UNIT", help="unit of --dx and of the result; default: µm where the file has a unit")
    add(
        "--time-unit", metavar="UNIT", help="unit of --dt, --times and the result; default: s where the file has a unit"
    )
    add("--roi", metavar="Y0:Y1,X0:X1", help="rows and columns to use, the last ones not included")
    add("--frames", metavar="START:STOP[:STEP]", help="frames to use, STOP not included")
    add("--axes", metavar="LETTERS", help="meaning of the file's axes in their order, such as yxt or tyxc")
    add("--channel", type=int, metavar="N", help="channel to read, from 0, where the file has several")
    add("--z", type=int, metavar="N", help="slice in z to read, from 0, where the file has several")
    add("--pattern", metavar="GLOB", help="names of the images of a folder that are the film, such as '*s.tif'")
    add("--variable", metavar="NAME", help="name of the array, image or scene, for files that hold several")
    add("--missing", action="store_true", help="take NaN pixels as missing instead of refusing them")
    add("--mask", type=Path, metavar="FILE", help="image of one frame: pixels that are not 0 are left out")
    add(
        "--dark",
        type=_image_or_level,
        metavar="FILE|LEVEL",
        help="image of one frame without light, or its level, to subtract",
    )


@dataclass(frozen=True)
class Film:
    """A film as it was asked for.

    Attributes
    ----------
    video
        The frames.
    mask
        True where a pixel is to be left out, None where none is.
    selection
        The part that was read.
    options
        Of the command.
    """

    video: "xr.DataArray"
    mask: "NDArray[np.bool_] | None"
    selection: "Selection"
    options: argparse.Namespace

    def image(self, given: "float | Path | None", option: str) -> "float | NDArray[np.float64] | None":
        """An image of one frame, cut to the part that was read; a level as it is."""
        if not isinstance(given, Path):
            return given
        from safe_pit_cm.video import still

        chosen = {"channel": self.options.channel, "z": self.options.z}
        return still.read_image(given, self.video, self.selection, option=option, **chosen)

    def record(self, *further: str) -> dict[str, Any]:
        """What the result says of its input: the options given, and doubts about the pixels."""
        chosen = {name: getattr(self.options, name) for name in (*_RECORDED, *further)}
        return {
            "video": self.options.video.name,
            "input": {
                name: value.name if isinstance(value, Path) else value
                for name, value in chosen.items()
                if value is not None and value is not False
            },
            "warnings": self.video.attrs["warnings"],
        }


def read(options: argparse.Namespace, say: Callable[[str], None]) -> Film:
    """Read the film that the options name.

    Raises
    ------
    UserError
        If it cannot be read or used.
    """
    from safe_pit_cm.video import reading, still, times
    from safe_pit_cm.video.selection import Selection, parse_frames, parse_roi

    selection = Selection(
        parse_frames(options.frames) if options.frames is not None else None,
        parse_roi(options.roi) if options.roi is not None else None,
    )
    say(f"reading {options.video}")
    video = reading.read(
        options.video,
        dx=options.dx,
        dt=options.dt,
        times=times.read_times(options.times) if options.times is not None else None,
        selection=selection,
        axes=options.axes,
        channel=options.channel,
        z=options.z,
        pattern=options.pattern,
        variable=options.variable,
        length_unit=options.length_unit,
        time_unit=options.time_unit,
        missing=options.missing,
    )
    mask = still.read_mask(options.mask, selection) if options.mask is not None else None
    for warning in video.attrs["warnings"]:
        say(f"warning: {warning}")
    return Film(video, mask, selection, options)
