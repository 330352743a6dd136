"""NumPy arrays (.npy) and archives (.npz)."""

import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import Choice, Selection, Source, array_source, choose


def open_array(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open an array, which is not read as a whole."""
    return array_source(np.load(path, mmap_mode="r", allow_pickle=False))


def open_archive(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open one array of an archive."""
    # The shapes come from the headers inside, so that a large archive is refused before it is unpacked.
    archive = stack.enter_context(zipfile.ZipFile(path))
    headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    for name in archive.namelist():
        with archive.open(name) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            headers[name.removesuffix(".npy")] = shape, dtype
    name = choose([key for key, (shape, _) in headers.items() if len(shape) >= 3], choice.variable, path)

    def load(selection: Selection) -> NDArray[Any]:
        with np.load(path, allow_pickle=False) as opened:
            return np.asarray(opened[name][selection])

    return Source(None, *headers[name], load)
