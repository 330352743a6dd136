"""What a fit of an equation found, as a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from safe_pit_cm.evolution.checks import SIGNIFICANCE, EquationCheck
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.report import shown_frames, units_of
from safe_pit_cm.models.model import Model
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.rounding import number


@dataclass(frozen=True)
class EquationOutcome:
    """What a fit of an equation found.

    Attributes
    ----------
    names, theta, covariance, intervals
        Of the coefficients, gain and offset after them.
    noise
        σ of a pixel.
    residual_power, degrees_of_freedom
        Sum of squared residuals, and of how many.
    check
        Of the residuals.
    predicted
        Frames ``(time, field, y, x)``.
    bias
        What the time step may still do to each, in standard errors.
    effort
        How it was found.
    profiled
        Whether the intervals come from the profile likelihood.
    """

    names: Sequence[str]
    theta: Array
    covariance: Array
    intervals: list[tuple[float, float]]
    noise: float
    residual_power: float
    degrees_of_freedom: int
    check: EquationCheck
    predicted: Array
    bias: Array
    effort: str
    profiled: bool = True

    @property
    def stderr(self) -> Array:
        """Standard errors."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def criterion(self) -> float:
        """Akaike's criterion up to a constant of the video; the first frame counts among the parameters."""
        count = self.predicted.size
        return count * float(np.log(self.residual_power / count)) + 2.0 * (count - self.degrees_of_freedom)

    @property
    def log_likelihood(self) -> float:
        """Largest log-likelihood, up to a constant of the video."""
        return -0.5 * self.degrees_of_freedom * float(np.log(self.residual_power / self.degrees_of_freedom))


def _coefficients(outcome: EquationOutcome, model: Model, units: dict[str, str]) -> dict[str, Any]:
    found = {}
    for name, value, error, ends in zip(outcome.names, outcome.theta, outcome.stderr, outcome.intervals, strict=True):
        known = name in model.names
        unit = model.unit(name, units["length"], units["time"], units["field"]) if known else units["field"]
        found[name] = {
            "value": float(value),
            "stderr": float(error),
            "ci95": [float(end) for end in ends],
            "unit": unit,
        }
    return found


def verdict(outcome: EquationOutcome, model: Model) -> str:
    """Whether the equation fits, in one or two sentences."""
    p_value = outcome.check.goodness_of_fit
    if p_value >= SIGNIFICANCE:
        return f"{model.name} fits: what it leaves cannot be told from noise (p = {number(p_value, 1)})."
    ratio = outcome.check.ratio
    worst = int(np.nanargmax(ratio))
    p_text, wavelength = number(p_value, 1), number(2 * np.pi / outcome.check.wavenumber[worst], 3)
    return (
        f"{model.name} does not fit: the residuals hold slow changes that noise does not (p = {p_text}), most at "
        f"wavelengths around {wavelength}; do not use its coefficients."
    )


def dataset(
    video: xr.DataArray, films: list[Film], model: Model, outcome: EquationOutcome, boundary: str, discretisation: str
) -> xr.Dataset:
    """Fit of an equation as a dataset.

    Returns
    -------
    xr.Dataset
        Attributes, all fit for JSON: ``model``, ``equation``, ``fields``, ``coefficients`` (by name ``value``,
        ``stderr``, ``ci95`` and ``unit``), ``correlations`` (by two names), ``fixed``, ``noise`` σ,
        ``goodness_of_fit``, ``fits``, ``verdict``, ``log_likelihood`` and Akaike's criterion ``aic`` (up to constants
        of the video), ``time_step_bias`` (in standard errors, the largest), ``intervals`` (``profile likelihood`` or
        ``standard error``), ``effort``, ``boundary``, ``discretisation``, ``shape``, ``frames``, ``dx`` (Δy, Δx),
        ``dt`` (mean), ``units`` and ``notes``.

        Variables: ``observed``, ``predicted`` and ``residual`` ``(frame, field, y, x)`` at the first, middle and last
        ``frame_time(frame)``; ``residual_ratio(wavenumber)``, slow residual power over that of noise, and ``p_value``.
    """
    film = films[0]
    units = units_of(video)
    shown = shown_frames(len(film.times))
    observed = np.stack([each.frames[shown].astype(np.float64) for each in films], axis=1)
    for index, each in enumerate(films):
        if each.missing is not None:
            observed[:, index] = np.where(each.missing[shown], np.nan, observed[:, index])
    predicted = outcome.predicted[shown]
    scale = np.where(outcome.stderr > 0, outcome.stderr, 1.0)
    correlation = outcome.covariance / np.outer(scale, scale)
    picture = ("frame", "field", "y", "x")
    check = outcome.check
    return xr.Dataset(
        {
            "observed": (picture, observed, {"long_name": "observed", "units": units["field"]}),
            "predicted": (picture, predicted, {"long_name": "predicted", "units": units["field"]}),
            "residual": (
                picture,
                observed - predicted,
                {"long_name": "observed less predicted", "units": units["field"]},
            ),
            "residual_ratio": ("wavenumber", check.ratio, {"long_name": "slow residuals over noise", "units": "1"}),
            "p_value": ("wavenumber", check.p_values, {"long_name": "p-value of the band", "units": "1"}),
        },
        coords={
            "frame_time": ("frame", film.times[shown], {"long_name": "time", "units": units["time"]}),
            "wavenumber": ("wavenumber", check.wavenumber, {"long_name": "wavenumber", "units": "1/length"}),
        },
        attrs={
            "model": model.name,
            "equation": model.source,
            "fields": list(model.fields),
            "coefficients": _coefficients(outcome, model, units),
            "correlations": {
                one: {other: float(correlation[i, j]) for j, other in enumerate(outcome.names)}
                for i, one in enumerate(outcome.names)
            },
            "fixed": dict(model.fixed),
            "noise": outcome.noise,
            "log_likelihood": outcome.log_likelihood,
            "aic": outcome.criterion,
            "goodness_of_fit": check.goodness_of_fit,
            "fits": check.goodness_of_fit >= SIGNIFICANCE,
            "significance": SIGNIFICANCE,
            "verdict": verdict(outcome, model),
            "time_step_bias": float(np.max(outcome.bias, initial=0.0)),
            "intervals": "profile likelihood" if outcome.profiled else "standard error",
            "effort": outcome.effort,
            "method": "ml",
            "boundary": boundary,
            "discretisation": discretisation,
            "shape": list(film.shape),
            "frames": len(film.times),
            "dx": list(film.spacing),
            "dt": float(np.diff(film.times).mean()),
            "units": units,
            "notes": " ".join(film.notes),
        },
    )
