"""The command ``safe-pit-cm``: measure a diffusivity in a video, simulate one, or check results of the workflow.

Exit codes: 0 success; 2 invalid input (one sentence on stderr, no traceback); 130 interrupted; 1 internal error. Heavy
libraries are imported where they are used, so that ``--help`` is immediate.
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

from safe_pit_cm.commands import fit, frap, models, results, simulate
from safe_pit_cm.errors import UserError

USER = 2
OURS = 1
INTERRUPTED = 130

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# NumPy omits the error number when a disk becomes full while it writes an array.
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage message."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command line and its help."""
    top = _Parser(
        prog="safe-pit-cm",
        description="Measure a diffusion coefficient, with its standard error, in a video.",
        epilog="example:\n  safe-pit-cm simulate film.tif && safe-pit-cm fit film.tif --output result",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"safe-pit-cm {metadata.version('safe-pit-cm')}")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="{fit,frap,models,simulate,verify,trace,crate}"
    )
    fit.add_parser(commands)
    frap.add_parser(commands)
    models.add_parser(commands)
    simulate.add_parser(commands)
    results.add_parsers(commands)
    return top


def _sentence(error: BaseException) -> str | None:
    """Message for the user, or None for an internal error."""
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
        if isinstance(chain, OSError) and chain.errno == errno.ENAMETOOLONG:
            return f"a path is longer than the file system allows: {str(chain.filename)[:40]}…; give a shorter one"
        chain = chain.__cause__ or chain.__context__
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Arguments after the name of the command; by default those of the process.

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
        # The reader of the output has closed it; Python would raise the error again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = _sentence(error)
        if sentence is not None:
            print(f"safe-pit-cm: {sentence}", file=sys.stderr)
            return USER
        traceback.print_exc()
        print("safe-pit-cm: internal error; please report it together with the lines above", file=sys.stderr)
        return OURS
    return 0
