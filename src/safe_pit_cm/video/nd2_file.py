"""ND2, the format of NIS-Elements by Nikon."""

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
            described = file.frame_metadata(index)
            if not getattr(described, "channels", None):
                return None
            channel = described.channels[min(choice.channel or 0, len(described.channels) - 1)]
            times.append(channel.time.relativeTimeMs / 1000)
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
    times = _times(file, position, choice)
    channels = getattr(file.metadata, "channels", None) or []

    def load(selection: Selection) -> NDArray[np.generic]:
        pixels = file.to_dask(wrapper=False)
        if len(places) > 1:
            pixels = pixels[(slice(None),) * list(file.sizes).index("P") + (position,)]
        return np.array(pixels[selection].compute(scheduler="synchronous"))

    return Source(
        "".join(letters),
        tuple(sizes.values()),
        np.dtype(file.dtype),
        load,
        coordinates={} if times is None else {"t": times},
        # A file that was never calibrated says 1 in some versions, 0 in others.
        spacing={letter: size for letter, size in (("y", scale.y), ("x", scale.x)) if size > 0},
        units={"t": "s", "y": "µm", "x": "µm"},
        channels=tuple(each.channel.name for each in channels),
        bits=file.attributes.bitsPerComponentSignificant,
    )
