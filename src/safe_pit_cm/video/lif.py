"""LIF, the format of the Leica Application Suite."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import INSTALL_MICROSCOPES, Choice, Selection, Source, choose, library
from safe_pit_cm.video.times import growing


def _times(image: Any, frames: int) -> NDArray[np.float64] | None:
    """Times of the frames in seconds; every plane has one, and the first plane of each frame counts."""
    stamps = image.timestamps
    if stamps is None or frames < 2 or len(stamps) % frames:
        return None
    first = stamps[:: len(stamps) // frames]
    times = (first - first[0]) / np.timedelta64(1, "s")
    return times if growing(times) else None


def open_lif(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open one image of a LIF file."""
    liffile = library("liffile", path, INSTALL_MICROSCOPES)
    file = stack.enter_context(liffile.LifFile(path))
    images = {image.path: image for image in file.images}
    image = images[choose(list(images), choice.variable, path, "image")]
    letters = ["c" if dimension == "S" else dimension.lower() for dimension in image.dims]
    sizes = dict(zip(letters, image.shape, strict=True))
    spacing = {}
    for letter, dimension in zip(letters, image.dims, strict=True):
        positions = image.coords.get(dimension)
        if letter in "tyx" and positions is not None and len(positions) > 1 and positions[-1] > positions[0]:
            spacing[letter] = float((positions[-1] - positions[0]) / (len(positions) - 1))
    times = _times(image, sizes.get("t", 1))
    channels = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = [channel.get("LUTName", "") for channel in channels]
    bits = {int(channel.get("Resolution", 0)) for channel in channels}

    def load(selection: Selection) -> NDArray[np.generic]:
        return np.array(image.asarray()[selection])

    return Source(
        "".join(letters),
        tuple(image.shape),
        np.dtype(image.dtype),
        load,
        coordinates={} if times is None else {"t": times},
        spacing=spacing,
        units={"t": "s", "y": "m", "x": "m"},
        channels=tuple(names) if any(names) else (),
        bits=max(bits, default=0) or None,
    )
