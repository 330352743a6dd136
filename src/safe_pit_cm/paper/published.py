"""The numbers that the paper publishes, read from one data file."""

from pathlib import Path
from typing import Any

import yaml


def read(path: str | Path) -> dict[str, Any]:
    """Read the published values; a value that the paper's text lost is None."""
    content: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return content


def recovery(published: dict[str, Any], setting: str, process: str) -> dict[str, Any]:
    """Published row of Table 4 for a setting and a process; empty if the paper has none."""
    rows: list[dict[str, Any]] = published["table_4"]["rows"]
    return next((row for row in rows if row["setting"] == setting and row["process"] == process), {})
