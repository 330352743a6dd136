"""What a fit found, how far it is to be trusted, and both as a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.special
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.equations.processes import PROCESS_SIGN, Process
from safe_pit_cm.inference import residuals
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.effects import Effect
from safe_pit_cm.inference.intervals import CONFIDENCE
from safe_pit_cm.inference.splits import Part
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.rounding import interval, number, plus_minus

Grade = Literal["noise", "approximate", "refused", "undetermined"]

# A model that leaves more of the contrast than this, or a D less stable than this, is refused.
_LARGEST_MISFIT, _LARGEST_ERROR = 0.1, 0.25
# An effect that has moved D by less does not count against a model that fits to the noise.
_LEAST_MOVE = 0.02
_INTERVAL = float(scipy.special.ndtri(0.5 + CONFIDENCE / 2))


@dataclass(frozen=True)
class Courses:
    """What a result shows against time.

    Attributes
    ----------
    times, counts
        Of the groups of frames: mean time, and number of frames.
    contrast, fitted_contrast
        Standard deviation of a frame about its mean, observed and fitted.
    residual_power
        Residual power of each group over that of the noise.
    """

    times: Array
    counts: Array
    contrast: Array
    fitted_contrast: Array
    residual_power: Array


@dataclass(frozen=True)
class Alternative:
    """D with fewer nuisances.

    Attributes
    ----------
    nuisances
        Those that were estimated.
    diffusivity, stderr
        D and its standard error; None where the film does not determine it.
    low, high
        One-sided 95 % bounds of D, then.
    """

    nuisances: frozenset[str]
    diffusivity: float | None
    stderr: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Outcome:
    """What a method found; None where it gives none.

    Attributes
    ----------
    diffusivity, stderr, interval
        D, its standard error and its 95 % interval, both statistical; None where the film does not determine D.
    low, high
        One-sided 95 % bounds of D, where it is not determined.
    noise, bound
        σ of a pixel, and the Cramér–Rao bound on the standard deviation of D.
    check
        Of the residuals.
    profile
        D and the calibrated logarithm of the likelihood, relative to its maximum.
    frames, observed, predicted
        Indices of the frames shown, and the frames, binned by ``binning`` pixels.
    binning
        Pixels along a side of a bin.
    misfit
        Structure in the residuals over the contrast.
    systematic
        Systematic standard deviation of D by its source.
    parts, effects
        D of parts of the film, and what else the film may hold.
    nuisances
        Value of everything that was estimated along.
    worst
        Where the model fits worst: time, row and column; None where it was not looked for.
    alternative
        What the film tells without a background and bleaching, where it does not determine D with them.
    courses
        What is shown against time.
    notes
        Remarks for the reader.
    """

    diffusivity: float | None
    stderr: float | None
    interval: tuple[float, float] | None
    noise: float | None
    bound: float | None
    check: residuals.ResidualCheck | None
    profile: tuple[Array, Array]
    frames: NDArray[np.intp]
    observed: Array
    predicted: Array
    binning: int = 1
    low: float | None = None
    high: float | None = None
    misfit: float | None = None
    systematic: dict[str, float] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    nuisances: dict[str, Any] = field(default_factory=dict)
    worst: tuple[float, int, int] | None = None
    alternative: Alternative | None = None
    courses: Courses | None = None
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> list[Effect]:
        """Effects that the residuals tell from noise, the one that moved D most first."""
        told = [effect for effect in self.effects if effect.told]
        return sorted(told, key=lambda effect: -abs(effect.moved))

    @property
    def examined(self) -> bool:
        """Whether the systematic error was looked for."""
        return bool(self.parts or self.effects)

    @property
    def systematic_error(self) -> float | None:
        """Standard deviation of D beyond the statistical one: splits and the strongest effect, in quadrature."""
        if self.diffusivity is None or not self.examined:
            return None
        squares = sum(value**2 for value in self.systematic.values())
        if self.told:
            squares += (self.told[0].moved * self.diffusivity) ** 2
        return float(np.sqrt(squares))

    @property
    def total_error(self) -> float | None:
        """Statistical and systematic standard deviation in quadrature."""
        if self.stderr is None or self.systematic_error is None:
            return self.stderr
        return float(np.hypot(self.stderr, self.systematic_error))

    @property
    def total_interval(self) -> tuple[float, float] | None:
        """95 % interval widened by the systematic error."""
        if self.interval is None or self.diffusivity is None or self.systematic_error is None:
            return self.interval
        low, high = (
            self.diffusivity + sign * float(np.hypot(end - self.diffusivity, _INTERVAL * self.systematic_error))
            for sign, end in zip((-1, 1), self.interval, strict=True)
        )
        return max(low, 0.0), high

    @property
    def grade(self) -> Grade:
        """How far the model can be trusted."""
        if self.diffusivity is None or self.check is None:
            return "undetermined"
        if not self.examined or self.misfit is None or self.diffusivity == 0:
            return "noise" if self.check.fits else "refused"
        systematic, total = (error or 0.0 for error in (self.systematic_error, self.total_error))
        if total > 2 * _LARGEST_ERROR * self.diffusivity:
            return "refused"
        if self.check.fits and (not self.told or abs(self.told[0].moved) < _LEAST_MOVE):
            return "noise"
        stable = self.misfit <= _LARGEST_MISFIT and systematic <= _LARGEST_ERROR * self.diffusivity
        return "approximate" if stable else "refused"


def shown_frames(count: int) -> NDArray[np.intp]:
    """Indices of the frames that a result shows: the first, the middle and the last."""
    return np.array([0, count // 2, count - 1])


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)} %" if share >= 1e-4 else "less than 0.01 %"


def _unit(text: str) -> str:
    return "" if text == "1" else f" {text.replace('^2', '²')}"


def _cause(outcome: Outcome) -> str:
    """What the film holds beside diffusion."""
    moved = (
        " Its picture moves as a whole, as by a drift of the stage or a flow, and was moved back."
        if "drift" in outcome.nuisances
        else ""
    )
    if not outcome.told:
        return moved
    effect = outcome.told[0]
    amount = plus_minus(effect.value, effect.stderr, effect.unit)
    shift = f"{number(100 * effect.moved, 2)} %"
    return f"{moved} The residuals look like {effect.name} ({amount}), which would move D by {shift}."


def _without(alternative: Alternative, name: str, measure: str) -> str:
    """What the film tells if nothing is immobile and nothing bleaches."""
    option = ",".join(sorted(alternative.nuisances)) or "none"
    start = f" If nothing in it is immobile and nothing bleaches (--nuisances {option}), {name} is"
    if alternative.diffusivity is not None:
        return f"{start} {plus_minus(alternative.diffusivity, alternative.stderr)}{measure}."
    low, high = alternative.low, alternative.high
    if low is not None and high is not None:
        return f"{start} between {interval(low, high)}{measure} (95 %).".replace(" to ", " and ")
    if high is not None:
        return f"{start} below {number(high, 2)}{measure} (95 %)."
    return f"{start} above {number(low, 2)}{measure} (95 %)." if low is not None else ""


def _undetermined(outcome: Outcome, process: Process, unit: str) -> str:
    name, measure = ("D" if process == "diffusion" else "M"), _unit(unit)
    start = f"The film does not determine {name}"
    low, high = outcome.low, outcome.high
    further = "" if outcome.alternative is None else _without(outcome.alternative, name, measure)
    if high is not None and low is None:
        return (
            f"{start}: it shows no more change than noise explains, and {name} is below {number(high, 2)}{measure} "
            f"(95 %). A longer film or less noise would tell it.{further}"
        )
    if low is not None and high is None:
        return (
            f"{start}: the field spreads within the first frames, and {name} is above {number(low, 2)}{measure} "
            f"(95 %). A larger region or shorter frame intervals would tell it.{further}"
        )
    if low is not None and high is not None:
        return (
            f"{start} to better than {number(low, 2)} to {number(high, 2)}{measure} (95 %). More frames, less noise or "
            f"fewer nuisances would tell it.{further}"
        )
    if further:
        return f"{start}: a picture that does not change explains it as well.{further}"
    return f"{start}: noise alone explains it. Give a region with more contrast, or more frames."


def verdict(outcome: Outcome, process: Process, units: Mapping[str, str]) -> str:
    """How far the model fits, in one to three sentences."""
    name = process.capitalize()
    grade = outcome.grade
    if grade == "undetermined" or outcome.check is None or outcome.diffusivity is None:
        return _undetermined(outcome, process, units["diffusivity"])
    if outcome.interval is not None and outcome.interval[0] <= 0:
        return f"The video is consistent with no {process} at all: the interval of the coefficient reaches 0."
    symbol = "D" if process == "diffusion" else "M"
    stability = (outcome.systematic_error or 0.0) / outcome.diffusivity
    if grade == "noise":
        text = f"{name} with one coefficient fits: what it leaves cannot be told from noise."
        if outcome.parts and stability >= 1e-3:
            text += f" {symbol} is stable to {_percent(stability)} over parts of the film and other treatments."
        return text + (_cause(outcome) if "drift" in outcome.nuisances else "")
    check = outcome.check
    worst = int(np.argmax(np.where(np.isfinite(check.p_values), check.power, -np.inf)))
    where = f"wavelengths around {number(2 * np.pi / check.wavenumber[worst], 3)}{_unit(units['length'])}"
    if outcome.worst is not None:
        time, row, column = outcome.worst
        where += f", at t = {number(time)}{_unit(units['time'])} and about row {row}, column {column}"
    probability = f"p = {number(check.goodness_of_fit, 1)}"
    share = _percent(outcome.misfit or 0.0)
    if grade == "approximate":
        return (
            f"{name} with one coefficient fits to {share} of the contrast, with {symbol} stable to "
            f"{_percent(stability)} over parts of the film and other treatments; beyond that the residuals hold "
            f"structure ({probability}), most at {where}.{_cause(outcome)}"
        )
    if check.fits:
        return (
            f"{name} with one coefficient fits to the noise, but {symbol} varies by {_percent(stability)} over "
            f"parts of the film and other treatments; do not use {symbol}.{_cause(outcome)}"
        )
    found = f"{share} of the contrast" if outcome.misfit is not None else "more than noise"
    ratio = number(check.power[worst] / check.noise_power, 3)
    varies = f", and {symbol} varies by {_percent(stability)} over parts of the film" if outcome.parts else ""
    return (
        f"{name} with one coefficient does not fit: the residuals hold {found}, most at {where} ({ratio} times the "
        f"power of the noise, {probability}){varies}. Look for flow, reactions, a coefficient that varies in space, "
        f"another boundary or discretisation; do not use {symbol}.{_cause(outcome)}"
    )


def units_of(video: xr.DataArray) -> dict[str, str]:
    """Units of time, length, field and diffusivity of a video; ``1`` where it has none."""
    units = {
        "time": str(video["time"].attrs.get("units", "1")) if "time" in video.coords else "1",
        "length": str(video["x"].attrs.get("units", "1")) if "x" in video.coords else "1",
        "field": str(video.attrs.get("units", "1")),
    }
    pure = units["length"] == units["time"] == "1"
    return {**units, "diffusivity": "1" if pure else f"{units['length']}^2/{units['time']}"}


def _side(outcome: Outcome) -> dict[str, Any] | None:
    """The one-sided bound; where a background takes it away, the one without."""
    if outcome.diffusivity is not None:
        return None
    low, high = outcome.low, outcome.high
    if low is None and high is None and outcome.alternative is not None and outcome.alternative.diffusivity is None:
        low, high = outcome.alternative.low, outcome.alternative.high
    if (high is None) == (low is None):
        return None
    return {"kind": "lower", "value": low} if high is None else {"kind": "upper", "value": high}


def _alternative(alternative: Alternative | None) -> dict[str, Any] | None:
    if alternative is None:
        return None
    return {
        "nuisances": sorted(alternative.nuisances),
        "diffusivity": alternative.diffusivity,
        "stderr": alternative.stderr,
        "bounds": [alternative.low, alternative.high],
    }


def dataset(video: xr.DataArray, film: Film, outcome: Outcome, settings: dict[str, Any]) -> xr.Dataset:
    """All of a fit, as :func:`~safe_pit_cm.inference.fit.fit` returns it."""
    process: Process = settings["process"]
    check = outcome.check
    index, observed, predicted = outcome.frames, outcome.observed, outcome.predicted
    times = film.times[index]
    if process == "mobility":
        observed, predicted, times = observed[::-1], predicted[::-1], (film.times[-1] - times)[::-1]
    units = units_of(video)
    grid, profile = outcome.profile
    picture = ("frame", "y", "x")
    data: dict[str, Any] = {
        "log_likelihood": ("diffusivity", profile, {"long_name": "profile log-likelihood", "units": "1"}),
        "observed": (picture, observed, {"long_name": "observed", "units": units["field"]}),
        "predicted": (picture, predicted, {"long_name": "predicted", "units": units["field"]}),
        "residual": (picture, observed - predicted, {"long_name": "observed less predicted", "units": units["field"]}),
    }
    coords: dict[str, Any] = {
        "diffusivity": ("diffusivity", grid, {"long_name": "diffusion coefficient D", "units": units["diffusivity"]}),
        "frame_time": ("frame", times, {"long_name": "time", "units": units["time"]}),
    }
    if check is not None:
        data["residual_power"] = ("wavenumber", check.power, {"long_name": "residual power", "units": "field²"})
        data["p_value"] = ("wavenumber", check.p_values, {"long_name": "p-value of the band", "units": "1"})
        data["noise_power"] = ((), check.noise_power, {"long_name": "power of the noise σ²", "units": "field²"})
        coords["wavenumber"] = ("wavenumber", check.wavenumber, {"long_name": "wavenumber", "units": "1/length"})
    courses = outcome.courses
    if courses is not None:
        when = courses.times if process == "diffusion" else film.times[-1] - courses.times
        for key, values, name, unit in (
            ("frames_averaged", courses.counts, "number of frames averaged", "1"),
            ("contrast", courses.contrast, "standard deviation of a frame", units["field"]),
            ("fitted_contrast", courses.fitted_contrast, "standard deviation of a fitted frame", units["field"]),
            ("frame_residual", courses.residual_power, "residual power over that of the noise", "1"),
        ):
            data[key] = ("group_time", values, {"long_name": name, "units": unit})
        coords["group_time"] = ("group_time", when, {"long_name": "time", "units": units["time"]})
    known = outcome.diffusivity is not None
    return xr.Dataset(
        data,
        coords=coords,
        attrs={
            "alpha": PROCESS_SIGN[process] * outcome.diffusivity if outcome.diffusivity is not None else None,
            "diffusivity": outcome.diffusivity,
            "stderr": outcome.stderr,
            "ci95": None if outcome.interval is None else list(outcome.interval),
            "systematic": outcome.systematic_error,
            "total_stderr": outcome.total_error,
            "total_ci95": None if outcome.total_interval is None else list(outcome.total_interval),
            "bound": _side(outcome),
            "bounds": [outcome.low, outcome.high],
            "alternative": _alternative(outcome.alternative),
            "noise": outcome.noise,
            "cramer_rao": outcome.bound,
            "goodness_of_fit": None if check is None else check.goodness_of_fit,
            "misfit": outcome.misfit,
            "grade": outcome.grade,
            "fits": outcome.grade == "noise",
            "significance": residuals.SIGNIFICANCE,
            "verdict": verdict(outcome, process, units),
            "nuisances": outcome.nuisances,
            "systematic_sources": outcome.systematic if known else {},
            "parts": [
                {
                    "kind": part.kind,
                    "part": part.name,
                    "diffusivity": part.diffusivity,
                    "stderr": part.stderr,
                    "counted": part.counted,
                }
                for part in outcome.parts
            ],
            "effects": [
                {
                    "effect": effect.name,
                    "value": effect.value,
                    "stderr": effect.stderr,
                    "unit": effect.unit,
                    "amount": effect.amount,
                    "relative_shift": effect.shift,
                }
                for effect in outcome.effects
            ],
            "binning": outcome.binning,
            **settings,
            "units": units,
            "notes": " ".join(outcome.notes),
        },
    )
