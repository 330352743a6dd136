"""Crops of noisy test videos, fitted without knowledge of the surrounding field (supplement)."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.inference.cramer_rao import open_bound
from safe_pit_cm.simulation.videos import first_frame, spacing
from safe_pit_cm.studies.noisy_videos import (
    attempt,
    bound,
    discretisation,
    maximum_likelihood,
    with_noise,
)

MessageProgress = Callable[[str], None]


def evolution(video: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clean field of a periodic diffusion video and its derivative by D, each ``(time, y, x)``."""
    start, diffusivity = first_frame(video), float(video.attrs["diffusivity"])
    euler = discretisation(video)
    symbol = symbols((start.shape[0], start.shape[1]), spacing(video), "periodic", euler)
    times = video["time"].to_numpy()[:, None, None]
    modes = to_modes(start, "periodic") * np.exp(-euler.rate(diffusivity, symbol) * times)
    slopes = -times * euler.rate_slope(diffusivity, symbol) * modes
    return np.asarray(to_field(modes, "periodic")), np.asarray(to_field(slopes, "periodic"))


def scan(
    videos: Iterable[xr.Dataset], settings: Mapping[str, Any], progress: MessageProgress = lambda message: None
) -> pd.DataFrame:
    """Fit crops of noisy diffusion videos without knowledge of the surrounding field.

    A mobility video is analysed in reverse, so it would give the same result.

    Parameters
    ----------
    videos
        Clean diffusion videos.
    settings
        ``seed``; ``noise``, σ; ``widths`` of the crops, pixels, each in the middle of the video. Those wider than the
        video are ignored.
    progress
        Called with a line about every estimate.

    Returns
    -------
    pd.DataFrame
        A row per video and crop: ``parent``, ``width``, ``boundary`` (``open``; of the whole video, last,
        ``periodic``), ``noise``, the columns of :meth:`Estimate.compared_with`, and the Cramér–Rao ``bound``.
    """
    noise, seed, rows = settings["noise"], settings["seed"], []
    for video in videos:
        noisy = with_noise(video, noise, seed)["field"]
        fields, slopes = evolution(video)
        size = video.sizes["x"]
        crops: list[tuple[int, Boundary]] = [
            *((width, "open") for width in settings["widths"] if width <= size),
            (size, "periodic"),
        ]
        for width, boundary in crops:
            inside = slice((size - width) // 2, (size + width) // 2)
            crop = noisy.isel(y=inside, x=inside)
            found = attempt(partial(maximum_likelihood, crop, video, boundary))
            if boundary == "open":
                lowest = open_bound(
                    fields[:, inside, inside],
                    slopes[:, inside, inside],
                    video["time"].to_numpy(),
                    float(video.attrs["diffusivity"]),
                    noise,
                    spacing(video),
                    discretisation(video),
                )
            else:
                lowest = bound(video, noise)
            parent = video.attrs["parent"]
            progress(f"parent {parent}, {width} pixels, {boundary}: α = {found.alpha:.6f} ± {found.stderr:.6f}")
            rows.append(
                {
                    "parent": parent,
                    "width": width,
                    "boundary": boundary,
                    "noise": noise,
                    **found.compared_with(video),
                    "bound": lowest,
                }
            )
    return pd.DataFrame(rows)
