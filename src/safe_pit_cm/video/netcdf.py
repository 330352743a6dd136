"""NetCDF, and every dataset with named axes and coordinates."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import Choice, Source, array_source, axis_letter, choose


def dataset_source(dataset: Any, path: Path, choice: Choice) -> Source:
    """Source of a dataset with named axes and coordinates."""
    names = [str(name) for name, array in dataset.data_vars.items() if array.ndim >= 3]
    array = dataset[choose(names, choice.variable, path)]
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
    return array_source(array, None if "?" in letters else "".join(letters), coordinates=coordinates, units=units)


def open_with_xarray(path: Path, choice: Choice, stack: ExitStack, engine: str) -> Source:
    """Open a file by an engine of xarray."""
    import xarray as xr

    return dataset_source(stack.enter_context(xr.open_dataset(path, engine=engine, cache=False)), path, choice)


def open_classic(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open NetCDF 3; NetCDF 4 is HDF5."""
    return open_with_xarray(path, choice, stack, "scipy")
