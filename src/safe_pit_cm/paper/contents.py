"""The parts of the page, and which items belong to each. Read with the workflow, so it imports nothing heavy."""

import re
from collections.abc import Iterable

PAPER, BEYOND, RUN = "The paper", "Beyond the paper", "This run"
PARTS = (PAPER, BEYOND, RUN)

# The item that the page shows with its answer.
FIRST = "figure_3"
# The verdicts: an item of the paper that also judges results beyond it.
SCORECARD = "scorecard"
# The table that the page itself makes.
TIMES = "time_by_stage"

_PAPER = re.compile(rf"{SCORECARD}|(table|figure)_\d+")


def part(name: str) -> str:
    """Part of the page to which an item belongs: the paper's own tables and figures, supplements, or this run."""
    if _PAPER.fullmatch(name):
        return PAPER
    return RUN if name in ("parameters", TIMES) else BEYOND


def arranged(names: Iterable[str]) -> list[str]:
    """Items part by part, the one shown with the answer first; otherwise in the order given."""
    return sorted(names, key=lambda name: (PARTS.index(part(name)), name != FIRST))


def label(name: str) -> str:
    """Heading of an item, such as ``Table 4``."""
    return name.replace("_", " ").capitalize()
