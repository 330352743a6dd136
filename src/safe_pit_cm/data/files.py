"""Write files and directories such that a partial one is never mistaken for a complete one."""

import glob
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Without dots, which separate the parts of a name.
_HOST = platform.node().replace(".", "-").replace("/", "-") or "host"


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


def _is_left_over(partial: Path) -> bool:
    """Whether the process that wrote a partial file has ended. Of one on another machine nothing is known."""
    host, _, process = partial.name.removesuffix(".partial").rpartition(".")[2].rpartition("-")
    if host != _HOST or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(process) == os.getpid()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path next to ``path`` to write to, and rename it to ``path`` once the block has succeeded.

    Works for a file and for a directory. If the block fails, its output is removed and ``path`` is unchanged; what a
    killed process left behind is removed by the next process that writes ``path``, if both run on one machine. Two
    processes that write ``path`` at the same time, such as a job that outlives a killed Snakemake and the job that
    replaces it, do not disturb one another. All data are on the disk before the rename, so that not even a power
    failure leaves empty files under ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.partial")
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if _is_left_over(other):
            _remove(other)
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
