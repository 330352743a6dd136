"""A table of the paper in several formats."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd
from pylatexenc.latexencode import unicode_to_latex

from safe_pit_cm.data import files

# Text that must stay on one line: an interval, the size of a frame.
_WHOLE = re.compile(r"\(?-?\d[^\s<]* (?:to|×) -?\d[^\s<]*")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    data
        Numbers at full precision, under the column names of the CSV file.
    display
        The same for readers: text cells under headings, published values next to measured ones.
    finding
        The main result in a sentence with the numbers of this run; may be empty.
    kinds
        Class of each row in the style sheet of the page; empty where rows look alike.
    """

    data: pd.DataFrame
    display: pd.DataFrame
    finding: str = ""
    kinds: Sequence[str] = ()

    def to_csv(self) -> str:
        """Comma-separated values at full precision; empty where there is no value."""
        return self.data.to_csv(index=False, lineterminator="\n")

    def to_markdown(self) -> str:
        """Markdown table, with the finding below it."""
        # A bar in a cell, as in |α|, would end it.
        cells = self.display.map(_without_bars).rename(columns=_without_bars)
        table = cells.to_markdown(index=False, disable_numparse=True)
        return f"{table}\n\n{self.finding}\n" if self.finding else f"{table}\n"

    def to_latex(self) -> str:
        """LaTeX tabular with booktabs rules."""
        cells = self.display.map(unicode_to_latex)
        cells.columns = pd.Index([unicode_to_latex(str(column)) for column in self.display.columns])
        return cells.style.hide(axis="index").to_latex(hrules=True)

    def to_html(self) -> str:
        """HTML fragment: the finding, and the table in a box that scrolls where the screen is narrow."""
        finding = f'<p class="finding">{escape(self.finding)}</p>\n' if self.finding else ""
        table = _WHOLE.sub(r'<span class="whole">\g<0></span>', self.display.to_html(index=False, border=0))
        if self.kinds:
            head, body = table.split("<tbody>")
            kinds = iter(self.kinds)
            table = f"{head}<tbody>{re.sub('<tr>', lambda _: _row(next(kinds)), body)}"
        return f'{finding}<div class="scroll">{table}</div>\n'

    def write(self, csv: str | Path, md: str | Path, tex: str | Path, html: str | Path) -> None:
        """Write the table in all four formats."""
        renderings: list[tuple[str | Path, Callable[[], str]]] = [
            (csv, self.to_csv),
            (md, self.to_markdown),
            (tex, self.to_latex),
            (html, self.to_html),
        ]
        for path, render in renderings:
            with files.replacing(path) as partial:
                partial.write_text(render(), encoding="utf-8")


def _row(kind: str) -> str:
    return f'<tr class="{escape(kind)}">'


def _without_bars(cell: str) -> str:
    return cell.replace("|", r"\|")


def number(value: float | None, digits: int) -> str:
    """Format a number with a fixed number of decimals; a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def error(value: float | None) -> str:
    """Format an error with four decimals, or with two significant digits where four decimals are too few."""
    if value is None or pd.isna(value):
        return "–"
    if value == 0:
        return "0"
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"


def with_interval(data: pd.DataFrame, name: str, render: Callable[[float], str]) -> pd.Series:
    """Format the value ``{name}`` of every row with its interval from ``{name}_low`` to ``{name}_high``."""
    rows = data[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
    return pd.Series(
        [
            render(value) if pd.isna(low) else f"{render(value)} ({render(low)} to {render(high)})"
            for value, low, high in rows
        ],
        index=data.index,
    )
