"""Figure to the table of the collapse: learned against true |α| without sub-steps."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from safe_pit_cm.paper.collapse import GROUPS, TRAINED, ZERO_SHOT, grid_of, read
from safe_pit_cm.paper.recovery import select
from safe_pit_cm.plot_style import COLOURS, figure_style, save

_LOOKS = {"diffusion": "diffusion", "mobility, signed": "mobility", "mobility, stable": "stable"}


def draw(rows: pd.DataFrame, grid: pd.DataFrame, bound: float, substeps: int) -> Figure:
    """Draw learned against true |α|, one panel per process and propagation.

    Parameters
    ----------
    rows
        As :func:`safe_pit_cm.paper.collapse.learned` returns them.
    grid
        As :func:`safe_pit_cm.paper.collapse.grid_of` returns them.
    bound
        Largest stable |α| at this sub-step.
    substeps
        The number of sub-steps.
    """
    with figure_style():
        figure, panels = plt.subplots(1, len(GROUPS), figsize=(10.5, 4.2), sharex=True, sharey=True)
        for axes, (name, process, propagation) in zip(panels, GROUPS, strict=True):
            colour = COLOURS[_LOOKS[name]]
            reach = np.array([0.0, max(rows["true"].abs().max(), grid["true"].abs().max())])
            line: dict[str, Any] = {"color": COLOURS["reference"], "linewidth": 0.9}
            axes.plot(reach, reach, "--", label="true", **line)
            axes.plot(reach, reach / 10, ":", label="a tenth of it (§2.4)", **line)
            axes.axhline(bound, linestyle="-.", label="von Neumann bound", **line)
            own = select(grid, process, propagation).sort_values("true", key=abs)
            axes.plot(own["true"].abs(), own["recovered"].abs(), color=colour, label="minimum, one parent")
            axes.plot(
                own["true"].abs(),
                own["first_order"].abs(),
                color=colour,
                linewidth=0.9,
                linestyle=(0, (1, 2)),
                label="first-order theory",
            )
            for estimator, marker, fill, label in (
                (ZERO_SHOT, "o", colour, "zero-shot, test videos"),
                (TRAINED, "D", "none", "trained, test videos"),
            ):
                found = select(rows[rows["estimator"] == estimator], process, propagation)
                axes.plot(
                    found["true"].abs(),
                    found["recovered"].abs(),
                    marker,
                    color=colour if estimator == ZERO_SHOT else "black",
                    markerfacecolor=fill,
                    markersize=4,
                    label=label,
                )
            axes.set(title=f"{name}, S = {substeps}", xlabel="true |α| (length²/time)")
            # First-order theory leaves the plotted range where the error is not small.
            axes.set_ylim(0, 1.1 * max(rows["recovered"].abs().max(), grid["recovered"].abs().max()))
        panels[0].set_ylabel("learned |α| (length²/time)")
        panels[0].legend(fontsize=7, loc="upper left")
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    rows, bound = read(inputs, params["substeps"])
    save(draw(rows, grid_of(inputs["grid"]), bound, params["substeps"]), **outputs)
