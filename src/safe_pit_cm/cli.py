"""The command ``safe-pit-cm``: measure a diffusivity in a video, or make a video to try it on.

Exit codes: 0 done; 2 the user's input is at fault (one sentence on stderr, no traceback); 130 interrupted; 1 an error
of ours. Heavy libraries are imported where they are used, so that ``--help`` answers at once.
"""

import argparse
import errno
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from safe_pit_cm.commands import fit, frap, simulate
from safe_pit_cm.errors import UserError

USER = 2
OURS = 1
INTERRUPTED = 130

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# NumPy drops the number of the error when a disk fills up while it writes an array.
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the usage that hides it."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command line and its help."""
    top = _Parser(
        prog="safe-pit-cm",
        description="Measure a diffusion coefficient, with an honest error bar, from a video.",
        epilog="example:\n  safe-pit-cm simulate film.tif && safe-pit-cm fit film.tif --output result",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"safe-pit-cm {metadata.version('safe-pit-cm')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="{fit,frap,simulate}")
    fit.add_parser(commands)
    frap.add_parser(commands)
    simulate.add_parser(commands)
    return top


def _sentence(error: BaseException) -> str | None:
    """What to tell the user, or None if the error is ours."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, UserError):
            return str(chain)
        if isinstance(chain, MemoryError):
            return "there is not enough memory; take a part of the video by --roi or --frames, or stop other programs"
        if isinstance(chain, OSError) and (chain.errno in _FULL or _CUT_SHORT.fullmatch(str(chain))):
            return "no space is left to write the results; free some space or choose another place, and run again"
        if isinstance(chain, OSError) and chain.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return f"no permission to write {chain.filename or 'the results'}; choose another place"
        chain = chain.__cause__ or chain.__context__
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What follows the name of the command; those of the process by default.

    Returns
    -------
    int
        The exit code: 0, 1, 2 or 130.
    """
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("safe-pit-cm: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = _sentence(error)
        if sentence is not None:
            print(f"safe-pit-cm: {sentence}", file=sys.stderr)
            return USER
        traceback.print_exc()
        print("safe-pit-cm: this is an error of ours; please report it with the lines above", file=sys.stderr)
        return OURS
    return 0
