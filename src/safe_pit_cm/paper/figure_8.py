"""Figure 8: recovery against the number of frames left."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from safe_pit_cm.paper import ablation_stores
from safe_pit_cm.paper.figure_7 import R2_FLOOR, SERIES, marks, plain_ticks
from safe_pit_cm.paper.recovery import select
from safe_pit_cm.plot_style import COLOURS, figure_style, save

_TITLES = {"size": "sub-steps of the same size (S·n of them)", "count": "the same number S of sub-steps"}


def _scores(errors: Axes, fits: Axes, rows: pd.DataFrame) -> None:
    for name, look, label in SERIES:
        own = rows[rows["group"] == name]
        complete = own["failed"] == 0
        mark = {**marks(look), "linestyle": "none"}
        errors.plot(own["frames"], own["mae"].where(complete), label=label, **mark)
        errors.plot(own["frames"], own["mae_minimum"], color=COLOURS[look], linewidth=1)
        fits.plot(own["frames"], own["r2"].where(complete & (own["r2"] >= R2_FLOOR)), **mark)
        fits.plot(own["frames"], own["r2_minimum"].clip(lower=R2_FLOOR - 1), color=COLOURS[look], linewidth=1)


def _ratios(axes: Axes, rows: pd.DataFrame) -> None:
    for name, look, _ in SERIES:
        process, propagation = next(pair for group, *pair in ablation_stores.GROUPS if group == name)
        own = select(rows, process, propagation)
        ratio = (own["alpha_minimum"] / own["true"]).groupby(own["frames"])
        centre = ratio.median()
        style = "--" if look == "stable" else "-"
        axes.fill_between(centre.index, ratio.min(), ratio.max(), color=COLOURS[look], alpha=0.15, linewidth=0)
        axes.plot(
            centre.index, centre, style, color=COLOURS[look], linewidth=1, marker=marks(look)["marker"], markersize=3
        )
    axes.axhline(1, color=COLOURS["reference"], linewidth=0.8, linestyle=":")


def draw(recoveries: pd.DataFrame) -> Figure:
    """Draw MAE, R² and α against the number of remaining frames, for both choices of sub-steps.

    Parameters
    ----------
    recoveries
        As :func:`safe_pit_cm.paper.ablation_stores.collect` returns them.
    """
    table = ablation_stores.frame_step_scores(recoveries)
    frames = sorted(table["frames"].unique())
    with figure_style():
        figure, panels = plt.subplots(3, 2, figsize=(9.6, 8.4), sharex=True, sharey="row")
        for (errors, fits, ratios), substepping in zip(panels.T, _TITLES, strict=True):
            own = table[table["substepping"] == substepping]
            _scores(errors, fits, own)
            _ratios(ratios, recoveries[recoveries["substepping"] == substepping])
            errors.set(title=_TITLES[substepping], yscale="log")
            fits.set(ylim=(R2_FLOOR, 1.08))
            ratios.set(yscale="log", xlabel="frames left of a video")
            for axes in (errors, fits, ratios):
                plain_ticks(axes, [int(value) for value in frames])
        left = panels[:, 0]
        left[0].set_ylabel("MAE(α) (length²/time)")
        left[1].set_ylabel("R²")
        left[2].set_ylabel("α at the minimum / true α\n(median and range)")
        right = panels[0, 1]
        right.plot([], [], color=COLOURS["reference"], linewidth=1, label="true minimum of the loss")
        right.legend(fontsize=7, loc="lower left")
        lost = table[(table["substepping"] == "size") & (table["group"] == "mobility_signed")]
        failed = lost[lost["failed"] > 0].to_dict("records")
        if failed:
            which = "\n".join(
                f"{row['failed']} of {row['n'] + row['failed']} with {row['frames']} frames" for row in failed
            )
            left[0].text(
                0.02,
                0.5,
                f"signed mobility, Adam's loss\nleft the range of numbers:\n{which}",
                transform=left[0].transAxes,
                va="bottom",
                fontsize=7,
            )
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    save(draw(ablation_stores.collect(inputs["ablations"], "frame_step")), **outputs)
