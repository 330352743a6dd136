"""The command ``safe-pit-cm fit``: measure a transport coefficient in a video."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from safe_pit_cm.commands import reading
from safe_pit_cm.commands.shared import add_output, boundary, check_output, say_to, stages

if TYPE_CHECKING:
    import xarray as xr

_EXAMPLE = """\
example:
  safe-pit-cm fit film.tif --output result
      a TIFF stack whose OME metadata say pixel size and frame interval
  safe-pit-cm fit film.npy --dx 0.65 --dt 0.5 --length-unit µm --roi 16:80,0:64 --frames 0:100 --output result
      a part of a NumPy array, in µm and s
  safe-pit-cm fit images --pattern '*s.tif' --dx 0.32 --length-unit µm --reference images/before.tif --output result
      a folder of images with their own times, divided by the image before bleaching

writes into the folder given by --output:
  fit.json    the coefficient with its statistical and total error, or a bound; how well the model fits
  fit.png     observed and predicted frames, likelihood, residuals by wavenumber and time
  fit.zarr    the same numbers as an xarray dataset
  index.html  all of it on one page that needs no other file

prints the result in one line and the verdict on the model in another

exit codes: 0 done, 2 the input is at fault (stderr says what to do), 130 interrupted, 1 an error of ours;
a film that gives only a bound, and a model that does not fit, are results like others: the code is 0, the lines say so
"""


class _Former(argparse.Action):
    """An option that was renamed."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        parser.error("the option --operator is now called --discretisation; give --discretisation")


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to the command line."""
    parser = commands.add_parser(
        "fit",
        help="recover the transport coefficient of a video",
        description="Recover the transport coefficient of a video, with its statistical and total error.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reading.add_options(parser)
    add_output(parser)
    add = parser.add_argument
    add(
        "--reference",
        type=Path,
        metavar="FILE",
        help="image of one frame to divide by, such as the one before bleaching",
    )
    add("--process", choices=("diffusion", "mobility"), default="diffusion", help="smoothing (default) or sharpening")
    add(
        "--boundary",
        type=boundary("open", "periodic", "no-flux", "dirichlet"),
        metavar="{open,periodic,no-flux,dirichlet}",
        default="open",
        help="open (default): a part of a larger field, as under a microscope; periodic; no-flux: no flux through "
        "the edge; dirichlet: the edge keeps its value",
    )
    add(
        "--discretisation",
        choices=("continuous", "five-point", "euler"),
        default="continuous",
        help="continuous (default): for measured video; five-point: a video simulated on its own pixels, exact in "
        "time; euler: the same by forward Euler with --substep",
    )
    add("--operator", action=_Former, help=argparse.SUPPRESS)
    add("--substep", type=float, metavar="DTAU", help="time step of the simulation that made the video, for euler")
    add(
        "--method",
        choices=("ml", "safe", "zero-shot"),
        default="ml",
        help="ml (default): maximum likelihood; safe: least SAFE loss; zero-shot: the paper's estimator; the last two "
        "have no error bar and know no open boundary",
    )
    add(
        "--nuisances",
        default="auto",
        metavar="NAMES",
        help="what is estimated along: offset and gain of each frame, bleaching, background; names separated by "
        "commas, all, none or auto (default): all for a continuous video with an open or no-flux boundary, else none",
    )
    add("--background", action="store_true", help="add background to --nuisances: a pattern that stays the same")
    add("--bleaching", action="store_true", help="add bleaching to --nuisances")
    add("--seed", type=int, default=0, help="of every random draw (default 0)")
    add("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)


def measure(options: argparse.Namespace, say: Callable[[str], None]) -> "xr.Dataset":
    """Read a video, fit it and write the folder of results.

    Parameters
    ----------
    options
        Those of the command. Whatever ``options.output`` holds is replaced.
    say
        Called with every line of progress.

    Returns
    -------
    xr.Dataset
        What :func:`safe_pit_cm.fit` returned.

    Raises
    ------
    UserError
        If the video or an option cannot be used; nothing is written then.
    """
    film = reading.read(options, say)
    calibration: dict[str, Any] = {
        name: film.image(given, f"--{name}")
        for name in ("reference", "dark")
        if (given := getattr(options, name)) is not None
    }
    say(f"fitting {' × '.join(map(str, film.video.shape))} (time, y, x) by {options.method}")
    # torch and scipy come with the estimator: a second, spent only once the input has been found good.
    from safe_pit_cm.inference import fit
    from safe_pit_cm.video import results

    found = fit.fit(
        film.video,
        process=options.process,
        boundary=options.boundary,
        discretisation=options.discretisation,
        substep=options.substep,
        method=options.method,
        mask=film.mask,
        nuisances=options.nuisances,
        background=options.background,
        bleaching=options.bleaching,
        seed=options.seed,
        progress=stages(say),
        **calibration,
    )
    say(f"writing {options.output}")
    results.write(found, options.output, film.record("reference", "dark"))
    return found


def run(options: argparse.Namespace) -> None:
    """Measure, and print the result."""
    check_output(options.output, options.overwrite)
    found = measure(options, say_to(options.quiet))
    from safe_pit_cm.video import facts

    print(facts.sentence(facts.facts_of(found)))
    print(found.attrs["verdict"])
