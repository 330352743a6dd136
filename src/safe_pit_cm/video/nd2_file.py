"""ND2, the format of NIS-Elements by Nikon."""

import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import INSTALL_MICROSCOPES, Choice, Selection, Source, choose, library
from safe_pit_cm.video.times import growing


def _times(file: Any, position: int, choice: Choice) -> NDArray[np.float64] | None:
    """Times of the frames of one position in seconds, at the slice and channel that are read."""
    times = []
    for index, place in enumerate(file.loop_indices):
        if place.get("P", 0) == position and place.get("Z", 0) == (choice.z or 0):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    channels = file.frame_metadata(index).channels
            # The library fails in these ways, and warns, where a file has no times, as old ones have none.
            except (AttributeError, IndexError):
                return None
            times.append(channels[min(choice.channel or 0, len(channels) - 1)].time.relativeTimeMs / 1000)
    found = np.array(times, dtype=np.float64)
    return found - found[0] if len(found) > 1 and growing(found) else None


def open_nd2(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open an ND2 file; of one with several stage positions the one chosen."""
    nd2 = library("nd2", path, INSTALL_MICROSCOPES)
    file = stack.enter_context(nd2.ND2File(path))
    sizes = dict(file.sizes)
    places = [str(index) for index in range(sizes.pop("P", 1))]
    position = places.index(choose(places, choice.variable, path, "position")) if len(places) > 1 else 0
    letters = ["c" if dimension == "S" else dimension.lower() for dimension in sizes]
    scale = file.voxel_size()
    spacing = {letter: size for letter, size in (("y", scale.y), ("x", scale.x)) if size > 0}
    for loop in file.experiment:
        if loop.type == "TimeLoop" and loop.parameters.periodMs > 0:
            spacing["t"] = loop.parameters.periodMs / 1000
    times = _times(file, position, choice)
    channels = getattr(file.metadata, "channels", None) or []

    def load(selection: Selection) -> NDArray[np.generic]:
        pixels = file.to_dask(wrapper=False)
        if len(places) > 1:
            pixels = pixels[(slice(None),) * list(file.sizes).index("P") + (position,)]
        return np.array(pixels[selection].compute(scheduler="synchronous"))

    lossy = f"{path} is compressed with loss, which can bias D; use the original"
    return Source(
        "".join(letters),
        tuple(sizes.values()),
        np.dtype(file.dtype),
        load,
        coordinates={} if times is None else {"t": times},
        spacing=spacing,
        units={"t": "s", "y": "µm", "x": "µm"},
        channels=tuple(each.channel.name for each in channels),
        bits=file.attributes.bitsPerComponentSignificant,
        warnings=(lossy,) if file.attributes.compressionType == "lossy" else (),
    )
