"""Open a video file of any supported format without reading its pixels.

The format of a file is recognised by its first bytes, not by its name. Every format is read by the library that is kept
for it; those that the package itself does not need are in the optional groups ``video`` and ``microscopes``.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import (
    czi,
    folder,
    hdf5,
    images,
    lif,
    movie,
    nd2_file,
    netcdf,
    numpy_file,
    oif,
    tiff,
    zarr_store,
    zvi,
)
from safe_pit_cm.video.source import FORMATS, INSTALL, Choice, Source

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
    (rb"ZISRAWFILE", "CZI"),
    (rb"\x70\x00\x00\x00", "LIF"),
    (rb"\xda\xce\xbe\x0a|\x00\x00\x00\x0cjP  ", "ND2"),
    (rb"\xff\xfe\[\x00", "OIF"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "compound file"),
)
# Names that promise a format.
_SUFFIXES: dict[str, tuple[str, ...]] = {
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".lsm": ("TIFF",),
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
    ".jpg": ("JPEG image",),
    ".jpeg": ("JPEG image",),
    ".czi": ("CZI",),
    ".lif": ("LIF",),
    ".nd2": ("ND2",),
    ".oib": ("OIB",),
    ".oif": ("OIF",),
    ".zvi": ("ZVI",),
    ".zarr": ("Zarr",),
}


def _open_folder(path: Path, choice: Choice, stack: ExitStack) -> Source:
    return folder.open_folder(path, choice, opened)


_OPENERS: dict[str, Callable[[Path, Choice, ExitStack], Source]] = {
    "TIFF": tiff.open_tiff,
    "NumPy array": numpy_file.open_array,
    "NumPy archive": numpy_file.open_archive,
    "HDF5": hdf5.open_hdf5,
    "NetCDF 3": netcdf.open_classic,
    "Zarr": zarr_store.open_zarr,
    "movie": movie.open_movie,
    "PNG image": images.open_image,
    "JPEG image": images.open_image,
    "CZI": czi.open_czi,
    "LIF": lif.open_lif,
    "ND2": nd2_file.open_nd2,
    "OIB": oif.open_oif,
    "OIF": oif.open_oif,
    "ZVI": zvi.open_zvi,
    "folder": _open_folder,
}
# What libraries say of pixels that they could decode with the help of another library.
_NO_CODEC = re.compile(
    r"requires the '?imagecodecs|from 'imagecodecs'|DelayedImportError|unsupported compression|"
    r"required filter .* is not registered|can't open directory .*plugin|codec not available|UnknownCodec|"
    r"DecoderNotFound|COMPRESSION.* not supported",
    re.IGNORECASE,
)


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
    suffix = path.suffix.lower()
    if found == "compound file":
        found = "OIB" if suffix == ".oib" else "ZVI"
    promised = _SUFFIXES.get(suffix, ())
    if promised and found not in promised:
        held = f"holds a {found}" if found else "holds something else"
        remedy = "give it the right suffix" if found else "it is damaged or mislabelled: export the video again"
        raise UserError(f"{path} is named like a {promised[0]} but {held}; {remedy}")
    if not found:
        raise UserError(
            f"{path} is of no format that can be read; give {FORMATS}, or export it as OME-TIFF from the program that "
            "wrote it"
        )
    return found


@contextmanager
def opened(path: Path, choice: Choice) -> Iterator[Source]:
    """Open a video or a single image; nothing is read before :attr:`Source.load` is called inside the block.

    Parameters
    ----------
    path
        File or folder.
    choice
        Which video to read, where there are several.

    Raises
    ------
    UserError
        If the file is missing, mislabelled, damaged, of no known format, or needs a library that is not there.
    """
    found = content(path)
    if choice.pattern is not None and found != "folder":
        raise UserError(f"--pattern chooses among the files of a folder, and {path} is not a folder; leave it out")
    with ExitStack() as stack:
        try:
            yield _OPENERS[found](path, choice, stack)
        except (UserError, MemoryError):
            raise
        except PermissionError as error:
            raise UserError(f"no permission to read {path}; check its owner and mode") from error
        # A damaged file can fail anywhere inside its library, with any exception.
        except Exception as error:
            cause = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            if _NO_CODEC.search(cause):
                raise UserError(
                    f"{path} is compressed in a way that needs a library which is not installed ({cause}); install it "
                    f"by {INSTALL}, or export the video again without compression"
                ) from error
            raise UserError(f"{path} is damaged or cut short ({cause}); make or copy it again") from error
