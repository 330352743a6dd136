"""Zarr arrays, groups, datasets and OME-Zarr images."""

from contextlib import ExitStack
from pathlib import Path
from typing import cast

from safe_pit_cm.video import ome_zarr
from safe_pit_cm.video.netcdf import dataset_source
from safe_pit_cm.video.source import Choice, Source, array_source, axis_letter, choose


def open_zarr(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open an array, or one array of a group or dataset."""
    import xarray as xr
    import zarr

    opened = zarr.open(path, mode="r")
    if isinstance(opened, zarr.Group) and (described := ome_zarr.described(opened)) is not None:
        return ome_zarr.source(opened, described, path, choice)
    if isinstance(opened, zarr.Array):
        names = getattr(opened.metadata, "dimension_names", None) or opened.attrs.get("_ARRAY_DIMENSIONS") or ()
        letters = [axis_letter(name) for name in cast("tuple[str, ...]", names)]
        return array_source(opened, "".join(letters) if letters and "?" not in letters else None)
    try:
        dataset = stack.enter_context(xr.open_dataset(path, engine="zarr", consolidated=False))
    except (KeyError, ValueError):
        # A group of arrays without named axes is good Zarr, and no xarray dataset.
        arrays = {name: array for name, array in opened.arrays() if array.ndim >= 3}
        return array_source(arrays[choose(list(arrays), choice.variable, path)])
    return dataset_source(dataset, path, choice)
