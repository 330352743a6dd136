"""How fits ended, for the tables: those that gave no value, or one that is no result, are counted beside the rest."""

from collections.abc import Iterable, Mapping
from typing import Any

# Endings that leave a value of α which is none of a fit at rest.
_DOUBTFUL: dict[str, str] = {"unsettled": "not settled", "at_bound": "at a bound"}


def counts(endings: Iterable[str]) -> dict[str, int]:
    """Number of fits that ended ``unsettled`` and ``at_bound``, as :mod:`safe_pit_cm.safe.ending` names it."""
    found = list(endings)
    return {ending: found.count(ending) for ending in _DOUBTFUL}


def cell(row: Mapping[str, Any]) -> str:
    """Text of a table's cell from ``unsettled``, ``at_bound`` and ``failed``; a dash where every fit ended at rest."""
    names: dict[str, str] = {**_DOUBTFUL, "failed": "diverged"}
    return ", ".join(f"{int(row[key])} {name}" for key, name in names.items() if row[key]) or "–"


def without_value(failed: int) -> str:
    """What a cell adds to an error where so many videos gave no value."""
    return f"; {failed} without value" if failed else ""
