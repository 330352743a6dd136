"""Single PNG and JPEG images."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import COLOURS, Choice, Selection, Source, library
from safe_pit_cm.video.times import seconds_of

# A palette hides colours, grey with opacity is grey, and opacity is no brightness.
_PLAIN = {"P": "RGB", "LA": "L", "1": "L", "RGBA": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
# Numbers of EXIF tags: a date with a time of day, and the fraction of the second.
_EXIF = 0x8769
_TAKEN = ((0x9003, 0x9291), (0x9004, 0x9292), (0x0132, 0x9290))


def _acquired(image: Any) -> float | None:
    """When an image was taken, by its EXIF data, in seconds since a fixed moment."""
    exif = image.getexif()
    tags = {**exif, **exif.get_ifd(_EXIF)}
    for date, fraction in _TAKEN:
        seconds = seconds_of(f"{tags[date]}.{tags.get(fraction, 0)}") if date in tags else None
        if seconds is not None:
            return seconds
    return None


def open_image(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open a single image."""
    image = stack.enter_context(library("PIL.Image", path).open(path, formats=["PNG", "JPEG"]))
    mode = _PLAIN.get(image.mode, image.mode)
    colour = mode == "RGB"

    def load(selection: Selection) -> NDArray[Any]:
        pixels = np.asarray(image.convert(mode) if mode != image.mode else image)
        return np.asarray(pixels[selection])

    lossy = f"{path} is compressed with loss (JPEG), which can bias D; use the original"
    return Source(
        "yxc" if colour else "yx",
        (image.height, image.width, 3) if colour else (image.height, image.width),
        np.dtype(np.uint8 if mode in ("L", "RGB") else np.asarray(image.crop((0, 0, 1, 1))).dtype),
        load,
        channels=COLOURS if colour else (),
        acquired=_acquired(image),
        warnings=(lossy,) if image.format == "JPEG" else (),
    )
