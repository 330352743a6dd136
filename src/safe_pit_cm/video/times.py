"""Times of frames: dates and times of day as files write them, and lists of times given by the user."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

_STAMP = re.compile(
    r"(?P<date>\d{1,4}[:/.-]?\d{2}[:/.-]?\d{2,4}|\d{1,2}[/.]\d{1,2}[/.]\d{4})[T\s]+"
    r"(?P<h>\d{1,2}):(?P<m>\d{2}):(?P<s>\d{2})(?:[.,:](?P<fraction>\d+))?\s*(?P<half>[AaPp][Mm])?"
)


def seconds_of(text: object) -> float | None:
    """A date with a time of day, in seconds since a fixed moment; None if it cannot be understood.

    Understood are the form of the TIFF standard and of EXIF, ``2010:04:29 13:01:42``, ISO 8601,
    ``04/29/2010 01:01:42.718 PM`` and ``20100429 13:01:42.718``, each with fractions of a second or without.
    """
    match = _STAMP.match(str(text).strip())
    if match is None:
        return None
    numbers = re.findall(r"\d+", match["date"])
    if len(numbers) == 1:
        numbers = [numbers[0][:4], numbers[0][4:6], numbers[0][6:]]
    if len(numbers[0]) == 4:
        year, month, day = map(int, numbers)
    else:
        # Month first, as American software writes it, unless that is impossible.
        month, day, year = map(int, numbers)
        month, day = (day, month) if month > 12 else (month, day)
    hour = int(match["h"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    try:
        moment = datetime(year, month, day, hour, int(match["m"]), int(match["s"]))
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1)) / timedelta(seconds=1) + float(f"0.{match['fraction'] or 0}")


def growing(times: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether all times are finite and each is later than the one before."""
    array = np.asarray(times, dtype=np.float64)
    return bool(np.isfinite(array).all() and (np.diff(array) > 0).all())


def read_times(path: str | Path) -> NDArray[np.float64]:
    """Read the times of all frames of a film from a text file.

    One time a line, or all on one line, separated by commas, semicolons or white space. Lines that start with ``#``
    are left out. Of a table with several columns, the header names the one to read: ``time`` or ``t``, which may be
    followed by the unit, as in ``time_s`` or ``Time (s)``.

    Returns
    -------
    NDArray
        The times ``(time,)``.

    Raises
    ------
    UserError
        If the file is missing, holds something else, or the times do not grow.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; --times needs a text file with one time for each frame") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no text that can be read; --times needs one time for each frame") from error
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    separator = next((mark for mark in ",;\t" if any(mark in line for line in lines)), None)
    rows = [[cell.strip().strip('"') for cell in line.split(separator)] for line in lines]
    if rows and not _is_number(rows[0][0]):
        header = lines[0] if separator is None else rows[0]
        column = _time_column(header)
        if column is None:
            raise UserError(f"{path} has no column called time in its first line, {lines[0][:60]!r}; --times needs one")
        cells = [row[column] if column < len(row) else "" for row in rows[1:]]
    elif len(rows) == 1:
        cells = rows[0]
    elif any(len(row) != 1 for row in rows):
        raise UserError(f"{path} has several columns and no header; name the column of the times in its first line")
    else:
        cells = [row[0] for row in rows]
    for index, cell in enumerate(cells):
        if not _is_number(cell):
            raise UserError(f"{path} has {cell[:40]!r} as the time of frame {index}, which is no number")
    times = np.array([float(cell) for cell in cells], dtype=np.float64)
    if len(times) == 0:
        raise UserError(f"{path} holds no times; --times needs one time for each frame")
    check_times(times, str(path))
    return times


def check_times(times: NDArray[np.float64], name: str) -> None:
    """Raise `UserError` if the times of frames do not grow."""
    if not np.isfinite(times).all():
        raise UserError(f"the time of frame {int(np.argmin(np.isfinite(times)))} in {name} is not finite")
    if not growing(times):
        late = int(np.argmax(np.diff(times) <= 0)) + 1
        raise UserError(
            f"the times in {name} do not grow: frame {late} is at {times[late]:g} and the one before at "
            f"{times[late - 1]:g}; give the frames and their times in order"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _time_column(header: str | list[str]) -> int | None:
    """Place of the column of times; a line that no separator divides is one column."""
    names = [header] if isinstance(header, str) else header
    return next((i for i, name in enumerate(names) if re.match(r"(time|t)\b|time[ _]", name, re.IGNORECASE)), None)
