"""Movies: MP4, AVI and whatever else the codecs know."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import FORMATS, Selection, Source, grey, library


def open_movie(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    """Open a movie, whose frames are decoded one by one."""
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
