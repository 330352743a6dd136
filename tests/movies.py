"""Movies for the tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def write_movie(path: Path, frames: NDArray[np.uint8], codec: str, pixel_format: str) -> None:
    """A movie from grey frames ``(time, y, x)`` or colour frames ``(time, y, x, 3)``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25, 2))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.bit_rate = 20_000_000
        for frame in frames:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=-1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format="rgb24")))
        container.mux(stream.encode())
