"""Folders of PNG images, one for each frame."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import FORMATS, Selection, Source, grey, library


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame_10 after frame_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def open_folder(path: Path, variable: str | None, channel: int | None, stack: ExitStack) -> Source:
    """Open a folder of images, ordered by the numbers in their names."""
    images = sorted((p for p in path.iterdir() if p.suffix.lower() == ".png" and p.is_file()), key=_natural)
    if not images:
        raise UserError(f"the folder {path} holds no .png image; give {FORMATS}")
    pillow = library("PIL.Image", path)

    def look(file: Path) -> tuple[tuple[int, int], str]:
        try:
            with pillow.open(file, formats=["PNG"]) as image:
                return (image.height, image.width), image.mode
        except OSError as error:
            raise UserError(f"{file} is not a PNG image or is damaged; export it again or take it away") from error

    size, _ = look(images[0])
    for file in images:
        other, _ = look(file)
        if other != size:
            raise UserError(
                f"the images in {path} differ in size: {images[0].name} has {size[0]} × {size[1]} pixels and "
                f"{file.name} {other[0]} × {other[1]}; export all frames at one size"
            )

    def read(file: Path) -> NDArray[Any]:
        try:
            with pillow.open(file, formats=["PNG"]) as image:
                # A palette hides colours, and grey with opacity is grey.
                mode = {"P": "RGB", "LA": "L", "1": "L"}.get(image.mode)
                plain = image.convert(mode) if mode else image
                pixels = np.asarray(plain)
        except (OSError, SyntaxError) as error:
            raise UserError(f"{file} is a damaged PNG image; export it again or take it away") from error
        return pixels if pixels.ndim == 2 else grey(pixels, channel, path)

    def load(selection: Selection) -> NDArray[Any]:
        return np.stack([read(file)[selection[1:]] for file in images[selection[0]]])

    return Source("tyx", (len(images), *size), read(images[0]).dtype, load, {}, {}, {})
