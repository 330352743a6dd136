"""Figures 4 and 5: observed, predicted and decoded frames of one test video."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from safe_pit_cm.data import stores
from safe_pit_cm.plot_style import figure_style, save

_TIMES = 4


def choose(paths: Iterable[str | Path]) -> Path:
    """Fit whose video has the median |α|, the lower of two: a rule that is independent of the result."""
    magnitudes = {Path(path): abs(float(stores.read(path, "fit").attrs["transport_coefficient"])) for path in paths}
    ordered = sorted(magnitudes, key=lambda path: (magnitudes[path], str(path)))
    return ordered[(len(ordered) - 1) // 2]


def draw(fit: xr.Dataset, video: xr.Dataset) -> Figure:
    """Draw frames at evenly spaced times.

    Parameters
    ----------
    fit
        Trained inference: ``predicted`` and ``decoded`` ``(time, y, x)``, by the time of the predicted frame.
    video
        The observed video.
    """
    times = fit["time"].to_numpy()[np.linspace(0, fit.sizes["time"] - 1, _TIMES).round().astype(int)]
    observed = video["field"].sel(time=times)
    predicted, decoded = fit["predicted"].sel(time=times), fit["decoded"].sel(time=times)
    error = predicted - observed
    rows = (
        ("observed φ", observed),
        ("predicted from\nthe frame before", predicted),
        ("encoded and\ndecoded", decoded),
    )
    low, high = float(observed.min()), float(observed.max())
    limit = float(np.abs(error).max()) or 1.0
    extent = (0.0, float(video["x"][-1]), 0.0, float(video["y"][-1]))
    with figure_style():
        figure, axes = plt.subplots(4, len(times), sharex=True, sharey=True, figsize=(1.9 * len(times) + 1.2, 7.6))
        for label, fields, row in (
            *((label, fields, row) for (label, fields), row in zip(rows, axes[:3], strict=True)),
        ):
            for axis, field in zip(row, fields, strict=True):
                image = axis.imshow(field, origin="lower", extent=extent, vmin=low, vmax=high, cmap="viridis")
            row[0].set_ylabel(f"{label}\ny (length)")
        figure.colorbar(image, ax=axes[:3], label="φ", shrink=0.5)
        for axis, field in zip(axes[3], error, strict=True):
            image = axis.imshow(field, origin="lower", extent=extent, vmin=-limit, vmax=limit, cmap="RdBu_r")
            axis.set_xlabel("x (length)")
        axes[3, 0].set_ylabel("predicted − observed\ny (length)")
        figure.colorbar(image, ax=axes[3], label="error of φ")
        for axis, time in zip(axes[0], times, strict=True):
            axis.set_title(f"t = {time:g}")
        for axis in axes.flat:
            axis.grid(visible=False)
        figure.suptitle(
            f"{fit.attrs['process']}, parent {fit.attrs['parent']}: true α = {fit.attrs['transport_coefficient']:.4f}, "
            f"recovered {fit.attrs['alpha']:.4f}"
        )
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    chosen = choose(inputs["trained"])
    videos = {Path(path).name: path for path in inputs["videos"]}
    save(draw(stores.read(chosen, "fit"), stores.read(videos[chosen.name], "video")), **outputs)
