"""A video that is open but not read, and what all formats share."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

Selection = tuple[slice, ...]

INSTALL = "pip install 'safe-pit-cm[video]'"
INSTALL_MICROSCOPES = "pip install 'safe-pit-cm[microscopes]'"
FORMATS = (
    "TIFF, NumPy (.npy, .npz), Zarr or OME-Zarr, NetCDF, HDF5, a movie, CZI, LIF, LSM, ND2, OIB, OIF, ZVI, or a folder "
    "of TIFF, PNG or JPEG images"
)
COLOURS = ("red", "green", "blue")

_AXIS_NAMES = {
    "t": {"t", "time", "frame", "frames"},
    "y": {"y", "row", "rows", "height"},
    "x": {"x", "col", "column", "columns", "width"},
    "c": {"c", "channel", "channels", "rgb", "band", "s"},
    "z": {"z", "depth"},
}


@dataclass(frozen=True)
class Choice:
    """Which video to read, where a path holds several.

    Attributes
    ----------
    variable
        Name of the array or image, for files that hold several.
    channel, z
        Channel and slice, from 0.
    pattern
        Names of the files of a folder that belong to the video, with the wildcards ``*``, ``?`` and ``[…]``.
    """

    variable: str | None = None
    channel: int | None = None
    z: int | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Source:
    """A video that is open but not read.

    Attributes
    ----------
    axes
        A letter for each axis that the file names: ``t``, ``y``, ``x``, ``c`` (channel or colour), ``z``; None if it
        names none.
    shape
        Of the whole video, in the order of the file.
    dtype
        Of a pixel.
    load
        Reads a selection, one slice per axis.
    coordinates
        Positions of frames, rows and columns, by letter, where the file lists them.
    spacing
        Pixel size or frame interval by letter, where the file gives it.
    units
        Unit of ``t``, ``y`` and ``x`` where the file gives it, as the file spells it.
    channels
        Names of the channels, where the file gives them.
    bits
        Bits of a pixel that the detector fills, where the file gives them.
    acquired
        When a single image was taken, in seconds since a fixed moment.
    frame_rate
        Frames a second at which a movie is played, which is not the rate at which it was recorded.
    warnings
        What the format itself gives reason to doubt.
    """

    axes: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[Selection], NDArray[Any]]
    coordinates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    spacing: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    bits: int | None = None
    acquired: float | None = None
    frame_rate: float | None = None
    warnings: tuple[str, ...] = ()


def library(name: str, path: Path, install: str = INSTALL) -> Any:
    """Import an optional library, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"reading {path} needs the library {name.split('.')[0]}, which is not installed; install it by: {install}"
        ) from error


def axis_letter(name: object) -> str:
    """Letter of an axis of this name, ``?`` if the name says nothing."""
    return next((letter for letter, names in _AXIS_NAMES.items() if str(name).lower() in names), "?")


def choose(names: list[str], variable: str | None, path: Path, what: str = "array") -> str:
    """The array to read among those that could be a video."""
    if variable is not None:
        if variable in names:
            return variable
        raise UserError(f"{path} holds no {what} {variable} of 3 or more axes; --variable can be {_listed(names)}")
    if not names:
        raise UserError(f"{path} holds no {what} of 3 axes (time, y, x); a video needs one")
    if len(names) == 1:
        return names[0]
    if "field" in names:
        return "field"
    raise UserError(f"{path} holds several {what}s: choose one by --variable {_listed(names)}")


def _listed(names: list[str]) -> str:
    return " or ".join(names) if names else "left out: it holds none"


def array_source(array: Any, axes: str | None = None, **known: Any) -> Source:
    """Source of anything that slices like an array."""
    return Source(
        axes, tuple(array.shape), np.dtype(array.dtype), lambda selection: np.asarray(array[selection]), **known
    )


def grey(image: NDArray[Any], path: Path, names: tuple[str, ...] = ()) -> NDArray[Any]:
    """Brightness of an image whose last axis is the channel, if all channels show the same; the other axes are free.

    Raises
    ------
    UserError
        If the channels differ.
    """
    channels = image.shape[-1]
    # A fourth channel of a colour image says how opaque a pixel is.
    colours = image[..., :3] if channels == 4 else image
    first = colours[..., 0]
    # Movie codecs store colour apart from brightness; their rounding alone moves a grey pixel by a few levels.
    slack = 8 if image.dtype == np.uint8 else 0
    for other in range(1, colours.shape[-1]):
        difference = np.maximum(first, colours[..., other]) - np.minimum(first, colours[..., other])
        if difference.size and difference.max() > slack:
            called = f" ({', '.join(names)})" if names else ""
            raise UserError(
                f"{path} has {channels} channels{called}, and a field has one value a pixel; choose one channel by "
                f"--channel 0 to {channels - 1}"
            )
    return np.asarray(first)
