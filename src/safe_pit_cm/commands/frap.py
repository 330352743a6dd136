"""The command ``safe-pit-cm frap``: a film of fluorescence recovery after photobleaching."""

import argparse
from pathlib import Path
from typing import Any

from safe_pit_cm.commands import reading
from safe_pit_cm.commands.shared import add_output, boundary, check_output, say_to, stages
from safe_pit_cm.errors import UserError

_FURTHER = frozenset({"frap.json", "frap.png"})

_EXAMPLE = """\
example:
  safe-pit-cm frap film.tif --prebleach 5 --output result
      a stack whose first five frames are from before bleaching
  safe-pit-cm frap images --pattern '[0-9]*.tif' --prebleach images/before.tif --dark 202 --dx 0.32 \\
      --length-unit µm --output result
      a folder of images, one per time, with an image from before bleaching and the level without light

writes into the folder given by --output what safe-pit-cm fit writes, and:
  frap.json   spot, mobile fraction, half time, recovery curve, classical estimates of D
  frap.png    spot, recovery curve, width of the spot, all estimates beside one another
  index.html  has both, and a sentence for the paper

exit codes: 0 done, 2 the input is at fault (stderr says what to do), 130 interrupted, 1 an error of ours
"""


def _spot(text: str) -> tuple[float, float, float]:
    try:
        y, x, radius = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no spot; give row, column and radius in pixels as Y,X,R"
        ) from None
    return y, x, radius


def _image_or_count(text: str) -> int | Path:
    return int(text) if text.isdecimal() else Path(text)


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to the command line."""
    parser = commands.add_parser(
        "frap",
        help="measure the recovery of a bleached spot (FRAP)",
        description="Measure D by maximum likelihood in a film of fluorescence recovery after photobleaching, beside "
        "the recovery curve, mobile fraction, half time and the classical estimates.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reading.add_options(parser)
    add_output(parser)
    add = parser.add_argument
    add(
        "--prebleach",
        type=_image_or_count,
        metavar="FILE|N",
        help="image of one frame from before bleaching, or the number of frames at the beginning of VIDEO that are",
    )
    add("--spot", type=_spot, metavar="Y,X,R", help="row, column and radius of the spot in pixels; default: found")
    add(
        "--boundary",
        type=boundary("open", "no-flux"),
        metavar="{open,no-flux}",
        default="open",
        help="open (default): a part of a larger field; no-flux: the frame is the whole field",
    )
    add("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, analyse, fit and write."""
    say = say_to(options.quiet)
    check_output(options.output, options.overwrite, _FURTHER)
    film = reading.read(options, say)
    from safe_pit_cm.frap import analysis, intensities, report
    from safe_pit_cm.inference import fit
    from safe_pit_cm.video import facts, results

    video, before = film.video, options.prebleach
    if isinstance(before, int):
        if not 0 < before < len(video):
            raise UserError(
                f"--prebleach {before} of a film of {len(video)} frames; at least 1 frame must be from before "
                "bleaching, and 3 from after"
            )
        before, video = video[:before].mean("time").to_numpy(), video[before:]
    else:
        before = film.image(before, "--prebleach")
    video = intensities.relative(video, before, film.image(options.dark, "--dark"))
    say("analysing the recovery")
    seen = video if film.mask is None else video.where(~film.mask)
    found = analysis.analyse(
        seen,
        corrected=before is not None,
        chosen=options.spot,
        origin=(0, 0) if film.selection.roi is None else film.selection.roi[::2],
    )
    say(f"fitting {' × '.join(map(str, video.shape))} (time, y, x)")
    fitted = fit.fit(video, boundary=options.boundary, mask=film.mask, progress=stages(say))
    record = film.record("dark", "prebleach", "spot")
    disagreement = report.disagreement(found, fitted)
    doubts = [*found.warnings, *([] if disagreement is None else [disagreement])]
    for doubt in doubts:
        say(f"warning: {doubt}")
    record["warnings"] = [*record["warnings"], *doubts]
    say(f"writing {options.output}")
    results.write(fitted, options.output, record, report.supplement(found, seen[0].to_numpy(), fitted))
    print(facts.sentence(facts.facts_of(fitted)))
    print(fitted.attrs["verdict"])
    print("\n".join(report.lines(found, fitted)))
