"""Look up the numbers that the paper publishes; a value missing from its text is None."""

from collections.abc import Mapping
from typing import Any


def recovery(table_4: Mapping[str, Any], setting: str, process: str) -> Mapping[str, Any]:
    """Published row of Table 4 for a setting and a process; empty if the paper has none."""
    rows: list[dict[str, Any]] = table_4["rows"]
    return next((row for row in rows if row["setting"] == setting and row["process"] == process), {})


def substeps(table_3: Mapping[str, Any], count: int) -> Mapping[str, Any]:
    """Published row of Table 3 for a number of sub-steps; empty if the paper has none."""
    rows: list[dict[str, Any]] = table_3["rows"]
    return next((row for row in rows if row["substeps"] == count), {})
