"""Write what the fit of an equation found: numbers, a figure, a dataset, and a page."""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from safe_pit_cm.data import files, provenance, stores
from safe_pit_cm.numerics.rounding import interval, number, plus_minus
from safe_pit_cm.pages import rendering
from safe_pit_cm.plot_style import COLOURS, figure_style
from safe_pit_cm.video.facts import plain, unit

TEMPLATE = Path(__file__).with_name("equation.html.jinja")


def sentence(facts: Mapping[str, Any]) -> str:
    """The coefficients in one line, each with its standard error: ``D = 0.30 ± 0.02 µm²/s, r = 0.20 ± 0.01 1/s``."""
    return ", ".join(
        f"{name} = {plus_minus(each['value'], each['stderr'], unit(each['unit']))}"
        for name, each in facts["coefficients"].items()
    )


def draw(found: xr.Dataset, path: str | Path) -> None:
    """Draw a fit, readable in greyscale: observed and predicted frames of the first field, residuals by wavenumber."""
    facts = found.attrs
    time = facts["units"]["time"]
    with figure_style():
        figure, axes = plt.subplots(4, found.sizes["frame"], figsize=(8.4, 10), squeeze=False)
        observed = found["observed"].isel(field=0).to_numpy()
        low, high = np.nanpercentile(observed, [0.5, 99.5])
        residual = float(np.nanpercentile(np.abs(found["residual"].isel(field=0)), 99.5)) or 1.0
        height, width = (size * count for size, count in zip(facts["dx"], observed.shape[1:], strict=True))
        for row, name in enumerate(("observed", "predicted", "residual")):
            limits = (-residual, residual) if name == "residual" else (low, high)
            for column in range(found.sizes["frame"]):
                axis = axes[row][column]
                image = axis.imshow(
                    found[name].isel(field=0)[column],
                    cmap="gray",
                    vmin=limits[0],
                    vmax=limits[1],
                    extent=(0, width, height, 0),
                    interpolation="nearest",
                )
                axis.grid(False)
                axis.tick_params(labelbottom=row == 2, labelleft=column == 0)
                if row == 0:
                    when = float(found["frame_time"][column])
                    axis.set_title(f"t = {when:.4g}" + ("" if time == "1" else f" {time}"))
            measure = facts["units"]["length"]
            shown = "observed − predicted" if name == "residual" else name
            axes[row][0].set_ylabel(f"{shown}\ny" + ("" if measure == "1" else f" ({measure})"))
            if name == "residual":
                for axis in axes[row]:
                    axis.set_xlabel("x" + ("" if measure == "1" else f" ({measure})"))
            figure.colorbar(image, ax=list(axes[row]), shrink=0.85, pad=0.01)
        grid = axes[3][0].get_gridspec()
        for axis in axes[3]:
            axis.remove()
        _bands(figure.add_subplot(grid[3, :]), found)
        try:
            figure.savefig(path, format="png", metadata={"Software": None})
        finally:
            plt.close(figure)


def _bands(axis: Any, found: xr.Dataset) -> None:
    ratio = found["residual_ratio"]
    length = found.attrs["units"]["length"]
    axis.axhline(1.0, color=COLOURS["reference"], linestyle="--", label="noise alone")
    axis.plot(found["wavenumber"], ratio, "o-", color="black", mfc="white", linewidth=0.8, label="residuals")
    if float(np.nanmax(ratio)) > 4:
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.set_xlabel("wavenumber" + ("" if length == "1" else f" (1/{length})"))
    axis.set_ylabel("slow residual power / noise power")
    axis.legend(loc="best", fontsize=8)


def render(facts: Mapping[str, Any], picture: Path) -> str:
    """Page that needs no other file."""
    rows = [
        (
            name,
            plus_minus(each["value"], each["stderr"], unit(each["unit"])),
            interval(each["ci95"][0], each["ci95"][1], each["stderr"])
            if each["ci95"] and None not in each["ci95"]
            else "",
        )
        for name, each in facts["coefficients"].items()
    ]
    names = list(facts["coefficients"])
    correlations = [(one, [number(facts["correlations"][one][other], 2) for other in names]) for one in names]
    return rendering.render(
        TEMPLATE,
        facts=facts,
        headline=sentence(facts),
        rows=rows,
        names=names,
        correlations=correlations,
        picture=base64.b64encode(picture.read_bytes()).decode(),
        record=html.escape(json.dumps(facts, indent=2, ensure_ascii=False), quote=False),
    )


def write(found: xr.Dataset, path: str | Path, settings: Mapping[str, Any]) -> None:
    """Write ``fit.json``, ``fit.png``, ``fit.zarr`` and ``index.html`` into a folder, all or none.

    Parameters
    ----------
    found
        Result of :func:`safe_pit_cm.fit` for an equation other than that of diffusion.
    path
        The folder; what it holds is replaced once everything is written.
    settings
        What else is to be known of the run, fit for JSON.
    """
    facts = {**plain(found.attrs), **plain(settings)}
    code = provenance.package_digest()
    facts |= provenance.record(code, {key: value for key, value in facts.items() if key in settings})
    with files.replacing(path) as partial:
        partial.mkdir()
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / "fit.json").write_text(text + "\n", encoding="utf-8")
        stores.write(found.assign_attrs(facts), partial / "fit.zarr", "equation")
        draw(found, partial / "fit.png")
        (partial / "index.html").write_text(render(facts, partial / "fit.png"), encoding="utf-8")
