"""Write files and directories such that a partial one is never mistaken for a complete one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Write a file, or the entries of a folder, from memory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path next to ``path`` to write to, and rename it to ``path`` once the block has succeeded.

    Works for a file and for a directory. If the block fails, its output is removed and ``path`` is unchanged; what a
    killed process left behind is removed by the next process that writes ``path``. All data are on the disk before the
    rename, so that not even a power failure leaves empty files under ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    try:
        yield partial
        # Raises if the block wrote nothing, before anything is removed.
        partial.lstat()
        for written in (*partial.rglob("*"), partial):
            _sync(written)
        _remove(path)
        partial.rename(path)
        _sync(path.parent)
    except BaseException:
        _remove(partial)
        raise
