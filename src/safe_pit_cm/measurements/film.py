"""Measure one film as ``safe-pit-cm fit`` does, and record what became of it.

Heavy libraries are imported where they are used: the workflow reads this at every parse.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from safe_pit_cm.commands import fit
from safe_pit_cm.data import files
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import outcomes

if TYPE_CHECKING:
    import xarray as xr

THUMBNAIL = "thumbnail.png"
_HEIGHT = 72  # pixels, about


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"safe-pit-cm fit: {message}")


def parse(film: str, arguments: Sequence[str], output: str | Path) -> argparse.Namespace:
    """Read the options of one film as the command line does.

    Parameters
    ----------
    film
        File or folder.
    arguments
        Options of ``safe-pit-cm fit``, one word each.
    output
        Folder of the result.

    Raises
    ------
    UserError
        If there is no such option, or it does not take such a value.
    """
    parser = _Parser(prog="safe-pit-cm")
    fit.add_parser(parser.add_subparsers(), several=False)
    options, unknown = parser.parse_known_args(["fit", f"--output={output}", *arguments, "--", film])
    if unknown:
        name = unknown[0].removeprefix("--").partition("=")[0]
        raise UserError(f"safe-pit-cm fit has no option {name}; leave it out")
    return options


def measure(film: str, arguments: Sequence[str], output: str | Path, say: Callable[[str], None]) -> outcomes.Outcome:
    """Measure a film; what is wrong with it becomes part of the result.

    Parameters
    ----------
    film, arguments
        As :func:`parse` takes them.
    output
        Folder to write, all or nothing: ``outcome.json`` and, unless the film failed, the files of ``safe-pit-cm fit``
        and ``thumbnail.png``. What it held is replaced.
    say
        Called with every line of progress.

    Returns
    -------
    Outcome
        As in ``outcome.json``. An error that the user cannot mend is raised, and nothing is written.
    """
    with files.replacing(output) as partial:
        try:
            found = fit.measure(parse(film, arguments, partial), say)
        except UserError as error:
            outcome = outcomes.Outcome("failed", str(error))
            partial.mkdir()
        else:
            from safe_pit_cm.video.facts import facts_of

            outcome = outcomes.judged(facts_of(found))
            _draw_thumbnail(found, partial / THUMBNAIL)
        outcomes.write(outcome, partial)
    return outcome


def _draw_thumbnail(found: "xr.Dataset", path: Path) -> None:
    """The first and the last frame beside each other, in one scale of grey."""
    import matplotlib.image
    import numpy as np

    observed = found["observed"].to_numpy()[[0, -1]]
    step = max(1, round(observed.shape[1] / _HEIGHT))
    pair = observed[:, ::step, ::step]
    low, high = np.nanpercentile(pair, [0.5, 99.5])
    gap = np.full((pair.shape[1], max(1, pair.shape[2] // 24)), np.nan)
    strip = np.concatenate([pair[0], gap, pair[1]], axis=1)
    # An empty name of the software, for the same bytes with any version of it.
    matplotlib.image.imsave(path, strip, cmap="gray", vmin=low, vmax=high, metadata={"Software": ""})
