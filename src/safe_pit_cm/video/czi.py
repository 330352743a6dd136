"""CZI, the format of ZEN by Zeiss, read by the library of Zeiss."""

import struct
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import COLOURS, INSTALL_MICROSCOPES, Choice, Selection, Source, choose, library
from safe_pit_cm.video.times import growing

_DTYPES = {"Gray8": np.uint8, "Gray16": np.uint16, "Gray32Float": np.float32, "Bgr24": np.uint8, "Bgr48": np.uint16}
# Every segment of the file has a head of this size; offsets below are those of the published format.
_HEAD = 32


def _time_stamps(file: BinaryIO) -> list[float]:
    """Times of the frames in seconds, which the file keeps as an attachment and the library does not read."""

    def at(position: int, form: str) -> tuple[int, ...]:
        file.seek(position)
        return struct.unpack(form, file.read(struct.calcsize(form)))

    (directory,) = at(_HEAD + 72, "<q")
    if directory == 0:
        return []
    (count,) = at(directory + _HEAD, "<i")
    for index in range(count):
        entry = directory + _HEAD + 256 + 128 * index
        file.seek(entry + 48)
        if file.read(80).rstrip(b"\0") == b"TimeStamps":
            (attachment,) = at(entry + 12, "<q")
            _, number = at(attachment + _HEAD + 256, "<ii")
            return list(np.frombuffer(file.read(8 * number), dtype="<f8"))
    return []


def open_czi(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open a CZI file; of one with several scenes the one chosen."""
    czi = library("pylibCZIrw.czi", path, INSTALL_MICROSCOPES)
    file = stack.enter_context(czi.open_czi(str(path)))
    box = file.total_bounding_box_no_pyramid
    scenes = file.scenes_bounding_rectangle_no_pyramid
    if scenes:
        numbers = {str(number): number for number in scenes}
        scene = numbers[choose(list(numbers), choice.variable, path, "scene")]
        left, top, width, height = scenes[scene]
    else:
        scene = None
        (left, width), (top, height) = box["X"], box["Y"]
    first, frames = box.get("T", (0, 1))
    channels, slices = box.get("C", (0, 1))[1], box.get("Z", (0, 1))[1]
    kind = file.get_channel_pixel_type(min(choice.channel or 0, channels - 1))
    colour = kind.startswith("Bgr")
    shape = (frames, slices, channels, height, width)

    def plane(t: int, z: int, c: int) -> NDArray[np.generic]:
        pixels = file.read(roi=(left, top, width, height), plane={"T": first + t, "Z": z, "C": c}, scene=scene)
        return np.asarray(pixels[..., ::-1] if colour else pixels[..., 0])

    def load(selection: Selection) -> NDArray[np.generic]:
        t, z, c = (range(*part.indices(size)) for part, size in zip(selection[:3], shape[:3], strict=True))
        return np.array([[[plane(i, j, k)[selection[3:]] for k in c] for j in z] for i in t])

    described = ElementTree.fromstring(file.raw_metadata)
    spacing = {}
    for letter in "yx":
        value = described.findtext(f".//Scaling/Items/Distance[@Id='{letter.upper()}']/Value")
        if value and float(value) > 0:
            spacing[letter] = float(value)
    increment = described.findtext(".//Information/Image/Dimensions/T/Positions/Interval/Increment")
    if increment and float(increment) > 0:
        spacing["t"] = float(increment)
    with path.open("rb") as raw:
        times = np.array(_time_stamps(raw), dtype=np.float64)
    bits = described.findtext(".//Information/Image/ComponentBitCount")
    names = [each.get("Name", "") for each in described.findall(".//Information/Image/Dimensions/Channels/Channel")]
    return Source(
        "tzsyxc" if colour else "tzcyx",
        (*shape, 3) if colour else shape,
        np.dtype(_DTYPES[kind]),
        load,
        coordinates={"t": times - times[0]} if len(times) == frames > 1 and growing(times) else {},
        spacing=spacing,
        units={"t": "s", "y": "m", "x": "m"},
        channels=COLOURS if colour else tuple(names) if any(names) else (),
        bits=int(bits) if bits else None,
    )
