"""TIFF stacks, with the scales that OME and ImageJ write into them."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import Selection, Source, library


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
    """Frame interval from ImageJ's metadata, which give the pixel size elsewhere."""
    interval = float(metadata.get("finterval") or 0)
    return ({"t": interval}, {"t": "s"}) if interval > 0 else ({}, {})


def _segments(page: Any) -> Iterator[tuple[int, int]]:
    """Place and length of the pixels of a page."""
    if page is not None:
        yield from zip(page.dataoffsets, page.databytecounts, strict=False)


def open_tiff(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    """Open a TIFF stack; of a file with several series the first."""
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
