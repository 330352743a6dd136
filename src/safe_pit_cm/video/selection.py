"""Which part of a file to read: its axes, frames, region, channel and slice."""

import re
from dataclasses import dataclass
from pathlib import Path

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.source import Choice, Source

#: The axes of a video, as letters in their order.
LETTERS = "tyx"
_MIN_FRAMES = 3
_MIN_PIXELS = 8


@dataclass(frozen=True)
class Selection:
    """The part of a video to read.

    Attributes
    ----------
    frames
        First frame, first frame left out, step.
    roi
        First row, first row left out, first column, first column left out.
    """

    frames: tuple[int, int, int] | None = None
    roi: tuple[int, int, int, int] | None = None


def parse_frames(text: str) -> tuple[int, int, int]:
    """Read ``START:STOP`` or ``START:STOP:STEP``."""
    match = re.fullmatch(r"(\d{1,15}):(\d{1,15})(?::(\d{1,15}))?", text)
    if not match or int(match[1]) >= int(match[2]) or int(match[3] or 1) < 1:
        raise UserError(f"--frames {text} is no range of frames; write START:STOP or START:STOP:STEP, such as 0:100")
    return int(match[1]), int(match[2]), int(match[3] or 1)


def parse_roi(text: str) -> tuple[int, int, int, int]:
    """Read ``Y0:Y1,X0:X1``."""
    match = re.fullmatch(r"(\d{1,15}):(\d{1,15}),(\d{1,15}):(\d{1,15})", text)
    if not match or int(match[1]) >= int(match[2]) or int(match[3]) >= int(match[4]):
        raise UserError(f"--roi {text} is no region; write rows and columns as Y0:Y1,X0:X1, such as 16:80,0:64")
    y0, y1, x0, x1 = (int(match[index]) for index in range(1, 5))
    return y0, y1, x0, x1


def axes_of(source: Source, path: Path, asked: str | None) -> str:
    """A letter for each axis of the file."""
    shape = source.shape
    sizes = " × ".join(map(str, shape))
    if asked is not None:
        if len(asked) != len(shape) or not set(LETTERS) <= set(asked) or len(set(asked)) != len(asked):
            raise UserError(
                f"--axes {asked} does not fit {path}, which has {len(shape)} axes of {sizes}; name each axis once by "
                "t, y, x, c (channel) or z, in the order of the file, such as tyx"
            )
        return asked
    axes = source.axes
    if axes is None:
        if len(shape) == 3 and shape[0] == shape[1] != shape[2]:
            raise UserError(
                f"{path} has the shape {sizes}, which looks like (y, x, time), and time must come first; say "
                "--axes yxt if so, or --axes tyx if the first axis really is time"
            )
        if len(shape) == 3 and shape[2] in (3, 4):
            raise UserError(f"{path} has the shape {sizes}, which looks like one colour image; a video needs 3 frames")
        if len(shape) == 4 and shape[3] in (3, 4):
            axes = "tyxc"
        elif len(shape) == 3:
            axes = "tyx"
        else:
            raise UserError(
                f"{path} has {len(shape)} axes ({sizes}), and a video has 3: time, y, x; "
                + ("a single image is no video" if len(shape) == 2 else "say which is which by --axes, such as tyxc")
            )
    counts = dict(zip(axes, shape, strict=True))
    if any(letter not in "tzyxc" and size > 1 for letter, size in counts.items()) or not set("yx") <= set(axes):
        raise UserError(f"{path} has the axes {axes} of {sizes}; save one plane as a video with the axes time, y, x")
    if counts.get("t", 1) == 1:
        if counts.get("z", 1) > 1:
            raise UserError(
                f"{path} holds one time with {counts['z']} slices in z, and a film needs at least {_MIN_FRAMES} times; "
                f"if the slices are the frames of a film, say --axes {axes.replace('t', 's').replace('z', 't')}"
            )
        raise UserError(
            f"{path} is a single image of {sizes}; a video needs at least {_MIN_FRAMES} frames, as one file or as "
            "images in one folder"
        )
    return axes


def one_of(letter: str, count: int, asked: int | None, path: Path) -> slice:
    """What to read of the channels or the slices in z."""
    name, option = ("channels", "--channel") if letter == "c" else ("slices in z", "--z")
    if asked is not None:
        if not 0 <= asked < count:
            raise UserError(f"{path} has the {name} 0 to {count - 1}: {option} {asked} is none of them")
        return slice(asked, asked + 1)
    if letter == "z" and count > 1:
        raise UserError(f"{path} has {count} slices in z, and a field has none; choose one by --z 0 to {count - 1}")
    return slice(0, count)


def slices_of(source: Source, axes: str, path: Path, selection: Selection, choice: Choice) -> dict[str, slice]:
    """Part to read of each axis, by its letter."""
    size = dict(zip(axes, source.shape, strict=True))
    parts = {letter: slice(0, count, 1) for letter, count in size.items()}
    for letter, asked in (("c", choice.channel), ("z", choice.z)):
        part = one_of(letter, size.get(letter, 1), asked, path)
        if letter in size:
            parts[letter] = part
    if selection.frames is not None:
        start, stop, step = selection.frames
        if stop > size["t"]:
            raise UserError(f"--frames {start}:{stop} goes beyond {path}, which has the frames 0:{size['t']}")
        parts["t"] = slice(start, stop, step)
    if selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        if y1 > size["y"] or x1 > size["x"]:
            raise UserError(
                f"--roi {y0}:{y1},{x0}:{x1} goes beyond {path}, whose frames are 0:{size['y']},0:{size['x']}"
            )
        parts["y"], parts["x"] = slice(y0, y1, 1), slice(x0, x1, 1)
    frames, rows, columns = (len(range(*parts[letter].indices(size[letter]))) for letter in LETTERS)
    if frames < _MIN_FRAMES:
        raise UserError(f"{path} gives {frames} frames, and a fit with an error bar needs at least {_MIN_FRAMES}")
    if min(rows, columns) < _MIN_PIXELS:
        raise UserError(f"{path} gives frames of {rows} × {columns} pixels; at least {_MIN_PIXELS} each way are needed")
    return parts
