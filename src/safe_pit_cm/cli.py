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
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import former_boundary

USER = 2
OURS = 1
INTERRUPTED = 130

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# NumPy drops the number of the error when a disk fills up while it writes an array.
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
_RESULT = {"fit.json", "fit.png", "fit.zarr", "index.html"}

_FIT_EXAMPLE = """\
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

_SIMULATE_EXAMPLE = """\
example:
  safe-pit-cm simulate film.tif --diffusivity 0.35 --dx 0.65 --dt 0.5 --noise 0.01 --seed 7

What it is: a Voronoi microstructure, slightly blurred, whose every Fourier mode then decays by exp(-D k^2 t). This is
the exact solution of the diffusion equation, continuous in space and time: no grid, time step or stencil of an
estimator goes into it. With --boundary open the video shows the middle of a field twice as wide, as a microscope does.
Brightness is gain x (field + noise) + offset. It is not a simulation of any real material or camera.
"""


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the usage that hides it."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER, f"{self.prog}: {message}; see {self.prog} --help\n")


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


def _boundary(*offered: str) -> Callable[[str], str]:
    """Type of an option that takes one of some boundaries."""

    def boundary(text: str) -> str:
        former = former_boundary(text, offered)
        if former is not None:
            raise argparse.ArgumentTypeError(former)
        if text not in offered:
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(offered)})")
        return text

    return boundary


def _pixel(text: str) -> float | tuple[float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise argparse.ArgumentTypeError(f"{text!r} is no pixel size; give one number, or DY,DX")
    return values[0] if len(values) == 1 else (values[0], values[1])


def _size(text: str) -> tuple[int, int]:
    try:
        values = [int(part) for part in text.lower().split("x")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give N or ROWSxCOLUMNS, such as 64 or 64x96")
    return values[0], values[-1]


def parser() -> argparse.ArgumentParser:
    """The command line and its help."""
    top = _Parser(
        prog="safe-pit-cm",
        description="Measure a diffusion coefficient, with an honest error bar, from a video.",
        epilog="example:\n  safe-pit-cm simulate film.tif && safe-pit-cm fit film.tif --output result",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"safe-pit-cm {metadata.version('safe-pit-cm')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="{fit,simulate}")

    fit = commands.add_parser(
        "fit",
        help="recover the transport coefficient of a video",
        description="Recover the transport coefficient of a video, with its standard error and 95 % interval.",
        epilog=_FIT_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = fit.add_argument
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
        type=_boundary("open", "periodic", "no-flux", "dirichlet"),
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
    fit.set_defaults(run=_fit)

    simulate = commands.add_parser(
        "simulate",
        help="make a test video whose diffusivity is known",
        description="Make a test video whose diffusivity is known.",
        epilog=_SIMULATE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = simulate.add_argument
    add("video", type=Path, metavar="VIDEO", help="file to write: .tif (with OME metadata), .npy or .zarr")
    add("--overwrite", action="store_true", help="replace VIDEO if it exists")
    add("--diffusivity", type=float, default=0.4, metavar="D", help="true D, in length² per time (default 0.4)")
    add("--process", choices=("diffusion", "mobility"), default="diffusion", help="mobility: the video backwards")
    add(
        "--boundary",
        type=_boundary("open", "periodic", "no-flux"),
        metavar="{open,periodic,no-flux}",
        default="open",
        help="default: open",
    )
    add("--size", type=_size, default=(64, 64), metavar="N|ROWSxCOLUMNS", help="pixels (default 64)")
    add("--frames", type=int, default=50, metavar="N", help="number of frames (default 50)")
    add("--dx", type=float, default=1.0, help="pixel size (default 1)")
    add("--dt", type=float, default=1.0, help="time between frames (default 1)")
    add("--length-unit", default="µm", metavar="UNIT", help="default µm")
    add("--time-unit", default="s", metavar="UNIT", help="default s")
    add("--noise", type=float, default=0.01, help="standard deviation; the field lies in [0, 1] (default 0.01)")
    add("--gain", type=float, help="brightness of one unit of the field (default 1; uint8 180, uint16 45000)")
    add("--offset", type=float, help="brightness of a field of zero (default 0; uint8 35, uint16 10000)")
    add("--blur", type=float, default=1.0, help="blur of the first frame in pixels (default 1)")
    add("--dtype", choices=("float32", "float64", "uint8", "uint16"), default="float32", help="default float32")
    add("--seed", type=int, default=0, help="of microstructure and noise (default 0)")
    add("--quiet", action="store_true", help="no progress on stderr")
    simulate.set_defaults(run=_simulate)
    return top


def _say(quiet: bool) -> Callable[[str], None]:
    return (lambda _: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))


def _frames_done(say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Progress in quarters."""

    def progress(done: int, total: int) -> None:
        if done * 4 // total > (done - 1) * 4 // total:
            say(f"frame {done} of {total}")

    return progress


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


def _check_parent(path: Path) -> None:
    """Refuse a place that cannot be written before any work is done."""
    place = path.absolute().parent
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise UserError(f"cannot write {path}: {place} is a file, not a folder; choose another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"no permission to write {path}; choose another place")


def _check_output(path: Path, overwrite: bool) -> None:
    """Only a new or empty folder, or with ``overwrite`` an earlier result, is taken as the target."""
    _check_parent(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path} is a file or a link, and --output needs a folder; choose another name")
    if not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    if names and not ("fit.json" in names and names <= _RESULT):
        raise UserError(f"the folder {path} holds other files; choose a new or empty folder for --output")
    if names and not overwrite:
        raise UserError(f"{path} holds an earlier result; give --overwrite to replace it, or another --output")


def _simulate(options: argparse.Namespace) -> None:
    from safe_pit_cm.video import simulation

    _check_parent(options.video)
    if options.video.suffix.lower() not in simulation.SUFFIXES:
        suffixes = ", ".join(simulation.SUFFIXES)
        raise UserError(f"{options.video} has no suffix that can be written; end its name in {suffixes}")
    if options.video.exists() and not options.overwrite:
        raise UserError(f"{options.video} exists; give --overwrite to replace it, or another name")
    if options.video.is_dir() and not (options.video / "zarr.json").is_file():
        raise UserError(f"{options.video} is a folder and no Zarr store; choose another name")
    say = _say(options.quiet)
    names = simulation.Settings.__dataclass_fields__
    settings = simulation.Settings(**{name: getattr(options, name) for name in names})
    video = simulation.simulate(settings, _frames_done(say))
    simulation.write(video, options.video)
    facts = video.attrs
    unit = f"{facts['length_unit']}²/{facts['time_unit']}"
    frames, rows, columns = video.shape
    print(f"{options.video}: {frames} frames of {rows} × {columns} pixels, true D = {facts['diffusivity']:g} {unit}")
    if facts["clipped_pixels"]:
        say(f"warning: {facts['clipped_pixels']} pixels were clipped to {options.dtype}; lower --gain or --noise")


def _fit(options: argparse.Namespace) -> None:
    from safe_pit_cm.video import reading

    say = _say(options.quiet)
    _check_output(options.output, options.overwrite)
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
    print(results.sentence(found))
    print(found.attrs["verdict"])


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
