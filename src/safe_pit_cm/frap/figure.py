"""The picture of a FRAP film: the spot, its recovery curve, its width, and the estimates of D beside one another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from safe_pit_cm.frap.analysis import Analysis
from safe_pit_cm.frap.classical import Number
from safe_pit_cm.plot_style import COLOURS, figure_style
from safe_pit_cm.video.facts import unit


def _with_unit(name: str, of: str) -> str:
    return f"{name} ({of})" if of else name


def _first_frame(figure: Figure, axis: Axes, analysis: Analysis, first: NDArray[Any], length: str) -> None:
    rows, columns = first.shape
    (dy, dx), (row, column) = analysis.spacing, analysis.found.centre
    low, high = np.nanpercentile(first, [0.2, 99.8])
    image = axis.imshow(
        first, cmap="gray", vmin=low, vmax=high, extent=(0.0, columns * dx, rows * dy, 0.0), interpolation="nearest"
    )
    centre = ((column + 0.5) * dx, (row + 0.5) * dy)
    axis.add_patch(Circle(centre, analysis.region, fill=False, edgecolor=COLOURS["mobility"], linewidth=1.5))
    if analysis.reference is not None:
        axis.add_patch(
            Circle(centre, analysis.reference, fill=False, edgecolor=COLOURS["mobility"], linestyle="--", linewidth=1)
        )
    axis.set_xlim(0, columns * dx)
    axis.set_ylim(rows * dy, 0)
    axis.grid(False)
    axis.set_title("first frame and spot")
    axis.set_xlabel(_with_unit("x", length))
    axis.set_ylabel(_with_unit("y", length))
    relative = analysis.normalisation in ("double", "before")
    bar = figure.colorbar(image, ax=axis, shrink=0.8, pad=0.02)
    bar.set_label("brightness / before bleaching" if relative else "brightness")


def _recovery(axis: Axes, analysis: Analysis, time: str) -> None:
    at = np.linspace(0, analysis.times[-1], 400)
    whole, fitted = analysis.whole, analysis.whole.fitted
    axis.axhline(1.0, color=COLOURS["reference"], linestyle=":", label="full level")
    axis.axhline(fitted.plateau, color=COLOURS["reference"], linestyle="--", label="plateau")
    axis.plot(at, fitted.curve(at), color=COLOURS["diffusion"], label="fit: disc with a blurred edge")
    axis.errorbar(
        analysis.times, whole.values, whole.errors, fmt="o", mfc="white", color="black", label="mean of the spot"
    )
    half = (fitted.initial + fitted.plateau) / 2
    if fitted.half_time < analysis.times[-1]:
        axis.plot([fitted.half_time] * 2, [fitted.initial, half], color="black", linewidth=0.8)
        axis.annotate("t½", (fitted.half_time, fitted.initial), xytext=(3, 1), textcoords="offset points")
    axis.set_title("recovery")
    axis.set_xlabel(_with_unit("time from the first frame", time))
    axis.set_ylabel("brightness / full level")
    axis.legend(loc="lower right", fontsize=8)


def _widths(axis: Axes, analysis: Analysis, length: str, time: str) -> None:
    measured, line = analysis.whole.measured, analysis.whole.line
    axis.errorbar(analysis.times, measured.variance, measured.error, fmt="o", mfc="white", color="black", label="σ²")
    if line is not None:
        ends = analysis.times[[0, -1]]
        axis.plot(ends, line.start + 2 * line.diffusivity * ends, color=COLOURS["diffusion"], label="σ₀² + 2Dt")
    axis.set_title("width of the spot")
    axis.set_xlabel(_with_unit("time from the first frame", time))
    axis.set_ylabel(_with_unit("σ² of a Gaussian", f"{length}²" if length else ""))
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left", fontsize=8)


def _estimates(axis: Axes, analysis: Analysis, likelihood: Mapping[str, Any], measure: str) -> None:
    # A film that only bounds D has no value to draw.
    value = np.nan if likelihood["diffusivity"] is None else likelihood["diffusivity"]
    rows: list[tuple[str, Number, float | None]] = [
        ("maximum likelihood", Number(value, likelihood["total_stderr"], likelihood["total_ci95"]), None),
        *(
            (
                f"{each.method.title}\n{each.method.citation}",
                each.diffusivity,
                None if each.doubt is None else each.corrected,
            )
            for each in analysis.estimates
        ),
    ]
    for height, (_, number, corrected) in enumerate(rows):
        holds = corrected is None
        colour = COLOURS["diffusion"] if height == 0 else "black" if holds else COLOURS["reference"]
        if number.ci95 is not None:
            axis.plot(number.ci95, [height, height], color=colour, linewidth=1)
        if height == 0 and likelihood["ci95"] is not None:
            axis.plot(likelihood["ci95"], [0, 0], color=colour, linewidth=4, solid_capstyle="butt")
        axis.plot(number.value, height, "D" if height == 0 else "o", color=colour, mfc=colour if holds else "white")
        if corrected is not None:
            axis.plot(corrected, height, "x", color=colour)
        text = "no value" if np.isnan(number.value) else number.text()
        axis.annotate(text, (1.02, height), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axis.set_yticks(range(len(rows)), [label for label, *_ in rows], fontsize=8)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    shown = [number.value for _, number, _ in rows] + [corrected or np.nan for *_, corrected in rows]
    axis.set_xlim(float(np.nanmin([0.0, *shown])), 1.35 * float(np.nanmax(shown)))
    axis.set_title("estimates of D")
    axis.set_xlabel(
        f"{_with_unit('D', measure)}\nlines: 95 % intervals (thick: statistical)\n"
        "hollow: assumption not met; ×: corrected for that"
    )
    axis.grid(axis="y", visible=False)


def draw(
    analysis: Analysis,
    first: NDArray[Any],
    found: xr.Dataset,
    likelihood: Mapping[str, Any],
    path: str | Path,
) -> None:
    """Draw a FRAP film, readable in greyscale.

    Parameters
    ----------
    analysis
        What was found.
    first
        First frame, ``(y, x)``.
    found
        Result of :func:`safe_pit_cm.fit`, for its units.
    likelihood
        Its estimate of D with the error bars.
    path
        PNG file to write. The same film gives the same bytes.
    """
    length, time, measure = (unit(found.attrs["units"][name]) for name in ("length", "time", "diffusivity"))
    with figure_style():
        figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.2))
        _first_frame(figure, axes[0, 0], analysis, first, length)
        _recovery(axes[0, 1], analysis, time)
        _widths(axes[1, 0], analysis, length, time)
        _estimates(axes[1, 1], analysis, likelihood, measure)
        try:
            figure.savefig(path, format="png", metadata={"Software": None})
        finally:
            plt.close(figure)
