"""Write files and directories so that a half-written one is never taken for done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; rename it onto ``path`` once the block has succeeded.

    Works for a file and for a directory. If the block fails, what it wrote is removed and ``path`` stays as it
    was; what a killed process left behind is removed by the next one that writes ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    try:
        yield partial
        # Raises if the block wrote nothing, before anything is removed.
        partial.lstat()
        _remove(path)
        partial.rename(path)
    except BaseException:
        _remove(partial)
        raise
