"""Likelihood of interface width and roughness, and the errors and initial fields that they give."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from safe_pit_cm.paper import choice_scans
from safe_pit_cm.paper.choice_scans import at, best, posterior
from safe_pit_cm.paper.figure_7 import plain_ticks
from safe_pit_cm.plot_style import COLOURS, figure_style, save
from safe_pit_cm.simulation.microstructure import initial_condition
from safe_pit_cm.studies.published_statistics import Statistic, published_statistics
from safe_pit_cm.studies.readings import CONFIGURED

# Log-likelihoods this far below the greatest look alike.
_DEPTH = 40.0
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": COLOURS["diffusion"], "marker": "o"},
    {"color": COLOURS["mobility"], "marker": "s", "linestyle": "--"},
    {"color": COLOURS["stable"], "marker": "^", "linestyle": ":"},
    {"color": "#CC79A7", "marker": "D", "linestyle": "-."},
)

Choice = tuple[str, Mapping[str, Any]]


def choices(scans: pd.DataFrame, settings: Mapping[str, Any]) -> list[Choice]:
    """Label and row of the configured values, two alternatives, and the sharpest interface at its best roughness."""
    usual = scans[scans["reading"] == CONFIGURED]
    sharpest = at(usual, interface_width=usual["interface_width"].min())
    wanted = [
        ("configured", at(usual, **settings["configured"])),
        *(("alternative", at(usual, **pair)) for pair in settings["alternatives"][:2]),
        ("sharpest", sharpest),
    ]
    rows = [(name, best(chosen)) for name, chosen in wanted if not chosen.empty]
    return [(f"{name}: w = {row['interface_width']:.3g}, η = {row['roughness']:g}", row) for name, row in rows]


def _largest_grid(scans: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[str, int, Mapping[str, Any]]:
    """Label, size N and row of the largest grid, at the configured interface width where that was scanned."""
    name, size = max(settings["sizes"].items(), key=lambda item: item[1])
    rows = scans[scans["reading"] == name]
    same = at(rows, interface_width=settings["configured"]["interface_width"])
    row = best(rows if same.empty else same)
    return f"N = {size}: w = {row['interface_width']:.3g}, η = {row['roughness']:g}", size, row


def _map(axes: Axes, usual: pd.DataFrame, shown: list[Choice]) -> Any:
    heights = usual.groupby(["roughness", "interface_width"])["log_likelihood"].max().unstack()
    heights = heights - heights.to_numpy().max()
    # η = 0 has no place on a logarithmic axis: the smallest positive one stands next to it.
    positive = heights[heights.index > 0]
    image = axes.pcolormesh(
        positive.columns, positive.index, positive.clip(lower=-_DEPTH), cmap="cividis", shading="nearest"
    )
    axes.set(xscale="log", yscale="log", xlabel="interface width w (length)", ylabel="roughness η")
    for (_, row), look in zip(shown, _LOOKS, strict=False):
        axes.plot(
            row["interface_width"],
            max(row["roughness"], positive.index.min()),
            linestyle="none",
            markersize=8,
            markeredgecolor="white",
            clip_on=False,
            **{name: value for name, value in look.items() if name != "linestyle"},
        )
    axes.grid(False)
    axes.set_title("(a) log-likelihood below the greatest")
    return image


def _ratios(axes: Axes, shown: list[Choice], published: list[Statistic]) -> None:
    maes = [one for one in published if one.name.startswith("mae")]
    counts = [one.substeps for one in maes]
    for (label, row), look in zip(shown, _LOOKS, strict=False):
        ratio = np.array([row[one.name] / one.value for one in maes])
        axes.plot(counts, ratio, label=label, **look)
        if look is _LOOKS[0]:
            scatter = np.array([row[f"{one.name}_scatter"] for one in maes])
            band = ratio * np.exp(-1.96 * scatter), ratio * np.exp(1.96 * scatter)
            axes.fill_between(counts, *band, color=look["color"], alpha=0.15, label="95 % of its test sets")
    axes.axhline(1.0, color=COLOURS["reference"], linewidth=0.8)
    axes.set(xlabel="sub-steps S", ylabel="MAE(α), expected over published", title="(b) Table 3", ylim=(0, None))
    plain_ticks(axes, counts)
    axes.legend(fontsize=7, loc="lower right")


def _magnitudes(axes: Axes, usual: pd.DataFrame, configured: float) -> None:
    series: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("log_likelihood", {"color": COLOURS["diffusion"], "marker": "o"}, "all numbers"),
        ("log_likelihood_fitted", {"color": COLOURS["reference"], "marker": "x", "linestyle": "--"}, "S ≥ 5 only"),
    )
    for likelihood, look, label in series:
        # A density, which the spacing of the grid does not change.
        probability = posterior(usual, likelihood).groupby(usual["magnitude_min"]).sum()
        density = probability / usual.groupby("magnitude_min")["prior"].sum()
        axes.plot(density.index, density / density.max(), label=label, **look)
    axes.axvline(configured, color=COLOURS["mobility"], linewidth=1, label="configured")
    axes.set(
        xlabel="smallest |α| (length²/time)", ylabel="posterior, relative", title="(c) smallest |α|", ylim=(0, None)
    )
    axes.legend(fontsize=7)


def draw(
    scans: pd.DataFrame, settings: Mapping[str, Any], published: list[Statistic], start: Mapping[str, Any]
) -> Figure:
    """Draw likelihoods, errors and initial fields.

    Parameters
    ----------
    scans, settings, published
        As for :func:`safe_pit_cm.paper.published_numbers.build`.
    start
        As :func:`safe_pit_cm.settings.example_initial_condition` returns it.
    """
    usual = scans[scans["reading"] == CONFIGURED]
    shown = choices(scans, settings)
    with figure_style():
        figure = plt.figure(figsize=(11.5, 7.2))
        upper, lower = np.atleast_1d(np.asarray(figure.subfigures(2, 1, height_ratios=(1.15, 1.0))))
        panels = upper.subplots(1, 3)
        upper.colorbar(_map(panels[0], usual, shown), ax=panels[0], extend="min")
        _ratios(panels[1], shown, published)
        _magnitudes(panels[2], usual, settings["configured"]["magnitude_min"])
        pictures = [(label, start["size"], row) for label, row in shown] + [_largest_grid(scans, settings)]
        fields = lower.subplots(1, len(pictures))
        for axes, (label, size, row) in zip(fields, pictures, strict=True):
            pair = {name: row[name] for name in ("interface_width", "roughness")}
            field = initial_condition(**{**start, **pair, "size": size})["field"]
            image = axes.imshow(field, vmin=0, vmax=1, cmap="gray", interpolation="nearest")
            axes.set_title(label, fontsize=8)
            axes.set_axis_off()
        lower.colorbar(image, ax=list(fields), label="initial field φ₀", shrink=0.8)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    settings = params["settings"]
    scans = choice_scans.collect(inputs["scans"], settings["readings"])
    published = published_statistics(**params["published"])
    save(draw(scans, settings, published, params["initial_condition"]), **outputs)
