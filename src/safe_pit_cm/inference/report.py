"""What a fit found, whether the model fits, and both as a dataset."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.equations.processes import PROCESS_SIGN, Process
from safe_pit_cm.inference import residuals
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.numerics.arrays import Array


@dataclass(frozen=True)
class Outcome:
    """What a method found; None where it gives none."""

    diffusivity: float
    stderr: float | None
    interval: tuple[float, float] | None
    noise: float
    bound: float | None
    check: residuals.ResidualCheck
    profile: tuple[Array, Array]
    frames: NDArray[np.intp]
    predicted: Array
    bleaching_rate: float | None = None
    notes: str = ""


def shown_frames(count: int) -> NDArray[np.intp]:
    """Indices of the frames that a result shows: the first, the middle and the last."""
    return np.array([0, count // 2, count - 1])


def verdict(outcome: Outcome, process: Process) -> str:
    """Whether the model fits, in one sentence."""
    check = outcome.check
    if not check.fits:
        worst = int(np.nanargmax(np.where(np.isfinite(check.p_values), check.power, np.nan)))
        distrust = "" if outcome.stderr is None else ", and do not trust the error bar"
        wavelength = 2 * np.pi / check.wavenumber[worst]
        return (
            f"{process.capitalize()} with one coefficient does not fit: at wavelengths around {wavelength:.3g} the "
            f"residuals hold {check.power[worst] / check.noise_power:.3g} times the power of the noise "
            f"(p = {check.goodness_of_fit:.1g}); look for flow, reactions, bleaching, a coefficient that varies in "
            f"space, another boundary or discretisation{distrust}."
        )
    if outcome.interval is not None and outcome.interval[0] <= 0:
        return f"The video is consistent with no {process} at all: the interval of the coefficient reaches 0."
    return f"{process.capitalize()} with one coefficient fits: what it leaves cannot be told from noise."


def dataset(video: xr.DataArray, film: Film, outcome: Outcome, settings: dict[str, Any]) -> xr.Dataset:
    """All of a fit, as :func:`~safe_pit_cm.inference.fit.fit` returns it."""
    process: Process = settings["process"]
    check = outcome.check
    index = outcome.frames
    if process == "mobility":
        index = index[::-1]
    observed = film.frames[index].astype(np.float64)
    if film.missing is not None:
        observed = np.where(film.missing[index], np.nan, observed)
    predicted = outcome.predicted[::-1] if process == "mobility" else outcome.predicted
    times = film.times[index]
    if process == "mobility":
        times = film.times[-1] - times
    units = {
        "time": str(video["time"].attrs.get("units", "1")) if "time" in video.coords else "1",
        "length": str(video["x"].attrs.get("units", "1")) if "x" in video.coords else "1",
        "field": str(video.attrs.get("units", "1")),
    }
    coefficient = "1" if units["length"] == units["time"] == "1" else f"{units['length']}^2/{units['time']}"
    grid, profile = outcome.profile
    return xr.Dataset(
        {
            "log_likelihood": ("diffusivity", profile, {"long_name": "profile log-likelihood", "units": "1"}),
            "residual_power": ("wavenumber", check.power, {"long_name": "residual power", "units": "field²"}),
            "p_value": ("wavenumber", check.p_values, {"long_name": "p-value of the band", "units": "1"}),
            "noise_power": ((), check.noise_power, {"long_name": "power of the noise σ²", "units": "field²"}),
            "observed": (("frame", "y", "x"), observed, {"long_name": "observed", "units": units["field"]}),
            "predicted": (("frame", "y", "x"), predicted, {"long_name": "predicted", "units": units["field"]}),
            "residual": (
                ("frame", "y", "x"),
                observed - predicted,
                {"long_name": "observed less predicted", "units": units["field"]},
            ),
        },
        coords={
            "diffusivity": ("diffusivity", grid, {"long_name": "diffusion coefficient D", "units": coefficient}),
            "wavenumber": ("wavenumber", check.wavenumber, {"long_name": "wavenumber", "units": "1/length"}),
            "frame_time": ("frame", times, {"long_name": "time", "units": units["time"]}),
        },
        attrs={
            "alpha": PROCESS_SIGN[process] * outcome.diffusivity,
            "diffusivity": outcome.diffusivity,
            "stderr": outcome.stderr,
            "ci95": None if outcome.interval is None else list(outcome.interval),
            "noise": outcome.noise,
            "cramer_rao": outcome.bound,
            "goodness_of_fit": check.goodness_of_fit,
            "fits": check.fits,
            "significance": residuals.SIGNIFICANCE,
            "verdict": verdict(outcome, process),
            "bleaching_rate": outcome.bleaching_rate,
            **settings,
            "units": {**units, "diffusivity": coefficient},
            "notes": outcome.notes,
        },
    )
