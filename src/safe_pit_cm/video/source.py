"""A video that is open but not read, and what all formats share."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

Selection = tuple[slice, ...]

INSTALL = "pip install 'safe-pit-cm[video]'"
FORMATS = "TIFF, NumPy (.npy, .npz), Zarr, NetCDF, HDF5, MP4, AVI, or a folder of PNG images"

_AXIS_NAMES = {
    "t": {"t", "time", "frame", "frames"},
    "y": {"y", "row", "rows", "height"},
    "x": {"x", "col", "column", "columns", "width"},
    "c": {"c", "channel", "channels", "rgb", "band", "s"},
    "z": {"z", "depth"},
}


@dataclass(frozen=True)
class Source:
    """A video that is open but not read.

    Attributes
    ----------
    axes
        A letter for each axis that the file names: ``t``, ``y``, ``x``, ``c`` (colour channel), ``z``; None if it
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
        Unit of ``t``, ``y`` and ``x`` where the file gives it.
    """

    axes: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[Selection], NDArray[Any]]
    coordinates: dict[str, NDArray[np.float64]]
    spacing: dict[str, float]
    units: dict[str, str]


def library(name: str, path: Path) -> Any:
    """Import an optional library, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"reading {path} needs the library {name.split('.')[0]}, which is not installed; install it by: {INSTALL}"
        ) from error


def axis_letter(name: object) -> str:
    """Letter of an axis of this name, ``?`` if the name says nothing."""
    return next((letter for letter, names in _AXIS_NAMES.items() if str(name).lower() in names), "?")


def choose(names: list[str], variable: str | None, path: Path) -> str:
    """The array to read among those that could be a video."""
    if variable is not None:
        if variable in names:
            return variable
        raise UserError(f"{path} holds no array {variable} of 3 or more axes; --variable can be {_listed(names)}")
    if not names:
        raise UserError(f"{path} holds no array of 3 axes (time, y, x); a video needs one")
    if len(names) == 1:
        return names[0]
    if "field" in names:
        return "field"
    raise UserError(f"{path} holds several arrays: choose one by --variable {_listed(names)}")


def _listed(names: list[str]) -> str:
    return " or ".join(names) if names else "left out: it holds none"


def array_source(array: Any, axes: str | None = None, **known: dict[str, Any]) -> Source:
    """Source of anything that slices like an array."""
    return Source(
        axes,
        tuple(array.shape),
        np.dtype(array.dtype),
        lambda selection: np.asarray(array[selection]),
        known.get("coordinates", {}),
        known.get("spacing", {}),
        known.get("units", {}),
    )


def grey(image: NDArray[Any], channel: int | None, path: Path) -> NDArray[Any]:
    """Brightness of an image whose last axis is the colour channel; the other axes are free.

    Raises
    ------
    UserError
        If the channels differ and none was chosen, or the chosen one does not exist.
    """
    channels = image.shape[-1]
    if channel is not None:
        if not 0 <= channel < channels:
            raise UserError(f"{path} has the channels 0 to {channels - 1}: --channel {channel} is none of them")
        return np.asarray(image[..., channel])
    # A fourth channel says how opaque a pixel is.
    colours = image[..., :3] if channels == 4 else image
    first = colours[..., 0]
    # Movie codecs store colour apart from brightness; their rounding alone moves a grey pixel by a few levels.
    slack = 8 if image.dtype == np.uint8 else 0
    for other in range(1, colours.shape[-1]):
        difference = np.maximum(first, colours[..., other]) - np.minimum(first, colours[..., other])
        if difference.size and difference.max() > slack:
            raise UserError(
                f"{path} is a colour video, and a field has one value a pixel; choose one channel by --channel 0, 1 "
                "or 2 (red, green, blue), or convert it to grey"
            )
    return np.asarray(first)
