"""Code shared by the commands: progress, checks of output paths, and types of options."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import former_boundary

# Names that a fit gives to its results.
_RESULT = frozenset({"fit.json", "fit.png", "fit.zarr", "index.html"})


def say_to(quiet: bool) -> Callable[[str], None]:
    """Function that prints a line of progress on stderr, or nothing if ``quiet``."""
    return (lambda _: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))


def check_parent(path: Path) -> None:
    """Reject an output path that cannot be written before any work is done."""
    place = path.absolute().parent
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise UserError(f"cannot write {path}: {place} is a file, not a folder; choose another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"no permission to write {path}; choose another place")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a result is written."""
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the results; must be new or empty")
    add("--overwrite", action="store_true", help="replace earlier results of this command in DIR; never anything else")


def check_output(path: Path, overwrite: bool, further: frozenset[str] = frozenset()) -> None:
    """Only a new or empty folder, or with ``overwrite`` an earlier result, is taken as the target.

    Parameters
    ----------
    path
        The folder.
    overwrite
        Whether an earlier result is replaced.
    further
        Names that a result of the command has beside those of a fit.
    """
    check_parent(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path} is a file or a link, and --output needs a folder; choose another name")
    if not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    if names and not ("fit.json" in names and names <= _RESULT | further):
        raise UserError(f"the folder {path} holds other files; choose a new or empty folder for --output")
    if names and not overwrite:
        raise UserError(f"{path} holds an earlier result; give --overwrite to replace it, or another --output")


def stages(say: Callable[[str], None]) -> Callable[[str, float], None]:
    """Progress of a fit: each stage in quarters, and no line twice."""
    last = ("", -1)

    def progress(stage: str, share: float) -> None:
        nonlocal last
        quarter = (stage, int(share * 4))
        if quarter != last:
            last = quarter
            say(f"{stage}: {25 * quarter[1]} %")

    return progress


def boundary(*offered: str) -> Callable[[str], str]:
    """Type of an option whose value is one of the boundaries offered."""

    def chosen(text: str) -> str:
        former = former_boundary(text, offered)
        if former is not None:
            raise argparse.ArgumentTypeError(former)
        if text not in offered:
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(offered)})")
        return text

    return chosen
