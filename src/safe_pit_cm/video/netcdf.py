"""NetCDF, and every dataset with named axes and coordinates."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import Source, axis_letter, choose


def dataset_source(dataset: Any, path: Path, variable: str | None) -> Source:
    """Source of a dataset with named axes and coordinates."""
    names = [str(name) for name, array in dataset.data_vars.items() if array.ndim >= 3]
    array = dataset[choose(names, variable, path)]
    letters = [axis_letter(name) for name in array.dims]
    coordinates: dict[str, NDArray[np.float64]] = {}
    units: dict[str, str] = {}
    for letter, dimension in zip(letters, array.dims, strict=True):
        if dimension not in array.coords:
            continue
        positions = array.coords[dimension]
        if positions.dtype.kind in "mM":
            # Dates and durations are decoded to nanoseconds or the like.
            elapsed = (positions - positions[0]).to_numpy()
            coordinates[letter] = elapsed / np.timedelta64(1, "s")
            units[letter] = "s"
        elif positions.dtype.kind in "iuf":
            coordinates[letter] = positions.to_numpy().astype(np.float64)
            if "units" in positions.attrs:
                units[letter] = str(positions.attrs["units"])
    known = {"coordinates": coordinates, "units": units}
    return Source(
        None if "?" in letters else "".join(letters),
        tuple(array.shape),
        np.dtype(array.dtype),
        lambda selection: np.asarray(array[selection].to_numpy()),
        cast("dict[str, NDArray[np.float64]]", known["coordinates"]),
        {},
        units,
    )


def open_with_xarray(path: Path, variable: str | None, channel: int | None, stack: ExitStack, engine: str) -> Source:
    """Open a file by an engine of xarray."""
    import xarray as xr

    return dataset_source(stack.enter_context(xr.open_dataset(path, engine=engine, cache=False)), path, variable)


def open_classic(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    """Open NetCDF 3; NetCDF 4 is HDF5."""
    return open_with_xarray(path, variable, channel, stack, "scipy")
