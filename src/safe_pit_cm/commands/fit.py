"""The command ``safe-pit-cm fit``: measure a transport coefficient in a video."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from safe_pit_cm.commands import models, reading
from safe_pit_cm.commands.shared import add_output, boundary, check_output, say_to, stages
from safe_pit_cm.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

_EXAMPLE = """\
example:
  safe-pit-cm fit film.tif --output result
      a TIFF stack whose OME metadata say pixel size and frame interval
  safe-pit-cm fit film.npy --dx 0.65 --dt 0.5 --length-unit µm --roi 16:80,0:64 --frames 0:100 --output result
      a part of a NumPy array, in µm and s
  safe-pit-cm fit film.tif --model fisher-kpp --output result
  safe-pit-cm fit film.tif --equation "D*laplace(u) + r*u*(1 - u/K)" --fix K=1 --output result
      the coefficients of another equation, from the catalogue or as a text
  safe-pit-cm fit films/*.tif --output results
      several videos in one go, each into a folder of its name in results
  safe-pit-cm fit images --pattern '*s.tif' --dx 0.32 --length-unit µm --reference images/before.tif --output result
      a folder of images with their own times, divided by the image before bleaching

writes into the folder given by --output, or with several videos into folders in it:
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


def add_parser(commands: "argparse._SubParsersAction[Any]", *, several: bool = True) -> None:
    """Add the command and its options to the command line, for ``several`` videos or for one."""
    parser = commands.add_parser(
        "fit",
        help="recover the transport coefficient of a video",
        description="Recover the transport coefficient of a video, with its statistical and total error.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reading.add_options(parser, several=several)
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
    add(
        "--model",
        metavar="NAME",
        help="fit this equation of the catalogue instead of diffusion; see safe-pit-cm models",
    )
    models.add_equation(parser)
    add(
        "--compare",
        action="append",
        default=[],
        metavar="NAME",
        help="fit this equation of the catalogue too, and say which explains the video; may be repeated",
    )
    add("--affine", action="store_true", help="with an equation: estimate one gain and one offset of all frames")
    add("--profile", action="store_true", help="with a nonlinear equation: intervals by profile likelihood (slow)")
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
        model=options.model,
        equation=options.equation,
        fix=dict(options.fix) or None,
        bounds=dict(options.bounds) or None,
        affine=options.affine,
        profile=options.profile,
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
    record = film.record("reference", "dark")
    if "alpha" in found.attrs:
        say(f"writing {options.output}")
        results.write(found, options.output, record)
        return found
    from safe_pit_cm.video import equation_results

    comparison = _compared(film.video, film.mask, options, say)
    say(f"writing {options.output}")
    equation_results.write(found, options.output, {**record, "comparison": comparison})
    return found


def _compared(
    video: "xr.DataArray", mask: Any, options: argparse.Namespace, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Comparison with the other equations that were named."""
    if not options.compare:
        return []
    from safe_pit_cm.inference.equation_comparison import compare
    from safe_pit_cm.models import catalogue

    own = catalogue.resolve(options.model, options.equation, fix=dict(options.fix), bounds=dict(options.bounds))
    others = [catalogue.named(name) for name in options.compare]
    say(f"comparing with {', '.join(options.compare)}")
    return compare(
        video,
        [own, *others],
        boundary=options.boundary,
        discretisation=options.discretisation,
        mask=mask,
        seed=options.seed,
    )


def run(options: argparse.Namespace) -> None:
    """Measure every video, and print what was found.

    Raises
    ------
    UserError
        If a video or an option cannot be used; of several videos, the others are measured first.
    """
    say = say_to(options.quiet)
    tasks = [argparse.Namespace(**{**vars(options), "video": video}) for video in options.videos]
    if len(tasks) == 1:
        check_output(options.output, options.overwrite)
        _print(measure(tasks[0], say))
        return
    names = [(video.resolve() if video.name in {"", ".."} else video).stem for video in options.videos]
    for name in names:
        if not name or names.count(name) > 1:
            raise UserError(
                f"{names.count(name)} of the videos would write {options.output / name}; fit them one by one"
            )
    for name, task in zip(names, tasks, strict=True):
        task.output = options.output / name
        check_output(task.output, options.overwrite)
    failed = []
    for name, task in zip(names, tasks, strict=True):
        try:
            found = measure(task, say)
        except UserError as error:
            failed.append(name)
            print(f"safe-pit-cm: {name}: {error}", file=sys.stderr)
        else:
            print(f"{name}:")
            _print(found)
    if failed:
        raise UserError(f"{len(failed)} of {len(tasks)} videos were not measured: {', '.join(failed)}; see above")


def _print(found: "xr.Dataset") -> None:
    if "alpha" in found.attrs:
        from safe_pit_cm.video import facts

        print(facts.sentence(facts.facts_of(found)))
    else:
        # Only an equation needs PyTorch and SymPy.
        from safe_pit_cm.video import equation_results

        print(equation_results.sentence(found.attrs))
    print(found.attrs["verdict"])
