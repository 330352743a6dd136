"""ZVI, the format of AxioVision by Zeiss: a compound file with a stream for each image.

Zeiss no longer keeps the format, and no library in Python reads its times. The layout follows the description of the
format by Zeiss and the behaviour of Bio-Formats: values are preceded by a type of two bytes, as in OLE automation.
"""

import io
import math
import re
import struct
import zlib
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import COLOURS, INSTALL_MICROSCOPES, Choice, Selection, Source, library
from safe_pit_cm.video.times import growing

# Types of values: those of fixed size by their format, those that a count of bytes precedes by that of the count.
_FIXED = {2: "h", 3: "i", 4: "f", 5: "d", 7: "d", 11: "h", 18: "H", 19: "I", 20: "q", 21: "Q", 22: "i", 23: "I"}
_COUNTED = {8: "i", 63: "i", 65: "i", 66: "h", 68: "i", 69: "i"}
_TEXT = 8
# Identifiers of tags; the codes of units are those of the format, the date is in days.
_SCALES = {"x": (769, 770), "y": (772, 773)}
_TIME, _CHANNEL_NAME = 1025, 1284
_UNITS = {72: "m", 76: "µm", 77: "nm", 81: "inch"}
_SECONDS_A_DAY = 86400.0
# Formats of a pixel, with the number of colours, blue first.
_DTYPES = {1: ("u1", 3), 2: ("u1", 4), 3: ("u1", 1), 4: ("<u2", 1), 5: ("<i4", 1), 6: ("<f4", 1), 8: ("<u2", 3)}
_SMALLEST = 1024  # bytes of a stream that can hold an image


@dataclass(frozen=True)
class _Plane:
    """One image of the file: its place by t, z and c, and where its pixels are."""

    stream: str
    place: tuple[int, int, int]
    shape: tuple[int, int]
    pixel_format: int
    bits: int
    start: int
    packed: bool

    def pixels(self, content: bytes) -> NDArray[Any]:
        """Pixels ``(y, x)``, or ``(y, x, colour)``."""
        raw = zlib.decompress(content[self.start :]) if self.packed else content[self.start :]
        dtype, colours = _DTYPES[self.pixel_format]
        count = self.shape[0] * self.shape[1] * colours
        flat = np.frombuffer(raw, dtype=dtype, count=count)
        return flat.reshape(self.shape) if colours == 1 else flat.reshape(*self.shape, colours)[..., 2::-1]


def _value(stream: io.BytesIO) -> Any:
    """The next value, of whatever type it says."""
    (kind,) = struct.unpack("<H", stream.read(2))
    if kind in _FIXED:
        form = f"<{_FIXED[kind]}"
        return struct.unpack(form, stream.read(struct.calcsize(form)))[0]
    if kind in _COUNTED:
        form = f"<{_COUNTED[kind]}"
        content = stream.read(struct.unpack(form, stream.read(struct.calcsize(form)))[0])
        return content.decode("utf-16-le", errors="replace").rstrip("\0") if kind == _TEXT else content
    if kind in (9, 13):
        return stream.read(16)
    if kind in (0, 1):
        return None
    raise ValueError(f"a value of the unknown type {kind}")


def _tags(content: bytes) -> dict[int, Any]:
    """Tags of an image or of the file by their identifier; value, identifier and attribute follow one another."""
    stream = io.BytesIO(content)
    found: dict[int, Any] = {}
    # The number of tags can be larger than that of those that follow.
    with suppress(struct.error):
        _value(stream)
        for _ in range(_value(stream)):
            value, identifier, _attribute = _value(stream), _value(stream), _value(stream)
            found[identifier] = value
    return found


def _plane(content: bytes, stream: str, path: Path) -> _Plane:
    """What the stream of an image says before its pixels."""
    values = io.BytesIO(content)
    for _ in range(11):
        _value(values)
    z, c, t, _, tile = struct.unpack("<5i", _value(values)[8:28])
    for _ in range(5):
        _value(values)
    start = values.tell() + 28
    _version, width, height, _depth, _size, pixel_format, bits = struct.unpack("<7i", values.read(28))
    compressed = bits in (0, 1)
    packed = compressed and values.read(3) == b"WZL"
    if tile > 0 or (compressed and not packed):
        what = "a mosaic of tiles" if tile > 0 else "images compressed by JPEG"
        raise UserError(f"{path} holds {what}, which cannot be read here; export the film as OME-TIFF from AxioVision")
    return _Plane(stream, (t, z, c), (height, width), pixel_format, bits, start + 8 * packed, packed)


def _scales(known: Mapping[int, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Pixel size and its unit."""
    spacing = {}
    named = {}
    for letter, (factor, unit) in _SCALES.items():
        size, code = known.get(factor), known.get(unit)
        if isinstance(size, float) and size > 0 and code in _UNITS:
            spacing[letter], named[letter] = size, _UNITS[code]
    return spacing, named


def open_zvi(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open a ZVI file."""
    olefile = library("olefile", path, INSTALL_MICROSCOPES)
    file = stack.enter_context(olefile.OleFileIO(path))
    streams = {"/".join(entry).lower(): "/".join(entry) for entry in file.listdir()}
    items = [name for name in streams if re.fullmatch(r"image/item\(\d+\)/contents", name)] or ["image/contents"]
    if items[0] not in streams:
        raise UserError(f"{path} is a compound file of another program and no ZVI film; check which file it is")

    def content(name: str) -> bytes:
        with file.openstream(streams[name]) as opened:
            return bytes(opened.read())

    planes: dict[tuple[int, int, int], _Plane] = {}
    tags: dict[tuple[int, int, int], dict[int, Any]] = {}
    for name in items:
        described = content(name)
        if len(described) > _SMALLEST:
            plane = _plane(described, name, path)
            planes[plane.place] = plane
            of_plane = name.replace("contents", "tags/contents")
            tags[plane.place] = _tags(content(of_plane)) if of_plane in streams else {}
    # Indices count from anywhere.
    steps = [sorted({place[axis] for place in planes}) for axis in range(3)]
    if len(planes) != math.prod(map(len, steps)) or not planes:
        raise EOFError("images of some frames are missing")
    first = planes[steps[0][0], steps[1][0], steps[2][0]]
    dtype, colours = _DTYPES[first.pixel_format]
    common = _tags(content("image/tags/contents")) if "image/tags/contents" in streams else {}
    spacing, named = _scales({**tags[first.place], **common})
    z = steps[1][min(choice.z or 0, len(steps[1]) - 1)]
    c = steps[2][min(choice.channel or 0, len(steps[2]) - 1)]
    dates = [tags[t, z, c].get(_TIME) for t in steps[0]]
    days = [date for date in dates if isinstance(date, float)]
    times = np.round((np.array(days) - days[0]) * _SECONDS_A_DAY, 4) if len(days) == len(dates) else np.array([])
    names = [str(tags[first.place[0], first.place[1], each].get(_CHANNEL_NAME) or "") for each in steps[2]]
    colour = colours > 1

    def load(selection: Selection) -> NDArray[Any]:
        picked = [
            [
                [planes[t, z, c].pixels(content(planes[t, z, c].stream))[selection[3:]] for c in steps[2][selection[2]]]
                for z in steps[1][selection[1]]
            ]
            for t in steps[0][selection[0]]
        ]
        return np.array(picked)

    return Source(
        "tzsyxc" if colour else "tzcyx",
        (*map(len, steps), *first.shape, *((3,) if colour else ())),
        np.dtype(dtype),
        load,
        coordinates={"t": times} if len(times) > 1 and growing(times) else {},
        spacing=spacing,
        units={**named, "t": "s"},
        channels=COLOURS if colour else tuple(names) if any(names) else (),
        bits=first.bits if first.bits > 1 else None,
        acquired=days[0] * _SECONDS_A_DAY if days else None,
    )
