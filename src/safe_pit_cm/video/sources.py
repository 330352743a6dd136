"""Open a video file of any supported format without reading its pixels.

What a file holds is told by its first bytes, not by its name. Every format is read by the library that is kept for it;
those that the package itself does not need stand in the optional group ``video``.
"""

import importlib
import logging
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

Selection = tuple[slice, ...]

INSTALL = "pip install 'safe-pit-cm[video]'"
FORMATS = "TIFF, NumPy (.npy, .npz), Zarr, NetCDF, HDF5, MP4, AVI, or a folder of PNG images"

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
        Reads a selection, one slice an axis.
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


def content(path: Path) -> str:
    """What a path holds, told by its content.

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


def _letter(name: object) -> str:
    """Letter of an axis of this name, ``?`` if the name says nothing."""
    return next((letter for letter, names in _AXIS_NAMES.items() if str(name).lower() in names), "?")


def _choose(names: list[str], variable: str | None, path: Path) -> str:
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


def _array(array: Any, axes: str | None = None, **known: dict[str, Any]) -> Source:
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


class _Complaints(logging.Handler):
    """Collects what a library logs instead of raising."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _ome(xml: str) -> tuple[dict[str, float], dict[str, str]]:
    """Pixel size, frame interval and their units from OME metadata."""
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    spacing: dict[str, float] = {}
    units: dict[str, str] = {}
    for letter, name, default in (
        ("y", "PhysicalSizeY", "µm"),
        ("x", "PhysicalSizeX", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        if pixels is not None and name in pixels.attrib:
            spacing[letter] = float(pixels.attrib[name])
            units[letter] = pixels.attrib.get(f"{name}Unit", default)
    return spacing, units


def _imagej(metadata: dict[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Frame interval from ImageJ's metadata, whose pixel size stands elsewhere."""
    interval = float(metadata.get("finterval") or 0)
    return ({"t": interval}, {"t": "s"}) if interval > 0 else ({}, {})


def _tiff(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    tifffile = library("tifffile", path)
    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    logger.addHandler(complaints)
    stack.callback(logger.removeHandler, complaints)
    propagate, logger.propagate = logger.propagate, False
    stack.callback(setattr, logger, "propagate", propagate)

    file = stack.enter_context(tifffile.TiffFile(path))
    series = file.series[0]
    pages = list(series.pages)
    if series.ndim == 2 and len(file.series) > 1:
        # Frames that were appended one by one.
        shapes = {one.shape for one in file.series}
        if len(shapes) > 1:
            sizes = " and ".join(sorted(" × ".join(map(str, one)) for one in shapes)[:2])
            raise UserError(f"the images in {path} differ in size ({sizes} pixels); export all frames at one size")
        pages = [page for one in file.series for page in one.pages]
    size = path.stat().st_size
    ends = [offset + count for page in pages for offset, count in _segments(page)]
    if series.dataoffset is not None:
        ends.append(series.dataoffset + series.nbytes)
    if complaints.messages or max(ends, default=0) > size:
        raise EOFError("pixels that its header announces are missing")
    letters = [{"I": "t", "Q": "t", "Z": "z", "S": "c"}.get(axis, axis.lower()) for axis in series.axes]
    shape = tuple(series.shape)
    if len(pages) > len(series.pages):
        letters, shape = ["t", *letters], (len(pages), *shape)
    # A z-stack without time is a film that the software named so: ImageJ does.
    if "z" in letters and not any(a == "t" and n > 1 for a, n in zip(letters, shape, strict=True)):
        kept = [(a, n) for a, n in zip(letters, shape, strict=True) if a != "t"]
        letters, shape = [a.replace("z", "t") for a, _ in kept], tuple(n for _, n in kept)
    spacing, units = _ome(file.ome_metadata) if file.is_ome else _imagej(file.imagej_metadata or {})

    def load(selection: Selection) -> NDArray[Any]:
        if letters[0] == "t" and len(pages) == shape[0] and (series.dataoffset is None or len(file.series) > 1):
            picked = np.stack([page.asarray()[selection[1:]] for page in pages[selection[0]]])
        else:
            whole = series.asarray(out="memmap") if series.dataoffset is not None else series.asarray()
            picked = np.array(whole.reshape(shape)[selection])
        if complaints.messages:
            raise EOFError(complaints.messages[0])
        return picked

    return Source("".join(letters), shape, np.dtype(series.dtype), load, {}, spacing, units)


def _segments(page: Any) -> Iterator[tuple[int, int]]:
    """Place and length of the pixels of a page."""
    if page is not None:
        yield from zip(page.dataoffsets, page.databytecounts, strict=False)


def _npy(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    return _array(np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    # The shapes come from the headers inside, so that a large archive is refused before it is unpacked.
    archive = stack.enter_context(zipfile.ZipFile(path))
    headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    for name in archive.namelist():
        with archive.open(name) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            headers[name.removesuffix(".npy")] = shape, dtype
    name = _choose([key for key, (shape, _) in headers.items() if len(shape) >= 3], variable, path)

    def load(selection: Selection) -> NDArray[Any]:
        with np.load(path, allow_pickle=False) as opened:
            return np.asarray(opened[name][selection])

    return Source(None, *headers[name], load, {}, {}, {})


def _dataset(dataset: Any, path: Path, variable: str | None) -> Source:
    """Source of a dataset with named axes and coordinates."""
    names = [str(name) for name, array in dataset.data_vars.items() if array.ndim >= 3]
    array = dataset[_choose(names, variable, path)]
    letters = [_letter(name) for name in array.dims]
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


def _netcdf(path: Path, variable: str | None, channel: int | None, stack: ExitStack, engine: str) -> Source:
    import xarray as xr

    return _dataset(stack.enter_context(xr.open_dataset(path, engine=engine, cache=False)), path, variable)


def _hdf5(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    h5py = library("h5py", path)
    file = stack.enter_context(h5py.File(path, "r"))
    if path.suffix.lower() == ".nc" or "_NCProperties" in file.attrs:
        library("h5netcdf", path)
        return _netcdf(path, variable, channel, stack, "h5netcdf")
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if getattr(item, "ndim", 0) >= 3 else None)
    array = file[_choose(names, variable, path)]
    letters = [_letter(dimension.label) for dimension in array.dims]
    return _array(array, None if "?" in letters else "".join(letters))


def _zarr(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    import xarray as xr
    import zarr

    opened = zarr.open(path, mode="r")
    if isinstance(opened, zarr.Array):
        names = getattr(opened.metadata, "dimension_names", None) or opened.attrs.get("_ARRAY_DIMENSIONS") or ()
        letters = [_letter(name) for name in cast("tuple[str, ...]", names)]
        return _array(opened, "".join(letters) if letters and "?" not in letters else None)
    try:
        dataset = stack.enter_context(xr.open_dataset(path, engine="zarr", consolidated=False))
    except (KeyError, ValueError):
        # A group of arrays without named axes is good Zarr, and no xarray dataset.
        arrays = {name: array for name, array in opened.arrays() if array.ndim >= 3}
        return _array(arrays[_choose(list(arrays), variable, path)])
    return _dataset(dataset, path, variable)


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


def _movie(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    av = library("av", path)
    av.logging.set_level(av.logging.PANIC)

    @contextmanager
    def opened() -> Iterator[tuple[Any, Any]]:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} holds no moving picture; give {FORMATS}")
            yield container, container.streams.video[0]

    with opened() as (container, stream):
        stream.thread_type = "AUTO"
        # The header's number of frames can be absent or wrong; counting packets decodes nothing.
        frames = sum(1 for packet in container.demux(stream) if packet.size)
        rate: Fraction | None = stream.average_rate
        announced, shape = stream.frames, (frames, stream.height, stream.width)
    if frames < announced:
        raise EOFError(f"its header announces {announced} frames and it holds {frames}")

    def load(selection: Selection) -> NDArray[Any]:
        wanted = range(*selection[0].indices(shape[0]))
        picked = []
        with opened() as (container, stream):
            for index, frame in enumerate(container.decode(stream)):
                if index in wanted:
                    picked.append(grey(frame.to_ndarray(format="rgb24")[selection[1:]], channel, path))
                if index >= wanted[-1]:
                    break
        if len(picked) < len(wanted):
            raise EOFError(f"frame {wanted[len(picked)]} cannot be decoded")
        return np.stack(picked)

    spacing = {"t": float(1 / rate)} if rate else {}
    return Source("tyx", shape, np.dtype(np.uint8), load, {}, spacing, {"t": "s"} if rate else {})


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame_10 after frame_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _folder(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    images = sorted((p for p in path.iterdir() if p.suffix.lower() == ".png" and p.is_file()), key=_natural)
    if not images:
        raise UserError(f"the folder {path} holds no .png image; give {FORMATS}")
    pillow = library("PIL.Image", path)

    def look(file: Path) -> tuple[tuple[int, int], str]:
        try:
            with pillow.open(file, formats=["PNG"]) as image:
                return (image.height, image.width), image.mode
        except OSError as error:
            raise UserError(f"{file} is not a PNG image or is damaged; export it again or take it away") from error

    size, _ = look(images[0])
    for file in images:
        other, _ = look(file)
        if other != size:
            raise UserError(
                f"the images in {path} differ in size: {images[0].name} has {size[0]} × {size[1]} pixels and "
                f"{file.name} {other[0]} × {other[1]}; export all frames at one size"
            )

    def read(file: Path) -> NDArray[Any]:
        try:
            with pillow.open(file, formats=["PNG"]) as image:
                # A palette hides colours, and grey with opacity is grey.
                mode = {"P": "RGB", "LA": "L", "1": "L"}.get(image.mode)
                plain = image.convert(mode) if mode else image
                pixels = np.asarray(plain)
        except (OSError, SyntaxError) as error:
            raise UserError(f"{file} is a damaged PNG image; export it again or take it away") from error
        return pixels if pixels.ndim == 2 else grey(pixels, channel, path)

    def load(selection: Selection) -> NDArray[Any]:
        return np.stack([read(file)[selection[1:]] for file in images[selection[0]]])

    return Source("tyx", (len(images), *size), read(images[0]).dtype, load, {}, {}, {})


_OPENERS: dict[str, Callable[[Path, str | None, int | None, ExitStack], Source]] = {
    "TIFF": _tiff,
    "NumPy array": _npy,
    "NumPy archive": _npz,
    "HDF5": _hdf5,
    "NetCDF 3": lambda path, variable, channel, stack: _netcdf(path, variable, channel, stack, "scipy"),
    "Zarr": _zarr,
    "movie": _movie,
    "folder": _folder,
}


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
