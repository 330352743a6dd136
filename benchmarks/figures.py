"""The figures of a run."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

from benchmarks import cost_laws
from benchmarks.methods import METHODS
from safe_pit_cm.plot_style import COLOURS, figure_style


def draw_methods(table: pd.DataFrame, least: float, path: Path) -> None:
    """Error against time, clean and noisy videos."""
    with figure_style():
        figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.2), sharex=True)
        for axes, kind in zip(panels, ("clean", "noisy"), strict=True):
            for number, (name, row) in enumerate(table.iterrows(), 1):
                ours = METHODS[str(name)].group == "ours"
                colour = COLOURS["diffusion"] if ours else COLOURS["mobility"]
                # Below the rounding of the frames an error tells nothing more.
                place = (row["seconds"], max(row[kind], 1e-10))
                axes.plot(*place, "o" if ours else "s", color=colour, markersize=11, alpha=0.85)
                axes.annotate(str(number), place, ha="center", va="center_baseline", fontsize=6.5, color="white")
            axes.set(xscale="log", yscale="log", xlabel="CPU seconds a fit", title=f"{kind} videos")
        panels[0].set_ylabel("mean relative error of D")
        panels[1].axhline(least, linestyle="--", color=COLOURS["reference"], linewidth=0.9)
        panels[1].annotate(
            "Cramér–Rao bound",
            (1.0, least),
            xycoords=panels[1].get_yaxis_transform(),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7.5,
        )
        panels[1].set_ylim(bottom=least / 2)
        names = [f"{number}  {METHODS[str(name)].label.replace('`', '')}" for number, name in enumerate(table.index, 1)]
        figure.legend(
            handles=[mpl.lines.Line2D([], [], linestyle="none", label=name) for name in names],
            loc="outside right center",
            handlelength=0,
            handletextpad=0,
            fontsize=7.5,
            title="blue: ours, orange: peers",
        )
        figure.savefig(path)
    plt.close(figure)


def draw_costs(rows: pd.DataFrame, path: Path) -> None:
    """Seconds against N, frames and S, with lines of the expected slopes."""
    looks = {"ml": ("diffusion", "o"), "direct": ("stable", "^"), "stencil": ("mobility", "s")}
    with figure_style():
        figure, panels = plt.subplots(1, len(cost_laws.LAWS), figsize=(10.5, 3.6), sharey=True)
        for axes, (name, law) in zip(panels, cost_laws.LAWS.items(), strict=True):
            for method, label in cost_laws.LABELS.items():
                own = rows[(rows["law"] == name) & (rows["method"] == method)]
                if own.empty:
                    continue
                values, seconds = own["value"].to_numpy(float), own["seconds"].to_numpy(float)
                colour, marker = looks[method]
                axes.plot(values, seconds, marker, color=COLOURS[colour], label=label.replace("`", ""))
                guide = seconds[-1] * (values / values[-1]) ** law.slopes[method]
                axes.plot(values, guide, "--", color=COLOURS[colour], linewidth=0.9)
            axes.set(xscale="log", yscale="log", xlabel=law.label)
            ticks = sorted(set(rows.loc[rows["law"] == name, "value"]))
            axes.set_xticks(ticks, [str(tick) for tick in ticks])
            axes.minorticks_off()
        panels[0].set_ylabel("CPU seconds")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        figure.savefig(path)
    plt.close(figure)
