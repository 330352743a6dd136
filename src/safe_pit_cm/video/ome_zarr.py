"""OME-Zarr images, by the specifications NGFF 0.4 (Zarr format 2) and 0.5 (Zarr format 3)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import units
from safe_pit_cm.video.source import Choice, Source, array_source, axis_letter, choose

Version = Literal["0.4", "0.5"]
_LARGEST_CHUNK = 2**26
_UNEVEN = 1e-6


def described(group: zarr.Group) -> Mapping[str, Any] | None:
    """What a group says as an OME-Zarr image; None if it is none."""
    attributes: Any = group.attrs.asdict()
    described = attributes.get("ome", attributes)
    return described if isinstance(described, Mapping) and described.get("multiscales") else None


def _scale(item: Mapping[str, Any], axes: int) -> list[float]:
    found = [each["scale"] for each in item.get("coordinateTransformations", []) if each.get("type") == "scale"]
    return [float(value) for value in found[0]] if found else [1.0] * axes


def source(group: zarr.Group, described: Mapping[str, Any], path: Path, choice: Choice) -> Source:
    """Source of the finest resolution of an image."""
    images = {str(each.get("name") or index): each for index, each in enumerate(described["multiscales"])}
    image = images[choose(list(images), choice.variable, path, "image")]
    finest = image["datasets"][0]
    array = group[finest["path"]]
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{finest['path']} is no array")
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image["axes"]]
    letters = [axis_letter(axis["name"]) for axis in axes]
    steps = np.multiply(_scale(finest, len(axes)), _scale(image, len(axes)))
    spacing: dict[str, float] = {}
    named: dict[str, str] = {}
    for letter, axis, step in zip(letters, axes, steps, strict=True):
        # Every axis must have a scale; 1 without a unit says that none is known.
        if letter in "tyx" and (axis.get("unit") or step != 1):
            spacing[letter] = float(step)
            if axis.get("unit"):
                named[letter] = str(axis["unit"])
    labels = [str(channel.get("label", "")) for channel in described.get("omero", {}).get("channels", [])]
    return array_source(
        array,
        None if "?" in letters else "".join(letters),
        spacing=spacing,
        units=named,
        channels=tuple(labels) if any(labels) else (),
    )


def _step(video: xr.DataArray, name: str) -> float:
    positions = video[name].to_numpy().astype(np.float64)
    steps = np.diff(positions)
    if np.ptp(steps) > _UNEVEN * abs(steps.mean()):
        raise UserError(f"OME-Zarr has no place for an uneven {name} axis; write the film as NetCDF or plain Zarr")
    return float((positions[-1] - positions[0]) / (len(positions) - 1))


def write_ome_zarr(
    video: xr.DataArray, path: str | Path, *, version: Version = "0.5", attributes: Mapping[str, Any] | None = None
) -> None:
    """Write a film as an OME-Zarr image of one resolution.

    Parameters
    ----------
    video
        ``(time, y, x)`` with evenly spaced coordinates and their ``units``.
    path
        The folder to write, which must not exist; its name commonly ends in ``.ome.zarr``.
    version
        Of the specification: ``0.5`` is Zarr format 3, ``0.4`` is Zarr format 2.
    attributes
        What else is to be known of the film, fit for JSON; kept under the key ``safe_pit_cm``.

    Raises
    ------
    UserError
        If the frames or pixels are not evenly spaced, which OME-Zarr cannot express.
    """
    axes = []
    for name, letter, kind in (("time", "t", "time"), ("y", "y", "space"), ("x", "x", "space")):
        unit = units.full_name(letter, str(video[name].attrs.get("units", "")))
        axes.append({"name": letter, "type": kind, **({"unit": unit} if unit else {})})
    steps = [_step(video, name) for name in ("time", "y", "x")]
    image: dict[str, Any] = {
        "name": str(video.name or "film"),
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": steps}]}],
    }
    pixels = video.to_numpy()
    frames = max(1, min(len(pixels), _LARGEST_CHUNK // max(pixels[0].nbytes, 1)))
    chunks = (frames, *pixels.shape[1:])
    said: dict[str, Any]
    if version == "0.5":
        group = zarr.open_group(path, mode="w-", zarr_format=3)
        group.create_array("0", data=pixels, chunks=chunks, dimension_names=["t", "y", "x"])
        said = {"ome": {"version": version, "multiscales": [image]}}
    else:
        group = zarr.open_group(path, mode="w-", zarr_format=2)
        group.create_array("0", data=pixels, chunks=chunks, chunk_key_encoding={"name": "v2", "separator": "/"})
        said = {"multiscales": [image | {"version": version}]}
    if attributes:
        said["safe_pit_cm"] = dict(attributes)
    group.attrs.update(said)
