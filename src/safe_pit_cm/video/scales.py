"""Positions and units of the frames and pixels of a video: as the user gives them, or else the file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import units
from safe_pit_cm.video.source import Source
from safe_pit_cm.video.times import check_times

#: Axes by their letters.
NAMES = {"t": "time", "y": "y", "x": "x"}


def unit_of(letter: str, source: Source, asked: str | None, path: Path) -> tuple[float, str]:
    """Factor and unit that what the file says is converted to: µm and s where the file's unit is known."""
    given = source.units.get(letter)
    if given is None:
        return 1.0, asked or "1"
    factor = units.factor(letter, given)
    wanted = asked or (units.standard(letter) if factor is not None else given)
    size = units.factor(letter, wanted)
    if factor is not None and size is not None:
        return factor / size, wanted
    if wanted != given and (factor is not None or size is not None) and given not in ("", "1"):
        option, scale = ("--time-unit", "--dt") if letter == "t" else ("--length-unit", "--dx")
        raise UserError(
            f"{path} gives its {NAMES[letter]} axis in {given}, which cannot be converted to {option} {wanted}; give "
            f"{scale} in that unit, or leave {option} out"
        )
    return 1.0, wanted


def _unknown(letter: str, source: Source, path: Path) -> str:
    """What to say where neither the file nor the user gives a scale."""
    if letter != "t":
        return f"{path} does not say the size of a pixel; give it by --dx (1 if you want the result in pixels)"
    if source.frame_rate is not None:
        return (
            f"{path} is played at {source.frame_rate:g} frames a second, which does not say how fast it was recorded; "
            f"give the time between frames by --dt ({1 / source.frame_rate:g} s if the two are the same)"
        )
    return (
        f"{path} does not say the time between frames; give it by --dt or, where it changes, by --times (--dt 1 if you "
        "want the result in frames)"
    )


def positions_of(
    letter: str,
    source: Source,
    part: slice,
    size: int,
    asked: float | None,
    times: NDArray[np.float64] | None,
    path: Path,
) -> NDArray[np.float64]:
    """Positions of what was read along one axis, as the user or the file has them."""
    option = "--dt" if letter == "t" else "--dx"
    if times is not None:
        if len(times) != size:
            raise UserError(
                f"--times gives {len(times)} times and {path} has {size} frames; give one time for each frame of the "
                "file, also where only some are read"
            )
        check_times(times, "--times")
        return times[part]
    if asked is None and letter in source.coordinates:
        positions = source.coordinates[letter][part]
        steps = np.diff(positions)
        if np.isfinite(positions).all() and ((steps > 0).all() or (letter != "t" and (steps < 0).all())):
            return positions if steps[0] > 0 else positions[::-1] * -1
        raise UserError(
            f"the {NAMES[letter]} coordinate of {path} does not grow from one value to the next; give {option}"
        )
    step = asked if asked is not None else source.spacing.get(letter)
    if step is None:
        raise UserError(_unknown(letter, source, path))
    if not (np.isfinite(step) and step > 0):
        source_of = option if asked is not None else f"the metadata of {path}, to be replaced by {option},"
        raise UserError(f"{source_of} must be a positive number, and is {step:g}")
    return np.arange(size, dtype=np.float64)[part] * step
