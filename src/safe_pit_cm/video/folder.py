"""Folders of images, one for each frame, ordered by the times in the images or else by the numbers in their names."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import FORMATS, Choice, Selection, Source
from safe_pit_cm.video.times import growing

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".czi", ".lsm", ".nd2", ".oib", ".oif", ".zvi")
# Below this interval, times to the second are too coarse.
_COARSE = 10.0

OpenFile = Callable[[Path, Choice], AbstractContextManager[Source]]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame_10 after frame_9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _names(files: list[Path]) -> str:
    shown = [file.name for file in files[:4]]
    return ", ".join(shown) + (f" and {len(files) - 4} more" if len(files) > 4 else "")


def _files(path: Path, pattern: str | None) -> list[Path]:
    """Images of a folder that belong to the film, in the order of their names."""
    found = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()]
    images = sorted(found, key=_natural)
    if not images:
        raise UserError(f"the folder {path} holds no image; give {FORMATS}")
    if pattern is not None:
        chosen = [file for file in images if fnmatchcase(file.name, pattern)]
        if not chosen:
            raise UserError(f"no image in the folder {path} matches --pattern {pattern!r}; it has {_names(images)}")
        return chosen
    kinds = sorted({file.suffix.lower() for file in images})
    if len(kinds) > 1:
        raise UserError(
            f"the folder {path} holds {' and '.join(kinds)} images; say which are the film, such as by "
            f"--pattern '*{kinds[0]}'"
        )
    plain = [file for file in images if not re.search(r"\d", file.stem)]
    if plain and len(plain) < len(images):
        raise UserError(
            f"the folder {path} holds images without a number in their name, {_names(plain)}, beside numbered ones; "
            "leave them out by --pattern '*[0-9]*', or keep them by --pattern '*'"
        )
    return images


def _sizes(source: Source) -> str:
    return f"{' × '.join(map(str, source.shape))} pixels of {source.dtype}"


def open_folder(path: Path, choice: Choice, open_file: OpenFile) -> Source:
    """Open a folder of images, each of which ``open_file`` opens."""
    files = _files(path, choice.pattern)
    alone = replace(choice, pattern=None)
    sources = []
    for file in files:
        with open_file(file, alone) as source:
            counts = dict(zip(source.axes or "", source.shape, strict=True))
            if source.axes is None or counts.get("t", 1) != 1:
                raise UserError(
                    f"{file} holds {counts.get('t', 'several')} frames, and a folder has one image a frame; give the "
                    "file itself as the film"
                )
            sources.append(source)
    described = [_sizes(source) for source in sources]
    usual = Counter(described).most_common(1)[0][0]
    odd = [file for file, size in zip(files, described, strict=True) if size != usual]
    if odd:
        other = described[files.index(odd[0])]
        raise UserError(
            f"the images in {path} differ: most have {usual}, and {_names(odd)} {other}; leave out what is no frame by "
            "--pattern, or export all frames alike"
        )
    stamps = [source.acquired for source in sources if source.acquired is not None]
    coordinates: dict[str, NDArray[np.float64]] = {}
    warnings = list(dict.fromkeys(text.replace(str(files[0]), str(path)) for text in sources[0].warnings))
    if len(stamps) == len(files) and len(files) > 1:
        order = np.argsort(stamps, kind="stable")
        times = np.array(stamps)[order]
        if growing(times):
            files = [files[index] for index in order]
            coordinates["t"] = np.round(times - times[0], 6)
            if not np.any(times % 1) and np.diff(times).min() < _COARSE:
                warnings.append(
                    f"the images in {path} give their times only to the second, and are down to "
                    f"{np.diff(times).min():g} s apart; give --dt or --times if you know them better"
                )
        else:
            warnings.append(f"several images in {path} give the same time, so that they are ordered by name")
    first = sources[0]
    axes = str(first.axes)
    letters = axes.replace("t", "")

    def read(file: Path, selection: Selection) -> NDArray[Any]:
        wanted = dict(zip(letters, selection, strict=True))
        with open_file(file, alone) as source:
            pixels = source.load(tuple(wanted.get(letter, slice(0, 1)) for letter in axes))
        kept = [count for letter, count in zip(axes, pixels.shape, strict=True) if letter != "t"]
        return pixels.reshape(kept)

    def load(selection: Selection) -> NDArray[Any]:
        return np.stack([read(file, selection[1:]) for file in files[selection[0]]])

    shape = tuple(n for a, n in zip(axes, first.shape, strict=True) if a != "t")
    return replace(
        first,
        axes=f"t{letters}",
        shape=(len(files), *shape),
        load=load,
        coordinates=coordinates,
        spacing={letter: step for letter, step in first.spacing.items() if letter != "t"},
        units={**{letter: unit for letter, unit in first.units.items() if letter != "t"}, "t": "s"},
        acquired=None,
        warnings=tuple(warnings),
    )
