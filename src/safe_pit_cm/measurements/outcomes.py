"""What became of a film: one word and one sentence, whatever happened.

Imports here are light on purpose: the workflow reads this at every parse.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from safe_pit_cm.errors import UserError

Status = Literal["measured", "bound", "undetermined", "refused", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)

FILE = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a film.

    Attributes
    ----------
    status
        ``measured``: a coefficient, and the model fits, to the noise or approximately. ``bound``: the film only
        bounds it. ``undetermined``: the film does not even do that. ``refused``: the model does not fit, and the
        coefficient is not to be used. ``failed``: the film could not be read or fitted.
    sentence
        The verdict of the fit, or what was wrong with the film and what to do.
    """

    status: Status
    sentence: str


def judged(facts: Mapping[str, Any]) -> Outcome:
    """The outcome of a fit, from its attributes."""
    status: Status = "measured"
    if facts["grade"] == "undetermined":
        status = "undetermined" if facts["bound"] is None else "bound"
    elif facts["grade"] == "refused":
        status = "refused"
    return Outcome(status, facts["verdict"])


def write(outcome: Outcome, folder: Path) -> None:
    """Write ``outcome.json``."""
    text = json.dumps(asdict(outcome), indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: str | Path) -> Outcome:
    """Read ``outcome.json``.

    Raises
    ------
    UserError
        If it is not there, or not as it was written.
    """
    path = Path(folder) / FILE
    try:
        outcome = Outcome(**json.loads(path.read_text(encoding="utf-8")))
        if outcome.status not in STATUSES:
            raise ValueError(outcome.status)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} is missing or damaged; remove the folder {folder} and run again") from error
    return outcome


def announcement(folders: Mapping[str, str], page: str) -> str:
    """What to tell at the end of a run: how many films there are of each status, and what was wrong with which.

    Parameters
    ----------
    folders
        Folder of the result of each film, by its name.
    page
        Where all of them are shown.
    """
    outcomes = {name: read(folder) for name, folder in folders.items()}
    lines = [f"{counted(outcome.status for outcome in outcomes.values())}: {page}"]
    lines += [f"{name}: {outcome.sentence}" for name, outcome in outcomes.items() if outcome.status == "failed"]
    return "\n".join(lines)


def counted(statuses: Iterable[str]) -> str:
    """Number of films of each status in words, such as ``98 of 100 films measured, 1 refused, 1 failed``."""
    counts = Counter(statuses)
    rest = [f"{counts[status]} {status}" for status in STATUSES[1:] if counts[status]]
    return ", ".join([f"{counts['measured']} of {counts.total()} films measured", *rest])
