"""The command ``safe-pit-cm simulate``: make a test video whose diffusivity is known."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safe_pit_cm.commands.shared import boundary, check_parent, say_to
from safe_pit_cm.errors import UserError

_EXAMPLE = """\
example:
  safe-pit-cm simulate film.tif --diffusivity 0.35 --dx 0.65 --dt 0.5 --noise 0.01 --seed 7

What it is: a Voronoi microstructure, slightly blurred, whose every Fourier mode then decays by exp(-D k^2 t). This is
the exact solution of the diffusion equation, continuous in space and time: no grid, time step or stencil of an
estimator goes into it. With --boundary open the video shows the middle of a field twice as wide, as a microscope does.
Brightness is gain x (field + noise) + offset. It is not a simulation of any real material or camera.
"""


def _size(text: str) -> tuple[int, int]:
    try:
        values = [int(part) for part in text.lower().split("x")]
    except ValueError:
        values = []
    if len(values) not in {1, 2}:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give N or ROWSxCOLUMNS, such as 64 or 64x96")
    return values[0], values[-1]


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to the command line."""
    parser = commands.add_parser(
        "simulate",
        help="make a test video whose diffusivity is known",
        description="Make a test video whose diffusivity is known.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("video", type=Path, metavar="VIDEO", help="file to write: .tif (with OME metadata), .npy, .ome.zarr or .zarr")
    add("--overwrite", action="store_true", help="replace VIDEO if it exists")
    add("--diffusivity", type=float, default=0.4, metavar="D", help="true D, in length² per time (default 0.4)")
    add("--process", choices=("diffusion", "mobility"), default="diffusion", help="mobility: the video backwards")
    add(
        "--boundary",
        type=boundary("open", "periodic", "no-flux"),
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
    parser.set_defaults(run=run)


def _frames_done(say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Progress in quarters."""

    def progress(done: int, total: int) -> None:
        if done * 4 // total > (done - 1) * 4 // total:
            say(f"frame {done} of {total}")

    return progress


def run(options: argparse.Namespace) -> None:
    """Simulate and write."""
    from safe_pit_cm.video import simulation

    check_parent(options.video)
    simulation.suffix_of(options.video)
    if options.video.exists() and not options.overwrite:
        raise UserError(f"{options.video} exists; give --overwrite to replace it, or another name")
    if options.video.is_dir() and not (options.video / "zarr.json").is_file():
        raise UserError(f"{options.video} is a folder and no Zarr store; choose another name")
    say = say_to(options.quiet)
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
