"""Code shared by the commands: progress, checks of output paths, and types of options."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import former_boundary


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
