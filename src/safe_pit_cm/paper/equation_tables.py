"""The tables of the paper for another equation, and the page that says what of its findings carries over."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.data import files
from safe_pit_cm.models import catalogue
from safe_pit_cm.pages import rendering

# Heading, and what the setting is.
_DETAILS = {
    "sub-steps": ("Sub-steps (as Table 3): minimum of the SAFE loss", "sub-steps"),
    "frame step": ("Frame step (as Figure 8): minimum of the SAFE loss of every n-th frame", "n"),
    "SAFE, noise": ("Noise: minimum of the SAFE loss", "noise"),
    "likelihood": ("Noise: maximum likelihood", "noise"),
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


def _error(value: float) -> str:
    return "no result" if not np.isfinite(value) else f"{value:.2%}"


class _Errors:
    """Relative errors by method, setting and coefficient; the settings of a method in increasing order."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.names = list(dict.fromkeys(table["coefficient"]))
        self._by = table.set_index(["method", "setting", "coefficient"])["mae"]

    def settings(self, method: str) -> list[float]:
        return sorted(set(self._by.loc[method].index.get_level_values("setting")))

    def of(self, method: str, setting: float, name: str) -> float:
        return float(self._by[method, setting, name])

    def only(self, method: str, name: str) -> float:
        """Of a method with one setting."""
        return self.of(method, self.settings(method)[0], name)


def findings(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """What of the paper's findings carries over: a header, and a row per finding with a cell per coefficient.

    Each compares two errors, of which the paper finds the second smaller, less than ``slack`` times the first; no
    result counts as an infinite error.
    """
    errors = _Errors(table)
    few, many = (errors.settings("sub-steps")[end] for end in (0, -1))
    fine, coarse = (errors.settings("frame step")[end] for end in (0, -1))

    def row(text: str, greater: Callable[[str], float], smaller: Callable[[str], float], slack: float = 1.0) -> Any:
        cells = []
        for name in errors.names:
            pair = greater(name), smaller(name)
            first, second = (value if np.isfinite(value) else np.inf for value in pair)
            verdict = "yes" if second < slack * first else "no"
            cells.append(f"{verdict}: {_error(pair[0])}, {_error(pair[1])}")
        return (text, *cells)

    return [
        ("finding, and the two errors that it compares", *errors.names),
        row(
            f"more sub-steps, smaller error (S = {few:g}, {many:g})",
            lambda name: errors.of("sub-steps", few, name),
            lambda name: errors.of("sub-steps", many, name),
        ),
        row(
            f"coarser time resolution, greater error (every {coarse:g}th frame, every frame)",
            lambda name: errors.of("frame step", coarse, name),
            lambda name: errors.of("frame step", fine, name),
        ),
        row(
            "zero-shot reaches the minimum of its loss, to a tenth of the error (at the minimum, zero-shot)",
            lambda name: errors.only("minimum", name),
            lambda name: errors.only("zero-shot", name),
            slack=1.1,
        ),
        row(
            "the trained model at least halves the error of the mean of its training videos (mean, trained model)",
            lambda name: errors.only("mean", name),
            lambda name: errors.only("trained", name),
            slack=0.5,
        ),
        row(
            "test-time steps improve on the trained model (without, with)",
            lambda name: errors.only("trained", name),
            lambda name: errors.only("test-time steps", name),
        ),
        row(
            "zero-shot is more accurate than the trained model with test-time steps (trained, zero-shot)",
            lambda name: errors.only("test-time steps", name),
            lambda name: errors.only("zero-shot", name),
        ),
    ]


def comparison(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Errors of all methods side by side: a header, and a row per method with a cell per coefficient."""
    errors = _Errors(table)
    quiet = errors.settings("likelihood")[0]
    rows = {
        "mean of the training videos, without a look at the video": ("mean", None),
        "trained model": ("trained", None),
        "trained model with test-time steps": ("test-time steps", None),
        "zero-shot": ("zero-shot", None),
        "minimum of the SAFE loss, the same operator": ("minimum", None),
        f"minimum of the SAFE loss, noise of {100 * quiet:g}% of the contrast": ("SAFE, noise", quiet),
        "maximum likelihood, the same noise": ("likelihood", quiet),
    }
    return [
        ("method", *errors.names),
        *(
            (
                text,
                *(
                    _error(errors.only(method, name) if at is None else errors.of(method, at, name))
                    for name in errors.names
                ),
            )
            for text, (method, at) in rows.items()
        ),
    ]


def details(table: pd.DataFrame) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Headings and tables of text of the experiments with several settings, without empty columns; the header first."""
    found = []
    for method, (title, setting) in _DETAILS.items():
        cells: list[tuple[str, ...]] = [
            (setting, "coefficient", "stable", "error", "error over bound", "covered", "videos"),
            *(
                (
                    f"{100 * row['setting']:g}%" if setting == "noise" else f"{row['setting']:g}",
                    str(row["coefficient"]),
                    _cell(row["stable"], "{:.0%}"),
                    _error(row["mae"]),
                    _cell(row["error_over_bound"], "{:.2f}"),
                    _cell(row["covered"], "{:.0%}"),
                    f"{row['n']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
                )
                for row in table[table["method"] == method].to_dict("records")
            ),
        ]
        columns = [column for column in zip(*cells, strict=True) if any(column[1:])]
        found.append((title, list(zip(*columns, strict=True))))
    return found


def make(inputs: Iterable[str | Path], template: str | Path, csv: str | Path, page: str | Path, name: str) -> None:
    """Write the table and the page.

    Parameters
    ----------
    inputs
        Results of :func:`~safe_pit_cm.studies.equation_scan.scan`, and of
        :func:`~safe_pit_cm.studies.trained_equations.run`, CSV.
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
        "findings": findings(table),
        "comparison": comparison(table),
        "details": details(table),
        "videos": rows["parent"].nunique(),
    }
    html = rendering.render(template, **values)
    with files.replacing(page) as partial:
        partial.write_text(html, encoding="utf-8")
