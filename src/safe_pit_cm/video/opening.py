"""Open a video file of any supported format without reading its pixels.

The format of a file is recognised by its first bytes, not by its name. Every format is read by the library that is kept
for it; those that the package itself does not need are in the optional group ``video``.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import hdf5, images, movie, netcdf, numpy_file, tiff, zarr_store
from safe_pit_cm.video.source import FORMATS, Source

# What the first bytes of a file say.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (rb"II[\*\+]\x00|MM\x00[\*\+]", "TIFF"),
    (rb"\x93NUMPY", "NumPy array"),
    (rb"PK\x03\x04", "NumPy archive"),
    (rb"\x89HDF\r\n\x1a\n", "HDF5"),
    (rb"CDF[\x01\x02\x05]", "NetCDF 3"),
    (rb"RIFF....AVI ", "movie"),
    (rb"....ftyp", "movie"),
    (rb"\x1aE\xdf\xa3", "movie"),
    (rb"\x89PNG\r\n\x1a\n", "PNG image"),
    (rb"\xff\xd8\xff", "JPEG image"),
)
# Names that promise a format.
_SUFFIXES: dict[str, tuple[str, ...]] = {
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".npy": ("NumPy array",),
    ".npz": ("NumPy archive",),
    ".nc": ("HDF5", "NetCDF 3"),
    ".h5": ("HDF5",),
    ".hdf5": ("HDF5",),
    ".mp4": ("movie",),
    ".avi": ("movie",),
    ".mov": ("movie",),
    ".mkv": ("movie",),
    ".png": ("PNG image",),
    ".zarr": ("Zarr",),
}
_OPENERS: dict[str, Callable[[Path, str | None, int | None, ExitStack], Source]] = {
    "TIFF": tiff.open_tiff,
    "NumPy array": numpy_file.open_array,
    "NumPy archive": numpy_file.open_archive,
    "HDF5": hdf5.open_hdf5,
    "NetCDF 3": netcdf.open_classic,
    "Zarr": zarr_store.open_zarr,
    "movie": movie.open_movie,
    "folder": images.open_folder,
}


def content(path: Path) -> str:
    """Format of what a path holds, recognised by its content.

    Raises
    ------
    UserError
        If there is nothing, nothing known, or something other than the suffix promises.
    """
    if not path.exists():
        raise UserError(f"there is no file {path}; check the path")
    if path.is_dir():
        is_zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
        found = "Zarr" if is_zarr else "folder"
    else:
        with path.open("rb") as file:
            start = file.read(16)
        if not start:
            raise UserError(f"{path} is empty; it was perhaps never written to its end: make or copy it again")
        found = next((name for pattern, name in _SIGNATURES if re.match(pattern, start, re.DOTALL)), "")
    promised = _SUFFIXES.get(path.suffix.lower(), ())
    if promised and found not in promised:
        held = f"holds a {found}" if found else "holds something else"
        remedy = "give it the right suffix" if found else "it is damaged or mislabelled: export the video again"
        raise UserError(f"{path} is named like a {promised[0]} but {held}; {remedy}")
    if not found:
        raise UserError(f"{path} is of no format that can be read; give {FORMATS}")
    if found.endswith("image"):
        raise UserError(f"{path} is a single {found}, not a video; put all frames in one folder and give the folder")
    return found


@contextmanager
def opened(path: Path, *, variable: str | None = None, channel: int | None = None) -> Iterator[Source]:
    """Open a video; nothing is read before :attr:`Source.load` is called inside the block.

    Parameters
    ----------
    path
        File or folder.
    variable
        Name of the array, for files that hold several.
    channel
        Colour channel, for colour video.

    Raises
    ------
    UserError
        If the file is missing, mislabelled, damaged, of no known format, or needs a library that is not there.
    """
    found = content(path)
    with ExitStack() as stack:
        try:
            yield _OPENERS[found](path, variable, channel, stack)
        except (UserError, MemoryError):
            raise
        except PermissionError as error:
            raise UserError(f"no permission to read {path}; check its owner and mode") from error
        # A damaged file can fail anywhere inside its library, with any exception.
        except Exception as error:
            cause = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise UserError(f"{path} is damaged or cut short ({cause}); make or copy it again") from error
