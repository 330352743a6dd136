"""HDF5, with or without the named axes of NetCDF 4."""

from contextlib import ExitStack
from pathlib import Path

from safe_pit_cm.video.netcdf import open_with_xarray
from safe_pit_cm.video.source import Choice, Source, array_source, axis_letter, choose, library


def open_hdf5(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open one array of a file, or the dataset that it holds as NetCDF 4."""
    h5py = library("h5py", path)
    file = stack.enter_context(h5py.File(path, "r"))
    if path.suffix.lower() == ".nc" or "_NCProperties" in file.attrs:
        library("h5netcdf", path)
        return open_with_xarray(path, choice, stack, "h5netcdf")
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if getattr(item, "ndim", 0) >= 3 else None)
    array = file[choose(names, choice.variable, path)]
    letters = [axis_letter(dimension.label) for dimension in array.dims]
    return array_source(array, None if "?" in letters else "".join(letters))
