"""The tables of the paper for another equation, and the page that shows them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.data import files
from safe_pit_cm.models import catalogue
from safe_pit_cm.pages import rendering

_NAMES = {
    "sub-steps": "Sub-steps (as Table 3): minimum of the SAFE loss on clean videos",
    "frame step": "Frame step (as Figure 8): every n-th frame, minimum of the SAFE loss on clean videos",
    "zero-shot": "Zero-shot (as Table 4): 200 Adam steps on clean videos; the setting is the number of sub-steps",
    "SAFE, noise": "Noise: minimum of the SAFE loss; the setting is the noise relative to the contrast",
    "likelihood": "Noise: maximum likelihood; the setting is the noise relative to the contrast",
}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors of every method, setting and coefficient over the videos.

    Returns
    -------
    pd.DataFrame
        ``method``, ``setting``, ``coefficient``, ``stable`` (share of videos), ``mae`` relative to the mean size of the
        coefficient, ``error_over_bound`` (root mean square, where there is a bound), ``covered`` (share of 95 %
        intervals that contain the truth, where there are any), ``n`` and ``failed``.
    """
    found = []
    for (method, setting, name), part in rows.groupby(["method", "setting", "coefficient"], sort=False):
        good = part[part["recovered"].notna()]
        error = good["recovered"] - good["true"]
        bounded = good["bound"].notna()
        ratio = (error / good["bound"])[bounded]
        judged = good["stderr"].notna()
        covered = (error.abs() < 1.96 * good["stderr"])[judged]
        found.append(
            {
                "method": method,
                "setting": setting,
                "coefficient": name,
                "stable": float(part["stable"].mean()) if method == "sub-steps" else np.nan,
                "mae": float(error.abs().mean() / part["true"].abs().mean()) if len(good) else np.nan,
                "error_over_bound": float(np.sqrt((ratio**2).mean())) if len(ratio) else np.nan,
                "covered": float(covered.mean()) if len(covered) else np.nan,
                "n": len(good),
                "failed": len(part) - len(good),
            }
        )
    return pd.DataFrame(found)


def _cell(value: float, form: str) -> str:
    return "" if not np.isfinite(value) else form.format(value)


def sections(table: pd.DataFrame) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Headings and rows of text for the page, in the order of the experiments."""
    found = []
    for method, title in _NAMES.items():
        part = table[table["method"] == method]
        cells: list[tuple[str, ...]] = [
            (
                f"{row['setting']:g}",
                str(row["coefficient"]),
                _cell(row["stable"], "{:.0%}"),
                _cell(row["mae"], "{:.2%}"),
                _cell(row["error_over_bound"], "{:.2f}"),
                _cell(row["covered"], "{:.0%}"),
                f"{row['n']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
            )
            for row in part.to_dict("records")
        ]
        if cells:
            found.append((title, cells))
    return found


def make(inputs: Iterable[str | Path], template: str | Path, csv: str | Path, page: str | Path, name: str) -> None:
    """Write the table and the page.

    Parameters
    ----------
    inputs
        Results of :func:`~safe_pit_cm.studies.equation_scan.scan`, CSV.
    template
        Of the page.
    csv, page
        To write.
    name
        Of the equation.
    """
    rows = pd.concat([pd.read_csv(path, dtype={"parent": str}) for path in inputs], ignore_index=True)
    table = summary(rows)
    with files.replacing(csv) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    values: Mapping[str, Any] = {
        "model": catalogue.named(name),
        "sections": sections(table),
        "videos": rows["parent"].nunique(),
    }
    html = rendering.render(template, **values)
    with files.replacing(page) as partial:
        partial.write_text(html, encoding="utf-8")
