"""Figure 7: MAE and R² against the number of sub-steps."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from safe_pit_cm.paper.tables import number
from safe_pit_cm.plot_style import COLOURS, MARKERS, figure_style, save

# Group, look, label.
SERIES = (
    ("diffusion", "diffusion", "diffusion"),
    ("mobility_signed", "mobility", "mobility, signed"),
    ("mobility_stable", "stable", "mobility, stable"),
)
# R² below this is written as a number instead of drawn.
R2_FLOOR = -1.0


def marks(look: str) -> dict[str, Any]:
    """Marker and colour of a series; open for stable propagation, which often coincides with diffusion."""
    return {
        "color": COLOURS[look],
        "marker": MARKERS[look],
        "markerfacecolor": "none" if look == "stable" else COLOURS[look],
        "markersize": 8 if look == "stable" else 5,
    }


def draw_r2(axes: Axes, x: pd.Series, r2: pd.Series, height: float, **look: Any) -> None:
    """Draw R²; where it is below the floor, write it next to its marker at the given height above the floor."""
    axes.plot(x, r2.where(r2 >= R2_FLOOR), **look)
    for at, value in zip(x, r2, strict=True):
        if value < R2_FLOOR:
            axes.plot(at, R2_FLOOR + height, **{**look, "markersize": 4})
            axes.annotate(
                f"↓ {number(value, 1)}",
                (at, R2_FLOOR + height),
                (5, -3),
                textcoords="offset points",
                fontsize=7,
                color=look["color"],
            )


def plain_ticks(axes: Axes, values: list[int]) -> None:
    """Label a logarithmic x axis at the given values only."""
    axes.set_xscale("log")
    axes.set_xticks(values)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", bottom=False)


def draw(data: pd.DataFrame) -> Figure:
    """Draw MAE and R² by process and propagation, theory and published values.

    Parameters
    ----------
    data
        Rows of :func:`safe_pit_cm.paper.table_3.rows_of`.
    """
    with figure_style():
        figure, (errors, fits) = plt.subplots(1, 2, figsize=(9.6, 4.6))
        counts = data["substeps"]
        for position, (name, look, label) in enumerate(SERIES):
            errors.plot(counts, data[f"mae_{name}"], linestyle="none", label=label, **marks(look))
            errors.plot(counts, data[f"mae_{name}_minimum"], color=COLOURS[look], linewidth=1)
            if look != "stable":
                # Where the errors cancel, only rounding remains.
                theory = data[f"mae_{name}_first_order"].where(data[f"mae_{name}_first_order"] > 1e-12)
                errors.plot(counts, theory, color=COLOURS[look], linewidth=1, linestyle=":")
            draw_r2(fits, counts, data[f"r2_{name}"], 0.06 + 0.08 * position, linewidth=1, **marks(look))
        whole: dict[str, Any] = {"color": "black", "linewidth": 1, "marker": "D", "markersize": 4, "linestyle": "--"}
        errors.fill_between(counts, data["mae_low_all_signed"], data["mae_high_all_signed"], color="0.85", linewidth=0)
        errors.plot(counts, data["mae"], label="all videos, signed", **whole)
        draw_r2(fits, counts, data["r2"], 0.3, **whole)
        paper: dict[str, Any] = {"color": "black", "marker": "*", "markersize": 10, "linestyle": "none"}
        paper |= {"markerfacecolor": "none", "zorder": 5}
        errors.plot(counts, data["published_mae"].astype(float), label="all videos, published", **paper)
        fits.plot(counts, data["published_r2"].astype(float), label="all videos, published", **paper)
        errors.plot([], [], color=COLOURS["reference"], linewidth=1, label="true minimum of the loss")
        errors.plot([], [], color=COLOURS["reference"], linewidth=1, linestyle=":", label="theory, first order")
        errors.set(yscale="log", ylabel="MAE(α) (length²/time)")
        fits.set(ylabel="R²", ylim=(R2_FLOOR, 1.05))
        for axes in (errors, fits):
            plain_ticks(axes, list(counts))
            axes.set_xlabel("sub-steps S per frame interval")
        # At the lower left no data are hidden: the errors of diffusion decrease only at the largest S.
        errors.legend(fontsize=7, loc="lower left")
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    save(draw(pd.read_csv(inputs["table"])), **outputs)
