"""The picture of a fit: what was seen and predicted, how sharp the likelihood is, and what the model leaves over."""

from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from safe_pit_cm.plot_style import COLOURS, figure_style
from safe_pit_cm.video.facts import symbol

# Half the 95 % quantile of χ² with one degree of freedom: how far the profile falls at the ends of the interval.
_DROP = 1.92


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit.replace('^2', '²')})"


def _frames(figure: SubFigure, axes: Any, found: xr.Dataset) -> None:
    facts = found.attrs
    observed = found["observed"].to_numpy()
    low, high = np.nanpercentile(observed, [0.5, 99.5])
    left = np.abs(found["residual"].to_numpy())
    # A film that gives no fit has no predicted frames.
    residual = float(np.nanpercentile(left, 99.5)) or 1.0 if np.isfinite(left).any() else 1.0
    rows, columns = observed.shape[1:]
    height, width = (facts["binning"] * size for size in facts["dx"])
    extent = (0.0, columns * width, rows * height, 0.0)
    length, time = facts["units"]["length"], facts["units"]["time"]
    for row, (name, limits) in enumerate(
        (("observed", (low, high)), ("predicted", (low, high)), ("residual", (-residual, residual)))
    ):
        for column, axis in enumerate(axes[row]):
            image = axis.imshow(
                found[name][column], cmap="gray", vmin=limits[0], vmax=limits[1], extent=extent, interpolation="nearest"
            )
            axis.grid(False)
            axis.tick_params(labelbottom=row == 2, labelleft=column == 0)
            if row == 0:
                when = float(found["frame_time"][column])
                axis.set_title(f"t = {when:.4g}" + ("" if time == "1" else f" {time}"))
        axes[row][0].set_ylabel(f"{name}\n{_with_unit('y', length)}")
        bar = figure.colorbar(image, ax=list(axes[row]), shrink=0.85, pad=0.01)
        bar.set_label("observed − predicted" if name == "residual" else "brightness")
    for axis in axes[2]:
        axis.set_xlabel(_with_unit("x", length))


def _empty(axis: Axes, text: str) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center")


def _profile(axis: Axes, found: xr.Dataset) -> None:
    facts = found.attrs
    name = symbol(facts)
    axis.set_title("likelihood")
    if facts["method"] != "ml":
        _empty(axis, f"the method {facts['method']} has no likelihood,\nand so no error bar")
        return
    axis.plot(found["diffusivity"], found["log_likelihood"], color="black")
    axis.set_xlabel(_with_unit(name, facts["units"]["diffusivity"]))
    axis.set_ylabel("log-likelihood less its maximum")
    axis.set_ylim(-9, 0.6)
    if facts["ci95"] is not None:
        low, high = facts["ci95"]
        axis.axvspan(low, high, facecolor="0.88", edgecolor="0.5", label="95 % interval, statistical")
        axis.axhline(-_DROP, color=COLOURS["reference"], linestyle=":", label=f"maximum − {_DROP}")
    if facts["diffusivity"] is not None:
        axis.axvline(facts["diffusivity"], color=COLOURS["diffusion"], linestyle="--", label=f"best {name}")
        # Whole numbers on the axis would hide what differs in the fourth digit.
        axis.ticklabel_format(axis="x", useOffset=False)
        axis.locator_params(axis="x", nbins=4)
    else:
        # The curve covers every coefficient that the film might tell.
        axis.set_xscale("log")
    if facts["bound"] is not None:
        label = f"{facts['bound']['kind']} bound, 95 %"
        axis.axvline(facts["bound"]["value"], color=COLOURS["diffusion"], linestyle="--", label=label)
    if axis.get_legend_handles_labels()[1]:
        axis.legend(loc="lower center", fontsize=8, frameon=True, framealpha=1.0)


def _bands(axis: Axes, found: xr.Dataset) -> None:
    facts = found.attrs
    axis.set_title("residuals by wavenumber")
    if "residual_power" not in found:
        _empty(axis, f"not tested, since {symbol(facts)} is not determined")
        return
    wavenumber, ratio = found["wavenumber"].to_numpy(), (found["residual_power"] / found["noise_power"]).to_numpy()
    shown = np.isfinite(ratio)
    p_values = found["p_value"].to_numpy() if "p_value" in found else np.ones_like(ratio)
    # The smallest p-value counts as many times as there are bands.
    bad = shown & (p_values * max(1, int(np.isfinite(p_values).sum())) < facts["significance"])
    axis.axhline(1.0, color=COLOURS["reference"], linestyle="--", label="noise alone")
    axis.plot(wavenumber[shown], ratio[shown], color="black", linewidth=0.8)
    good = shown & ~bad
    axis.plot(wavenumber[good], ratio[good], "o", mfc="white", mec="black", label="band that fits")
    if bad.any():
        axis.plot(wavenumber[bad], ratio[bad], "s", color="black", label="band that does not fit")
    if ratio[shown].max(initial=1.0) > 4:
        axis.set_yscale("log")
    else:
        axis.set_ylim(0, max(2.0, 1.15 * ratio[shown].max(initial=1.0)))
    length = facts["units"]["length"]
    axis.set_xlabel("wavenumber" + ("" if length == "1" else f" (1/{length})"))
    axis.set_ylabel("residual power / noise power")
    axis.legend(loc="best", fontsize=8)


def _contrast(axis: Axes, found: xr.Dataset) -> None:
    time, field = found.attrs["units"]["time"], found.attrs["units"]["field"]
    ordered = found.sortby("group_time")
    axis.plot(ordered["group_time"], ordered["fitted_contrast"], color=COLOURS["diffusion"], label="fitted")
    axis.plot(ordered["group_time"], ordered["contrast"], "o", mfc="none", mec="black", label="observed")
    axis.set_title("contrast by time")
    axis.set_xlabel(_with_unit("t", time))
    axis.set_ylabel(_with_unit("standard deviation of a frame", field))
    axis.set_ylim(0, 1.15 * float(found["contrast"].max()))
    axis.legend(loc="best", fontsize=8)


def _courses(axis: Axes, found: xr.Dataset) -> None:
    ordered = found.sortby("group_time")
    axis.axhline(1.0, color=COLOURS["reference"], linestyle="--", label="noise alone")
    axis.plot(ordered["group_time"], ordered["frame_residual"], "o-", color="black", mfc="white", linewidth=0.8)
    axis.set_title("residuals by time")
    axis.set_xlabel(_with_unit("t", found.attrs["units"]["time"]))
    axis.set_ylabel("residual power / noise power")
    axis.set_ylim(bottom=0)
    axis.legend(loc="best", fontsize=8)


def draw(found: xr.Dataset, path: str | Path) -> None:
    """Draw a fit, readable in greyscale: frames, likelihood with the interval or the bound, residuals, contrast.

    Parameters
    ----------
    found
        Result of :func:`safe_pit_cm.fit`. Curves against time are drawn where it has them.
    path
        PNG file to write. The same fit gives the same bytes.
    """
    # The layout keeps all labels inside, so the figure need not be drawn a second time to find its bounds.
    with figure_style(), mpl.rc_context({"savefig.bbox": None}):
        rows, columns = found["observed"].shape[1:]
        height = 2.3 * min(1.6, max(0.5, rows / columns))
        panels = [_profile, _bands, *([_contrast, _courses] if "group_time" in found.coords else [])]
        below = 1.65 * len(panels)
        figure = Figure(figsize=(8.4, 3 * height + 0.3 + below))
        upper, lower = cast("NDArray[Any]", figure.subfigures(2, 1, height_ratios=[3 * height, below]))
        _frames(upper, upper.subplots(3, found.sizes["frame"], squeeze=False), found)
        for panel, axis in zip(panels, lower.subplots(len(panels) // 2, 2).flat, strict=True):
            panel(axis, found)
        figure.savefig(path, format="png", metadata={"Software": None})
