"""TIFF stacks and single images, with the scales that OME, ImageJ and Zeiss write into them."""

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import Choice, Selection, Source, choose, library
from safe_pit_cm.video.tiff_metadata import metadata_of

# Letters of axes as the library has them, and here.
_LETTERS = {"I": "t", "Q": "t", "S": "c"}
_LOSSY = ("JPEG", "JPEG_LOSSY", "OJPEG")


class _Complaints(logging.Handler):
    """Collects what a library logs instead of raising."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _segments(page: Any) -> Iterator[tuple[int, int]]:
    """Place and length of the pixels of a page."""
    if page is not None:
        yield from zip(page.dataoffsets, page.databytecounts, strict=False)


def _index_of_series(file: Any, choice: Choice, path: Path) -> int:
    """Which series to read: of an OME-TIFF with several images the one chosen, else the first."""
    # A TIFF without OME names its series by itself; those after the first are thumbnails and the like.
    if not file.is_ome or len(file.series) == 1:
        return 0
    names = [series.name or f"Image {index}" for index, series in enumerate(file.series)]
    return names.index(choose(names, choice.variable, path, "image"))


def _check_chain(file: Any) -> None:
    """Refuse pages that point back to an earlier one: the library would follow them almost without end."""
    form, stream = file.tiff, file.filehandle
    seen: set[int] = set()
    stream.seek(8 if form.version == 43 else 4)
    try:
        while offset := struct.unpack(form.offsetformat, stream.read(form.offsetsize))[0]:
            if offset in seen:
                raise EOFError("its pages form a circle")
            seen.add(offset)
            stream.seek(offset)
            tags = struct.unpack(form.tagnoformat, stream.read(form.tagnosize))[0]
            stream.seek(tags * form.tagsize, os.SEEK_CUR)
    except (struct.error, OSError):
        # What is missing at the end is found below.
        return


def open_tiff(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open a TIFF stack, or a single image."""
    tifffile = library("tifffile", path)
    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    logger.addHandler(complaints)
    stack.callback(logger.removeHandler, complaints)
    propagate, logger.propagate = logger.propagate, False
    stack.callback(setattr, logger, "propagate", propagate)

    file = stack.enter_context(tifffile.TiffFile(path))
    _check_chain(file)
    index = _index_of_series(file, choice, path)
    series = file.series[index]
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
    contiguous = series.dataoffset is not None and pages[0].is_memmappable and len(pages) == len(series.pages)
    if contiguous:
        ends.append(series.dataoffset + series.nbytes)
    if complaints.messages or max(ends, default=0) > size:
        raise EOFError("pixels that its header announces are missing")
    letters = ["s" if axis == "S" and "C" in series.axes else _LETTERS.get(axis, axis.lower()) for axis in series.axes]
    shape = tuple(series.shape)
    if len(pages) > len(series.pages):
        letters, shape = ["t", *letters], (len(pages), *shape)
    warnings = []
    one_time = not any(letter == "t" and count > 1 for letter, count in zip(letters, shape, strict=True))
    if file.is_imagej and "z" in letters and one_time and choice.z is None:
        # ImageJ calls every stack a z-stack until it is told otherwise.
        kept = [(a, n) for a, n in zip(letters, shape, strict=True) if a != "t"]
        letters, shape = [a.replace("z", "t") for a, _ in kept], tuple(n for _, n in kept)
        warnings.append(f"the slices in z of {path}, which has no times, are taken for the frames of a film")
    if pages[0].compression.name in _LOSSY:
        warnings.append(f"{path} is compressed with loss (JPEG), which can bias D; use the original")
    whole_pages = letters[0] == "t" and len(pages) == shape[0] and not contiguous
    frames = dict(zip(letters, shape, strict=True)).get("t", 1)
    known = metadata_of(file, pages, frames, index, choice)

    def load(selection: Selection) -> NDArray[Any]:
        if whole_pages:
            picked = np.stack([page.asarray()[selection[1:]] for page in pages[selection[0]]])
        else:
            whole = series.asarray(out="memmap") if contiguous else series.asarray()
            picked = np.array(whole.reshape(shape)[selection])
        if complaints.messages:
            raise EOFError(complaints.messages[0])
        return picked

    return Source(
        "".join(letters),
        shape,
        np.dtype(series.dtype),
        load,
        coordinates=known.coordinates,
        spacing=known.spacing,
        units=known.units,
        channels=known.channels,
        bits=known.bits,
        acquired=known.acquired,
        warnings=tuple(warnings),
    )
