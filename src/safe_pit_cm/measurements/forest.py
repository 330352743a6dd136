"""The forest plot: every film's coefficient with its 95 % interval, by group, and the mean of each group."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from safe_pit_cm.plot_style import COLOURS, figure_style, save

_LINE = 0.19  # inches
_MARKERS = {
    "measured": {"marker": "o", "mfc": COLOURS["diffusion"], "mec": COLOURS["diffusion"]},
    "refused": {"marker": "s", "mfc": "white", "mec": COLOURS["mobility"]},
    "bound": {"marker": None, "mfc": "none", "mec": COLOURS["reference"]},
}
_MEANINGS = {
    "measured": "film, 95 % interval",
    "refused": "film that the model does not fit: not averaged",
    "bound": "film that gives a bound only: not averaged",
}


def draw(table: pd.DataFrame, means: pd.DataFrame, pdf: str | Path, png: str | Path) -> None:
    """Draw the plot, one panel for each process and unit.

    Parameters
    ----------
    table, means
        Films and groups, as :func:`~safe_pit_cm.measurements.summary.rows` and
        :func:`~safe_pit_cm.measurements.summary.groups` give them. Films that failed are left out.
    pdf, png
        Files to write. The same films give the same bytes.
    """
    shown = table[table["status"] != "failed"]
    panels = [
        (process, unit, _lines(films, means[(means["process"] == process) & (means["unit"] == unit)]))
        for (process, unit), films in shown.groupby(["process", "unit"], sort=False)
    ]
    heights = [(len(lines) + 4) * _LINE for _, _, lines in panels] or [1.0]
    with figure_style():
        figure, axes = plt.subplots(
            len(heights), 1, figsize=(7.0, sum(heights) + 0.6), squeeze=False, height_ratios=heights
        )
        for axis, (process, unit, lines) in zip(axes[:, 0], panels, strict=False):
            _panel(axis, process, unit, lines)
        if not panels:
            axes[0, 0].set_axis_off()
            axes[0, 0].text(0.5, 0.5, "no film could be measured", ha="center", va="center")
        save(figure, pdf, png)


def _lines(films: pd.DataFrame, means: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """What stands on each line of a panel: a label, and the film or the mean."""
    lines: list[tuple[str, dict[str, Any]]] = []
    for group in dict.fromkeys(films["group"]):
        own = films[films["group"] == group]
        lines += [(row["sample"], row) for row in own.to_dict("records")]
        for row in means[means["group"] == group].to_dict("records"):
            lines.append((f"{group or 'no group'}: mean of {row['n']}", row))
    return lines


def _panel(axis: Axes, process: str, unit: str, lines: list[tuple[str, dict[str, Any]]]) -> None:
    seen: set[str] = set()
    for height, (_, row) in enumerate(lines):
        if "mean" in row:
            low, high = row["ci95_low"], row["ci95_high"]
            corners = [(low, height), (row["mean"], height - 0.32), (high, height), (row["mean"], height + 0.32)]
            axis.add_patch(plt.Polygon(corners, facecolor="black", edgecolor="black"))
            axis.axhline(height + 0.5, color="0.8", linewidth=0.5)
            # A patch does not widen the axis.
            axis.plot([low, high], [height, height], color="black", linewidth=0.5)
            continue
        status = row["status"]
        seen.add(status)
        style = _MARKERS[status]
        if status == "bound":
            if pd.notna(row["bound_value"]):
                pointing = "<" if row["bound"] == "upper" else ">"
                axis.plot(row["bound_value"], height, linestyle="", marker=pointing, color=style["mec"])
            continue
        if np.isfinite([row["ci95_low"], row["ci95_high"]]).all():
            axis.plot([row["ci95_low"], row["ci95_high"]], [height, height], color=style["mec"], linewidth=1)
        axis.plot(row["diffusivity"], height, linestyle="", markersize=4, **style)
    axis.set_yticks(range(len(lines)), [label for label, _ in lines], fontsize=7)
    for label, (_, row) in zip(axis.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if "mean" in row else "normal")
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    symbol = "D" if process == "diffusion" else "M"
    axis.set_xlabel(symbol if unit == "1" else f"{symbol} ({unit.replace('^2', '²')})")
    handles = [
        Line2D([], [], linestyle="", **{**_MARKERS[status], "marker": _MARKERS[status]["marker"] or "<"}, label=meaning)
        for status, meaning in _MEANINGS.items()
        if status in seen
    ]
    handles.append(Line2D([], [], linestyle="", marker="D", color="black", label="mean of a group, 95 % interval"))
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=7, borderaxespad=0.2)
