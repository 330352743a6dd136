"""The command ``safe-pit-cm fit``: measure a transport coefficient in a video."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from safe_pit_cm.commands.shared import boundary, check_parent, say_to
from safe_pit_cm.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

_RESULT = {"fit.json", "fit.png", "fit.zarr", "index.html"}

_EXAMPLE = """\
example:
  safe-pit-cm fit film.tif --output result
      a TIFF stack whose OME metadata say pixel size and frame interval
  safe-pit-cm fit film.npy --dx 0.65 --dt 0.5 --length-unit µm --roi 16:80,0:64 --frames 0:100 --output result
      a part of a NumPy array, in µm and s

writes into the folder given by --output:
  fit.json    the coefficient, its standard error and 95 % interval, and how well the model fits
  fit.png     observed and predicted frames, profile likelihood, residuals by wavenumber
  fit.zarr    the same numbers as an xarray dataset
  index.html  all of it on one page that needs no other file

exit codes: 0 done, 2 the input is at fault (stderr says what to do), 130 interrupted, 1 an error of ours
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


def _pixel(text: str) -> float | tuple[float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise argparse.ArgumentTypeError(f"{text!r} is no pixel size; give one number, or DY,DX")
    return values[0] if len(values) == 1 else (values[0], values[1])


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to the command line."""
    parser = commands.add_parser(
        "fit",
        help="recover the transport coefficient of a video",
        description="Recover the transport coefficient of a video, with its standard error and 95 % interval.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("video", type=Path, metavar="VIDEO", help="TIFF, .npy, .npz, Zarr, NetCDF, HDF5, MP4, AVI or a folder of PNGs")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the results; must be new or empty")
    add("--overwrite", action="store_true", help="replace earlier results of this command in DIR; never anything else")
    add("--dx", type=_pixel, metavar="DX", help="pixel size, or DY,DX; default: what the file says")
    add("--dt", type=float, metavar="DT", help="time between two frames of the file; default: what the file says")
    add("--length-unit", metavar="UNIT", help="unit of --dx, for the labels")
    add("--time-unit", metavar="UNIT", help="unit of --dt, for the labels")
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
    add("--roi", metavar="Y0:Y1,X0:X1", help="rows and columns to use, the last ones not included")
    add("--frames", metavar="START:STOP[:STEP]", help="frames to use, STOP not included")
    add("--axes", metavar="LETTERS", help="meaning of the file's axes in their order, such as yxt or tyxc")
    add("--channel", type=int, metavar="N", help="channel of a colour video, from 0")
    add("--variable", metavar="NAME", help="name of the array, for files that hold several")
    add("--missing", action="store_true", help="take NaN pixels as missing instead of refusing them")
    add("--mask", type=Path, metavar="FILE", help="PNG or .npy of one frame: pixels that are not 0 are left out")
    add("--background", action="store_true", help="estimate a background that stays the same in all frames")
    add("--bleaching", action="store_true", help="estimate an exponential bleaching rate")
    add("--seed", type=int, default=0, help="of the zero-shot method (default 0)")
    add("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)


def _stages(say: Callable[[str], None]) -> Callable[[str, float], None]:
    """Progress of a fit: each stage in quarters, and no line twice."""
    last = ("", -1)

    def progress(stage: str, share: float) -> None:
        nonlocal last
        quarter = (stage, int(share * 4))
        if quarter != last:
            last = quarter
            say(f"{stage}: {25 * quarter[1]} %")

    return progress


def _check_output(path: Path, overwrite: bool) -> None:
    """Only a new or empty folder, or with ``overwrite`` an earlier result, is taken as the target."""
    check_parent(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path} is a file or a link, and --output needs a folder; choose another name")
    if not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    if names and not ("fit.json" in names and names <= _RESULT):
        raise UserError(f"the folder {path} holds other files; choose a new or empty folder for --output")
    if names and not overwrite:
        raise UserError(f"{path} holds an earlier result; give --overwrite to replace it, or another --output")


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
    from safe_pit_cm.video import reading

    selection = reading.Selection(
        reading.parse_frames(options.frames) if options.frames is not None else None,
        reading.parse_roi(options.roi) if options.roi is not None else None,
    )
    say(f"reading {options.video}")
    video = reading.read(
        options.video,
        dx=options.dx,
        dt=options.dt,
        selection=selection,
        axes=options.axes,
        channel=options.channel,
        variable=options.variable,
        length_unit=options.length_unit,
        time_unit=options.time_unit,
        missing=options.missing,
    )
    mask = reading.read_mask(options.mask, selection) if options.mask is not None else None
    for warning in video.attrs["warnings"]:
        say(f"warning: {warning}")
    say(f"fitting {' × '.join(map(str, video.shape))} (time, y, x) by {options.method}")
    # torch and scipy come with the estimator: a second, spent only once the input has been found good.
    from safe_pit_cm.inference import fit
    from safe_pit_cm.video import results

    found = fit.fit(
        video,
        process=options.process,
        boundary=options.boundary,
        discretisation=options.discretisation,
        substep=options.substep,
        method=options.method,
        mask=mask,
        background=options.background,
        bleaching=options.bleaching,
        seed=options.seed,
        progress=_stages(say),
    )
    say(f"writing {options.output}")
    chosen = {name: getattr(options, name) for name in ("roi", "frames", "axes", "channel", "variable", "missing")}
    settings = {
        "video": options.video.name,
        "input": {name: value for name, value in chosen.items() if value not in (None, False)},
        "warnings": video.attrs["warnings"],
    }
    results.write(found, options.output, settings)
    return found


def run(options: argparse.Namespace) -> None:
    """Measure, and print the result."""
    _check_output(options.output, options.overwrite)
    found = measure(options, say_to(options.quiet))
    from safe_pit_cm.video import results

    print(results.sentence(found))
    print(found.attrs["verdict"])
