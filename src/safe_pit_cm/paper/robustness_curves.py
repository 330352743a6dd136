"""Figure to the tables of robustness: errors against noise, and against the width of a crop."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.paper import crops as crop_table
from safe_pit_cm.paper.figure_7 import plain_ticks
from safe_pit_cm.paper.robustness import BOUND, MEAN_ABSOLUTE, SERIES, bounds, read, score, select
from safe_pit_cm.plot_style import COLOURS, figure_style, save

# The palette of Okabe and Ito; colours denote methods here, since each process has its own panel.
_LOOKS: dict[tuple[str, str], dict[str, Any]] = {
    ("safe", "signed"): {"color": "#D55E00", "marker": "s"},
    ("safe", "stable"): {"color": "#E69F00", "marker": "^", "linestyle": "--"},
    ("zero_shot", "signed"): {"color": "black", "marker": "*", "markersize": 11, "linestyle": "none"},
    ("least_squares", "signed"): {"color": "#CC79A7", "marker": "v"},
    ("least_squares", "stable"): {"color": "#CC79A7", "marker": "v"},
    ("weak_form", "signed"): {"color": "#009E73", "marker": "D"},
    ("maximum_likelihood", "signed"): {"color": "#0072B2", "marker": "o"},
    ("maximum_likelihood", "stable"): {"color": "#0072B2", "marker": "o"},
}
_BOUND: dict[str, Any] = {"color": COLOURS["reference"], "linestyle": "--", "linewidth": 1.2}


def _noise(axes: Axes, scores: pd.DataFrame, process: str) -> None:
    own = scores[(scores["process"] == process) & (scores["noise"] > 0)]
    for (method, propagation), labels in SERIES.items():
        series = select(own, method, propagation)
        if series.empty:
            continue
        look = {"linewidth": 1, **_LOOKS[method, propagation]}
        if method == "zero_shot":
            look |= {"markerfacecolor": "none", "zorder": 5}
        few = " (1 video)" if series["n"].max() == 1 < own["n"].max() else ""
        axes.plot(series["noise"], series["mae"], label=labels[process] + few, **look)
    lowest = bounds(own)
    axes.plot(lowest.index, lowest, label=BOUND, **_BOUND)
    axes.set(xscale="log", yscale="log", title=process, xlabel="noise σ (the field spans 0 to 1)")


def _crops(axes: Axes, rows: pd.DataFrame) -> None:
    scores = crop_table.score(rows)
    look: dict[str, Any] = {"color": _LOOKS["maximum_likelihood", "signed"]["color"], "linewidth": 1}
    opened, whole = (scores[scores["boundary"] == boundary] for boundary in ("open", "periodic"))
    single = rows[rows["boundary"] == "open"]
    errors = (single["recovered"] - single["true"]).abs()
    axes.plot(single["width"], errors, "o", color=look["color"], alpha=0.4, markersize=4, label="error, each video")
    axes.plot(opened["width"], opened["mae"], marker="o", label="error, mean", **look)
    axes.plot(opened["width"], MEAN_ABSOLUTE * opened["stderr"], ":", label="expected from standard errors", **look)
    axes.plot(opened["width"], opened["bound"], label=BOUND, **_BOUND)
    known: dict[str, Any] = {"color": "black", "linestyle": "none"}
    axes.plot(whole["width"], whole["mae"], marker="s", label="whole video, periodic: error, mean", **known)
    axes.plot(whole["width"], whole["bound"], marker="_", markersize=14, label="whole video, periodic: bound", **known)
    noise = scores["noise"].iloc[0]
    axes.set(yscale="log", title=f"open crops of diffusion, σ = {noise:g}", xlabel="width of the crop (pixels)")
    plain_ticks(axes, sorted({int(width) for width in scores["width"]}))


def draw(noise: pd.DataFrame, crops: pd.DataFrame) -> Figure:
    """Draw MAE(α) against noise, one panel per process, and against the width of open crops.

    Parameters
    ----------
    noise
        Rows of :func:`safe_pit_cm.studies.noise_scan.noise_scan`.
    crops
        Rows of :func:`safe_pit_cm.studies.crop_scan.scan`.
    """
    scores = score(noise)
    with figure_style():
        figure, panels = plt.subplots(1, 3, figsize=(12.5, 5.4))
        for axes, process in zip(panels[:2], PROCESSES, strict=True):
            _noise(axes, scores, process)
        panels[1].sharey(panels[0])
        _crops(panels[2], crops)
        panels[0].set_ylabel("MAE(α) (length²/time)")
        for axes in panels:
            # Below the panels: every corner of a panel contains data.
            axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    save(draw(read([inputs["noise"]]), read([inputs["crops"]])), **outputs)
