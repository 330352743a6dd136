"""Movies: MP4, AVI and whatever else the codecs know."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import COLOURS, FORMATS, Choice, Selection, Source, library

# Codecs that give back every pixel as it was.
_LOSSLESS = {
    "ffv1",
    "ffvhuff",
    "huffyuv",
    "rawvideo",
    "utvideo",
    "png",
    "tiff",
    "qtrle",
    "lagarith",
    "magicyuv",
    "v210",
}


def open_movie(path: Path, choice: Choice, stack: ExitStack) -> Source:
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
        rate, codec = stream.average_rate, stream.codec_context.name
        announced, shape = stream.frames, (frames, stream.height, stream.width, 3)
    if frames < announced:
        raise EOFError(f"its header announces {announced} frames and it holds {frames}")

    def load(selection: Selection) -> NDArray[Any]:
        wanted = range(*selection[0].indices(frames))
        picked = []
        with opened() as (container, stream):
            for index, frame in enumerate(container.decode(stream)):
                if index in wanted:
                    picked.append(frame.to_ndarray(format="rgb24")[selection[1:]])
                if index >= wanted[-1]:
                    break
        if len(picked) < len(wanted):
            raise EOFError(f"frame {wanted[len(picked)]} cannot be decoded")
        return np.stack(picked)

    lossy = f"{path} is compressed with loss ({codec}), which can bias D by tens of per cent; use the original"
    return Source(
        "tyxc",
        shape,
        np.dtype(np.uint8),
        load,
        channels=COLOURS,
        frame_rate=float(rate) if rate else None,
        warnings=() if codec in _LOSSLESS else (lossy,),
    )
