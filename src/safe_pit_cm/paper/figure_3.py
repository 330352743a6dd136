"""Figure 3: recovered against true α."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from safe_pit_cm.paper import recovery
from safe_pit_cm.paper.recovery import select
from safe_pit_cm.paper.tables import error, number
from safe_pit_cm.plot_style import COLOURS, MARKERS, figure_style, save

_SERIES = (
    ("diffusion", "signed", "diffusion", "diffusion"),
    ("mobility", "signed", "mobility", "mobility, signed (as published)"),
    ("mobility", "stable", "stable", "mobility, stable"),
)


def _panel(above: Axes, below: Axes, title: str, recoveries: pd.DataFrame, scores: pd.DataFrame) -> None:
    for process, propagation, look, label in _SERIES:
        rows = select(recoveries, process, propagation)
        marks: dict[str, Any] = {
            "color": COLOURS[look],
            "marker": MARKERS[look],
            "linestyle": "none",
            "markerfacecolor": "none" if look == "stable" else COLOURS[look],
        }
        above.plot(rows["true"], rows["recovered"], label=label, **marks)
        below.plot(rows["true"], rows["recovered"] - rows["true"], **marks)
    above.axline((0, 0), slope=1, color=COLOURS["reference"], linewidth=0.8, linestyle="--", zorder=0)
    below.axhline(0, color=COLOURS["reference"], linewidth=0.8, linestyle="--", zorder=0)
    row = scores[(scores["process"] == "all") & (scores["propagation"] == "signed")].iloc[0]
    above.text(
        0.98,
        0.04,
        f"signed, {row['n']} videos\n"
        f"measured MAE {error(row['mae'])}, R² {number(row['r2'], 4)}\n"
        f"published MAE {error(row['published_mae'])}, R² {number(row['published_r2'], 4)}",
        transform=above.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
    )
    above.set(title=title, ylabel="recovered α")
    above.legend(loc="upper left", fontsize=8)
    below.set(
        xlabel="true α (length²/time; negative: diffusion, positive: mobility)",
        ylabel="error α̂ − α",
    )


def draw(panels: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> Figure:
    """Draw recovered against true α, with the error below.

    Parameters
    ----------
    panels
        By title, the recoveries (:func:`~safe_pit_cm.paper.recovery.collect`) and scores
        (:func:`~safe_pit_cm.paper.recovery.score`) of a setting.
    """
    with figure_style():
        figure, axes = plt.subplots(
            2,
            len(panels),
            sharex=True,
            squeeze=False,
            figsize=(4.8 * len(panels), 5.4),
            height_ratios=[3, 1.2],
        )
        for column, (title, (recoveries, scores)) in enumerate(panels.items()):
            _panel(axes[0, column], axes[1, column], title, recoveries, scores)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    panels = {}
    for title, setting, paths in (
        ("(a) trained, with test-time steps", "trained", inputs["trained"]),
        ("(b) zero-shot", "zero-shot", inputs["zero_shot"]),
    ):
        recoveries = recovery.collect(paths)
        panels[title] = (recoveries, recovery.score(recoveries, setting, params["published"]))
    save(draw(panels), **outputs)
