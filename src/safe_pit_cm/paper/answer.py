"""The answer of the page: verdicts counted, and three sentences with the numbers of this run."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from safe_pit_cm.numerics import rounding
from safe_pit_cm.paper import published as paper
from safe_pit_cm.paper.tables import number
from safe_pit_cm.paper.verdicts import VERDICTS, css_class

_TO_COME = "to come"


@dataclass(frozen=True)
class Count:
    """How many published numbers and claims have a verdict.

    Attributes
    ----------
    verdict
        As in the scorecard, or ``to come``.
    kind
        Class in the style sheet.
    count
        Their number, at least one.
    """

    verdict: str
    kind: str
    count: int


@dataclass(frozen=True)
class Answer:
    """What the page shows first."""

    counts: list[Count]
    sentences: list[str]


def _verdicts(counts: Mapping[str, int], waiting: int) -> str:
    reproduced, direction, not_reproduced, untestable = (counts.get(verdict, 0) for verdict in VERDICTS)
    so_far = f"Of {sum(counts.values())} published numbers and claims"
    if waiting:
        so_far += f" that these results test ({waiting} more follow)"
    return (
        f"{so_far}, {reproduced} are reproduced, {direction} in direction only, and {not_reproduced} are not; "
        f"{untestable} cannot be tested."
    )


Rows = dict[tuple[str, str, str], dict[str, Any]]


def _four(value: float | None) -> str:
    return "lost" if value is None else number(value, 4)


def _error(value: float) -> str:
    """Four decimals; two digits where that is too few."""
    return number(value, 4) if value >= 1e-3 else rounding.number(value, 2)


def _recovery(rows: Rows, published: Mapping[str, Any], setting: str, opening: str) -> str:
    found, said = rows[setting, "all", "signed"], paper.recovery(published, setting, "all")
    by_process = [
        _error(rows[key]["mae"]) for key in ((setting, "diffusion", "signed"), (setting, "mobility", "signed"))
    ]
    return (
        f"{opening} recovers α of the {found['n']} test videos with a mean absolute error of {_error(found['mae'])} "
        f"(published {_four(said['mae'])}) and R² {_four(found['r2'])} ({_four(said['r2'])}): "
        f"{by_process[0]} for diffusion, {by_process[1]} for mobility propagated as published, and "
        f"{_error(rows[setting, 'mobility', 'stable']['mae'])} for mobility propagated in the stable direction."
    )


def compose(
    verdicts: Iterable[str], table_4: pd.DataFrame, published: Mapping[str, Any], *, waiting: int = 0
) -> Answer:
    """Compose the answer.

    Parameters
    ----------
    verdicts
        Of the scorecard, one for each number or claim judged.
    table_4
        Table 4, as its CSV file has it.
    published
        Table 4 in the file of published values.
    waiting
        Claims that further results will judge.
    """
    tally = Counter(verdicts)
    counts = [Count(verdict, css_class(verdict), tally[verdict]) for verdict in VERDICTS if tally[verdict]]
    if waiting:
        counts.append(Count(_TO_COME, css_class(_TO_COME), waiting))
    rows = cast("Rows", table_4.set_index(["setting", "process", "propagation"]).to_dict("index"))
    return Answer(
        counts,
        [
            _verdicts(tally, waiting),
            _recovery(rows, published, "zero-shot", "Zero-shot inference, trained on one video alone,"),
            _recovery(rows, published, "trained", "The trained model, refined on each video,"),
        ],
    )
