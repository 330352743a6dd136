"""The forest plot: every film's coefficient with its 95 % intervals, by group, and the mean of each group."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from safe_pit_cm.plot_style import COLOURS, figure_style, save

_LINE = 0.19  # inches
_TALLEST = 300.0  # inches; a taller picture could not be drawn
# How each kind of line is drawn: marker, colour, colour inside the marker, meaning.
_KINDS = {
    "measured": ("o", COLOURS["diffusion"], COLOURS["diffusion"], "film; 95 % interval: total, thick: statistical"),
    "refused": ("s", COLOURS["mobility"], "white", "film that the model does not fit: not averaged"),
    "lower": (">", COLOURS["reference"], "white", "film that gives a lower bound only: not averaged"),
    "upper": ("<", COLOURS["reference"], "white", "film that gives an upper bound only: not averaged"),
    "mean": ("D", "black", "black", "mean of a group, 95 % interval"),
}


def draw(table: pd.DataFrame, means: pd.DataFrame, pdf: str | Path, png: str | Path) -> None:
    """Draw the plot, one panel for each process and unit.

    Parameters
    ----------
    table, means
        Films and groups, as :func:`~safe_pit_cm.measurements.summary.rows` and
        :func:`~safe_pit_cm.measurements.summary.groups` give them. Films that failed or determine nothing are left out.
    pdf, png
        Files to write. The same films give the same bytes.
    """
    lines = _lines(table, means)
    panels = [(f"{process}", f"{unit}", own) for (process, unit), own in lines.groupby(["process", "unit"], sort=False)]
    counts = [len(own) + 4 for _, _, own in panels] or [5]
    heights = [count * min(_LINE, _TALLEST / sum(counts)) for count in counts]
    size = (7.0, sum(heights) + 0.6)
    with figure_style():
        figure, axes = plt.subplots(len(counts), 1, figsize=size, squeeze=False, height_ratios=heights)
        for axis, panel in zip(axes[:, 0], panels, strict=False):
            _panel(axis, *panel)
        if not panels:
            axes[0, 0].set_axis_off()
            axes[0, 0].text(0.5, 0.5, "no film could be measured", ha="center", va="center")
        save(figure, pdf, png)


def _lines(table: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """Everything that has a line of its own, in order: the films of each group, then its mean."""
    films = table[~table["status"].isin(["failed", "undetermined"])]
    measured = films["status"] != "bound"
    averages = means[means["n"] > 0]
    parts = [
        films[["process", "unit", "group"]].assign(
            label=films["sample"],
            kind=films["status"].where(measured, films["bound"]),
            value=films["diffusivity"].where(measured, films["bound_value"]),
            low=films["ci95_low"].where(measured),
            high=films["ci95_high"].where(measured),
            inner_low=films["statistical_low"].where(measured),
            inner_high=films["statistical_high"].where(measured),
        ),
        averages[["process", "unit", "group"]].assign(
            label=averages["group"].replace("", "no group") + ": mean of " + averages["n"].astype(str),
            kind="mean",
            value=averages["mean"],
            low=averages["ci95_low"],
            high=averages["ci95_high"],
        ),
    ]
    order = {group: index for index, group in enumerate(dict.fromkeys(table["group"]))}
    # The sort is stable: a mean comes after its films.
    return pd.concat(parts).sort_values("group", key=lambda groups: groups.map(order), kind="stable")


def _panel(axis: Axes, process: str, unit: str, lines: pd.DataFrame) -> None:
    lines = lines.reset_index(drop=True)
    for kind, (marker, colour, inside, meaning) in _KINDS.items():
        own = lines[lines["kind"] == kind]
        if own.empty:
            continue
        axis.hlines(own.index.to_numpy(), own["low"], own["high"], color=colour, linewidth=2 if kind == "mean" else 1)
        axis.hlines(own.index.to_numpy(), own["inner_low"], own["inner_high"], color=colour, linewidth=3)
        axis.plot(own["value"], own.index, marker, color=colour, mfc=inside, markersize=4, label=meaning)
        if kind == "mean":
            for height in own.index[:-1]:
                axis.axhline(height + 0.5, color="0.8", linewidth=0.5)
    axis.set_yticks(range(len(lines)), list(lines["label"]), fontsize=7)
    for label, kind in zip(axis.get_yticklabels(), lines["kind"], strict=True):
        label.set_fontweight("bold" if kind == "mean" else "normal")
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    symbol = "D" if process == "diffusion" else "M"
    axis.set_xlabel(symbol if unit == "1" else f"{symbol} ({unit.replace('^2', '²')})")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=7, borderaxespad=0.2)
