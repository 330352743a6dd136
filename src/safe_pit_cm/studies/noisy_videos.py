"""Test videos with noise, their maximum-likelihood fit, and the Cramér–Rao bound."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference import fit
from safe_pit_cm.inference.cramer_rao import cramer_rao_bound
from safe_pit_cm.simulation.videos import first_frame, spacing


@dataclass(frozen=True)
class Estimate:
    """Estimate of a method from a noisy video.

    Attributes
    ----------
    alpha
        α, signed, length²/time; NaN if there is no estimate.
    stderr
        Its standard error; NaN if the method has none.
    interval
        95 % interval of |α|; NaN likewise.
    """

    alpha: float = float("nan")
    stderr: float = float("nan")
    interval: tuple[float, float] = (float("nan"), float("nan"))

    def compared_with(self, video: xr.Dataset) -> dict[str, float]:
        """``true``, ``recovered``, ``stderr`` and ``covered``: 1 if the interval contains the true value, else 0."""
        low, high = self.interval
        return {
            "true": float(video.attrs["transport_coefficient"]),
            "recovered": self.alpha,
            "stderr": self.stderr,
            "covered": float(low <= video.attrs["diffusivity"] <= high) if low <= high else float("nan"),
        }


def with_noise(video: xr.Dataset, noise: float, seed: int) -> xr.Dataset:
    """Add white Gaussian noise to the frames of a video.

    The draws depend on the seed, the parent, the process and the noise level alone.

    Parameters
    ----------
    video
        As the workflow writes it.
    noise
        Standard deviation σ, field units.
    seed
        Of the configuration.

    Returns
    -------
    xr.Dataset
        The video, its field in float64.
    """
    frames = video["field"].to_numpy().astype(np.float64)
    # Two levels that agree to the ninth decimal are the same.
    level = round(1e9 * noise) * len(PROCESSES) + PROCESSES.index(video.attrs["process"])
    random = randomness.generator(seed, int(video.attrs["parent"]), "noise", level)
    return video.assign(field=video["field"].copy(data=frames + noise * random.standard_normal(frames.shape)))


def discretisation(video: xr.Dataset) -> Discretisation:
    """Forward Euler with the time step that generated the video."""
    return Discretisation("euler", float(video.attrs["time_step"]))


def bound(video: xr.Dataset, noise: float) -> float:
    """Cramér–Rao bound on the standard deviation of α of a clean periodic video with noise σ, length²/time."""
    return cramer_rao_bound(
        first_frame(video),
        video["time"].to_numpy(),
        float(video.attrs["diffusivity"]),
        noise,
        spacing(video),
        "periodic",
        discretisation(video),
    )


def maximum_likelihood(frames: xr.DataArray, video: xr.Dataset, boundary: Boundary) -> Estimate:
    """Fit the frames of a video, or a crop of them, by maximum likelihood.

    Raises
    ------
    UserError
        If they do not determine α.
    """
    found = fit.fit(
        frames,
        process=video.attrs["process"],
        boundary=boundary,
        discretisation="euler",
        substep=float(video.attrs["time_step"]),
        dx=float(video.attrs["grid_spacing"]),
        examine=False,
    ).attrs
    if found["ci95"] is None:
        raise UserError(found["verdict"])
    return Estimate(found["alpha"], found["stderr"], tuple(found["ci95"]))


def attempt(find: Callable[[], Estimate]) -> Estimate:
    """Estimate of a method, or an empty one if the method raises `UserError`."""
    try:
        return find()
    except UserError:
        return Estimate()
