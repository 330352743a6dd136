"""Fit D to a measured video: checks, boundaries, nuisances, methods, and a verdict.

What intensities do to D, for a video that is gain × φ + offset:

============================  =======================================================================================
gain                          harmless: every amplitude is free
offset, also flickering       harmless: only the mean of a frame carries it, and the mean does not diffuse; with a
                              fixed boundary an offset that flickers is not a mode, and harms
constant background           harms: estimated along with ``background=True`` (always with a fixed boundary, where it
                              is the steady state between the walls)
bleaching                     harms: a decay β adds to every D λ; estimated along with ``bleaching=True``
slow illumination drift       harms like bleaching; what is exponential in it is estimated by ``bleaching=True``, the
                              rest is not: divide the frames by a reference intensity first
============================  =======================================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import scipy.ndimage
import scipy.optimize
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.equations.boundaries import BOUNDARIES, Boundary
from safe_pit_cm.equations.discretisation import Discretisation, Operator
from safe_pit_cm.equations.processes import PROCESS_SIGN, PROCESSES, Process
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference import likelihood, open_boundary, residuals
from safe_pit_cm.inference.likelihood import Array, Fit, Modes

Method = Literal["ml", "safe", "zero-shot"]
METHODS: tuple[Method, ...] = get_args(Method)
Progress = Callable[[str, float], None]

# Points of the stored profile likelihood.
_PROFILE_POINTS = 61


@dataclass(frozen=True)
class Measurement:
    """A checked video.

    Attributes
    ----------
    frames
        Shape ``(time, y, x)``, in the order in which the field smooths.
    missing
        True where a pixel is not to be used, same shape; None when all are.
    times
        Of the frames, from 0, increasing.
    spacing
        Pixel size (Δy, Δx).
    floor
        Standard deviation of the rounding of the pixels.
    """

    frames: NDArray[Any]
    missing: NDArray[np.bool_] | None
    times: Array
    spacing: tuple[float, float]
    floor: float

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels ``(y, x)`` of a frame."""
        return self.frames.shape[1], self.frames.shape[2]


def fit(
    video: xr.DataArray,
    *,
    dx: float | tuple[float, float] | None = None,
    dt: float | None = None,
    process: Process = "diffusion",
    boundary: Boundary = "open",
    operator: Operator = "continuous",
    substep: float | None = None,
    method: Method = "ml",
    mask: ArrayLike | xr.DataArray | None = None,
    background: bool = False,
    bleaching: bool = False,
    zero_shot: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Recover the diffusion coefficient D, with an error bar, from a video of ∂φ/∂t = D ∇²φ plus white noise.

    Parameters
    ----------
    video
        ``(time, y, x)``, any real dtype. NaN marks missing pixels; a frame that is all NaN is left out.
    dx
        Pixel size, length units; (Δy, Δx) where they differ; None takes it from the coordinates ``y`` and ``x``.
    dt
        Frame interval, time units; None takes the times from the coordinate ``time``, which may be uneven.
    process
        ``diffusion``, or ``mobility``: a video that sharpens, read backwards in time, where it diffuses.
    boundary
        ``open``: a crop of a larger field, no boundary condition known. ``periodic``. ``insulated``: no flux through
        the outer edges of the frame. ``fixed``: values that do not change at the outer edges of the frame.
    operator
        How the field evolves: ``continuous`` (a measurement), ``five-point`` (a simulation, exact in time) or ``euler``
        (a simulation by forward Euler with time step ``substep``).
    substep
        Time step of the simulation, time units; for ``euler``.
    method
        ``ml``: maximum likelihood. ``safe``: minimum of the SAFE loss (§2.5), which noise biases. ``zero-shot``: the
        paper's estimator network on that loss (§2.7).
    mask
        True where a pixel is to be left out, ``(y, x)`` or ``(time, y, x)``.
    background
        Whether to estimate a background that is constant in time.
    bleaching
        Whether to estimate an exponential bleaching rate.
    zero_shot
        Settings of ``zero-shot`` that differ from the paper's (:data:`~safe_pit_cm.inference.pairwise.ZERO_SHOT`).
    seed
        Seed of every random draw: the initial weights of ``zero-shot``, the probes of the open boundary's error bar.
    progress
        Called with what is being done and the share of it that is done, 0 to 1.

    Returns
    -------
    xr.Dataset
        Attributes (all fit for JSON; None where a method cannot tell):

        - ``alpha`` signed (§2.1), ``diffusivity`` = |α|, ``stderr``, ``ci95`` [low, high] by profile likelihood,
          length²/time;
        - ``noise`` σ, in units of the video; ``cramer_rao``, the bound on the standard deviation of D at the estimated
          field;
        - ``goodness_of_fit``, the p-value of :mod:`safe_pit_cm.inference.residuals`; ``fits``, whether it is at least
          ``significance``; ``verdict``, a sentence;
        - ``bleaching_rate`` (1/time, None when not estimated), and ``process``, ``boundary``, ``operator``,
          ``substep``, ``method``, ``shape``, ``frames``, ``dx`` (Δy, Δx), ``dt`` (mean), ``units``, ``seed`` and
          ``notes``.

        Variables: ``log_likelihood(diffusivity)``, relative to its maximum; ``residual_power(wavenumber)`` and
        ``noise_power``; ``observed``, ``predicted`` and ``residual`` ``(frame, y, x)`` at the first, middle and last
        ``frame_time(frame)``.

    Raises
    ------
    UserError
        If the video or an option cannot be used; the message says what to do.
    """
    report = progress or (lambda stage, share: None)
    discretisation = Discretisation(operator, substep)
    _choices(process, boundary, method)
    measurement = measure(video, dx=dx, dt=dt, process=process, mask=mask)
    options = {"background": background or boundary == "fixed", "bleaching": bleaching}
    if method == "ml":
        outcome = _maximum_likelihood(measurement, boundary, discretisation, options, seed, report)
    else:
        outcome = _pairwise(measurement, boundary, discretisation, method, options, zero_shot or {}, seed, report)
    settings = {
        "process": process,
        "boundary": boundary,
        "operator": operator,
        "substep": substep,
        "method": method,
        "shape": list(measurement.shape),
        "frames": len(measurement.times),
        "dx": list(measurement.spacing),
        "dt": float(np.diff(measurement.times).mean()),
        "seed": seed,
    }
    return _dataset(video, measurement, outcome, settings)


@dataclass(frozen=True)
class Outcome:
    """What a method found; None where it cannot tell."""

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


def _choices(process: str, boundary: str, method: str) -> None:
    for name, value, allowed in (
        ("process", process, PROCESSES),
        ("boundary", boundary, BOUNDARIES),
        ("method", method, METHODS),
    ):
        if value not in allowed:
            raise UserError(f"the {name} is {value!r}; choose one of {', '.join(allowed)}")


def measure(
    video: xr.DataArray,
    *,
    dx: float | tuple[float, float] | None = None,
    dt: float | None = None,
    process: Process = "diffusion",
    mask: ArrayLike | xr.DataArray | None = None,
) -> Measurement:
    """Check a video and put it in order; arguments and errors as in :func:`fit`."""
    if not isinstance(video, xr.DataArray) or set(video.dims) != {"time", "y", "x"}:
        dims = getattr(video, "dims", type(video).__name__)
        raise UserError(f"the video has the dimensions {dims}; give an xarray DataArray with time, y and x")
    video = video.transpose("time", "y", "x")
    frames = video.to_numpy()
    if frames.dtype.kind not in "fiub":
        raise UserError(f"the pixels are of type {frames.dtype}; give real numbers, one channel")
    if frames.dtype == np.float16 or frames.dtype.kind in "iub":
        rounding = 1 / np.sqrt(12) if frames.dtype.kind in "iub" else None
        frames = frames.astype(np.float32 if frames.dtype.itemsize <= 2 else np.float64)
    else:
        rounding = None
    spacing = _spacing(video, dx)
    times = _times(video, dt)
    missing = _missing(frames, mask)
    if missing is not None:
        present = ~missing.all((1, 2))
        frames, times, missing = frames[present], times[present], missing[present]
    if len(frames) < 3:
        raise UserError(f"the video has {len(frames)} usable frames; diffusion and noise are told apart from three on")
    if min(frames.shape[1:]) < 4:
        raise UserError(f"a frame has {frames.shape[1]} × {frames.shape[2]} pixels; give at least 4 × 4")
    if missing is not None and not missing.any():
        missing = None
    if missing is not None and missing.mean() > 0.5:
        raise UserError(f"{missing.mean():.0%} of the pixels are missing or masked; give a region with at most half")
    low, high = (float(each) for each in (np.nanmin(frames), np.nanmax(frames)))
    if missing is not None:
        seen = frames[~missing]
        low, high = float(seen.min()), float(seen.max())
    if low == high:
        raise UserError(
            f"every pixel of the video is {low:g}; there is nothing to diffuse: check the region and the file"
        )
    if rounding is None:
        rounding = float(np.finfo(frames.dtype).eps) * max(abs(low), abs(high)) / 2
    if process == "mobility":
        # Read backwards, a video that sharpens is one that diffuses: the stable reading.
        frames, times = frames[::-1], (times[-1] - times)[::-1]
        missing = None if missing is None else missing[::-1]
    return Measurement(frames, missing, times - times[0], spacing, float(rounding))


def _missing(frames: NDArray[Any], mask: ArrayLike | xr.DataArray | None) -> NDArray[np.bool_] | None:
    missing: NDArray[np.bool_] | None = None
    if frames.dtype.kind == "f":
        # A frame at a time: no copy of the video.
        finite = np.array([bool(np.isfinite(frame).all()) for frame in frames])
        if not finite.all():
            infinite = sum(int(np.isinf(frames[index]).sum()) for index in np.flatnonzero(~finite))
            if infinite:
                raise UserError(f"{infinite} pixels of the video are infinite; replace them by NaN to leave them out")
            missing = np.isnan(frames)
            if missing.all():
                raise UserError("every pixel of the video is NaN; check the file and the region")
    if mask is not None:
        chosen = np.asarray(mask)
        if chosen.dtype != np.bool_ or chosen.shape not in (frames.shape, frames.shape[1:]):
            raise UserError(
                f"the mask has the shape {chosen.shape} and type {chosen.dtype}; give booleans of shape "
                f"{frames.shape[1:]} or {frames.shape}, True where a pixel is to be left out"
            )
        whole = np.broadcast_to(chosen, frames.shape)
        missing = whole.copy() if missing is None else missing | whole
        if missing.all():
            raise UserError("the mask leaves no pixel; it is True where a pixel is to be left out")
    return missing


def _positive(value: Any, name: str, remedy: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not 0 < number < np.inf:
        raise UserError(f"{name} is {value}; {remedy}")
    return number


def _spacing(video: xr.DataArray, dx: float | tuple[float, float] | None) -> tuple[float, float]:
    remedy = "give the pixel size as a positive number (dx)"
    if dx is not None:
        pair = (dx, dx) if np.ndim(dx) == 0 else tuple(np.asarray(dx, dtype=float))
        if len(pair) != 2:
            raise UserError(f"dx has {len(pair)} values; give one, or two as (Δy, Δx)")
        return _positive(pair[0], "the pixel size Δy", remedy), _positive(pair[1], "the pixel size Δx", remedy)
    sizes = []
    for axis in ("y", "x"):
        if axis not in video.coords or video.sizes[axis] < 2:
            raise UserError(f"the video has no coordinate {axis}; {remedy}")
        steps = np.diff(video[axis].to_numpy().astype(np.float64))
        if not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
            raise UserError(f"the pixels are not evenly spaced along {axis}; interpolate the video, or give dx")
        sizes.append(_positive(abs(steps.mean()), f"the pixel size along {axis}", remedy))
    return sizes[0], sizes[1]


def _times(video: xr.DataArray, dt: float | None) -> Array:
    count = video.sizes["time"]
    if dt is not None:
        interval = _positive(dt, "the frame interval", "give it as a positive number (dt)")
        return np.asarray(np.arange(count) * interval, dtype=np.float64)
    if "time" not in video.coords:
        raise UserError("the video has no coordinate time; give the frame interval (dt)")
    times = video["time"].to_numpy()
    if times.dtype.kind in "mM":
        # Seconds.
        times = (times - times[0]) / np.timedelta64(1, "s")
    times = times.astype(np.float64)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise UserError("the frame times do not increase; sort the frames, or give the frame interval (dt)")
    return np.asarray(times - times[0])


def _shown(count: int) -> NDArray[np.intp]:
    return np.array([0, count // 2, count - 1])


def _guess_gaps(measurement: Measurement) -> NDArray[Any]:
    """The frames with a first guess in the gaps: the mean of the neighbourhood that is seen."""
    assert measurement.missing is not None
    frames = measurement.frames.astype(np.float64)
    for frame, gaps in zip(frames, measurement.missing, strict=True):
        if not gaps.any():
            continue
        values = np.where(gaps, 0.0, frame)
        guess = np.full(frame.shape, values.sum() / (~gaps).sum())
        for width in (16.0, 4.0, 1.0):
            weight = scipy.ndimage.gaussian_filter((~gaps).astype(float), width)
            near = scipy.ndimage.gaussian_filter(values, width)
            guess = np.where(weight > 0.02, near / np.maximum(weight, 1e-12), guess)
        frame[gaps] = guess[gaps]
    return frames


def _maximum_likelihood(
    measurement: Measurement,
    boundary: Boundary,
    discretisation: Discretisation,
    options: dict[str, bool],
    seed: int,
    report: Progress,
) -> Outcome:
    if boundary == "open":
        return _open(measurement, discretisation, options, seed, report)

    def reduce(frames: NDArray[Any]) -> Modes:
        return likelihood.reduce_video(
            frames,
            measurement.times,
            measurement.spacing,
            boundary,
            discretisation,
            background=options["background"],
            bleaching=options["bleaching"],
            progress=lambda share: report("reading the modes", share),
        )

    if measurement.missing is None:
        modes = reduce(measurement.frames)
        fitted = likelihood.fit_modes(modes, floor=measurement.floor)
    else:
        filled = _guess_gaps(measurement)
        modes, fitted = likelihood.fill_gaps(filled, measurement.missing, reduce, measurement.floor)
        measurement = replace(measurement, frames=filled)
    report("fitting", 1.0)
    return _outcome(measurement, modes, fitted)


def _open(
    measurement: Measurement, discretisation: Discretisation, options: dict[str, bool], seed: int, report: Progress
) -> Outcome:
    if options["bleaching"]:
        raise UserError(
            "bleaching cannot be estimated with an open boundary; divide the frames by a reference intensity, or "
            "choose a boundary that is known"
        )
    shown = _shown(len(measurement.times))
    found = open_boundary.fit_open(
        measurement.frames if measurement.missing is None else _guess_gaps(measurement),
        measurement.times,
        measurement.spacing,
        discretisation,
        shown,
        floor=measurement.floor,
        missing=measurement.missing,
        background=options["background"],
        seed=seed,
        progress=lambda share: report("fitting", share),
    )
    return Outcome(
        found.diffusivity,
        found.stderr,
        found.interval,
        found.noise,
        found.bound,
        found.check,
        found.profile,
        shown,
        found.predicted,
        notes=found.notes,
    )


def _outcome(measurement: Measurement, modes: Modes, fitted: Fit) -> Outcome:
    check = residuals.check(modes, fitted, floor=measurement.floor)
    shown = _shown(len(measurement.times))
    predicted = likelihood.predict(modes, fitted.theta, shown)
    # What no model explains and none needs to: the mean of a frame, and what is constant in time.
    rest = measurement.frames[shown] - predicted
    if modes.background:
        predicted = predicted + rest.mean(0)
    elif modes.boundary != "fixed":
        predicted = predicted + rest.mean((1, 2), keepdims=True)
    if np.isfinite(fitted.stderr):
        interval, profile = likelihood.interval(modes, fitted)
    else:
        interval, profile = None, likelihood.profile(modes, fitted, 0.1 * fitted.diffusivity)
    low, high = profile.domain
    grid = np.linspace(low, high, _PROFILE_POINTS)
    return Outcome(
        fitted.diffusivity,
        fitted.stderr,
        interval,
        fitted.noise,
        fitted.bound,
        check,
        (grid, profile(grid)),
        shown,
        predicted,
        float(fitted.theta[1]) if modes.bleaching else None,
    )


def _pairwise(
    measurement: Measurement,
    boundary: Boundary,
    discretisation: Discretisation,
    method: Method,
    options: dict[str, bool],
    settings: Mapping[str, Any],
    seed: int,
    report: Progress,
) -> Outcome:
    if boundary == "open" or (method == "zero-shot" and boundary != "periodic"):
        wanted = "periodic" if method == "zero-shot" else "periodic, insulated or fixed"
        raise UserError(f"method {method} needs a boundary that is {wanted}; choose it, or use method ml")
    if measurement.missing is not None:
        raise UserError(f"method {method} cannot leave pixels out; give a region without gaps, or use method ml")
    if options["bleaching"]:
        raise UserError(f"method {method} cannot estimate bleaching; use method ml")
    # Torch takes seconds to import, and maximum likelihood does without.
    from safe_pit_cm.inference import pairwise

    frames, times, spacing = measurement.frames, measurement.times, measurement.spacing
    report("fitting", 0.0)
    if method == "safe":
        diffusivity = pairwise.safe_minimum(frames, times, spacing, boundary, discretisation)
    else:
        diffusivity = pairwise.zero_shot_estimate(frames, times, spacing, settings, seed)
    report("fitting", 0.9)
    modes = likelihood.reduce_video(frames, times, spacing, boundary, discretisation, background=options["background"])
    theta = np.array([diffusivity])
    noise = np.sqrt(max(likelihood.noise_power(modes, theta), measurement.floor**2))
    fitted = Fit(theta, np.full((1, 1), np.nan), float(noise), np.ones(len(modes.symbol)), 1.0, 0.0)
    outcome = _outcome(measurement, modes, fitted)
    notes = f"Method {method} has no likelihood, hence no error bar; noise in the frames biases it."
    return replace(outcome, stderr=None, bound=None, notes=notes)


def _verdict(outcome: Outcome, process: Process) -> str:
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


def _dataset(video: xr.DataArray, measurement: Measurement, outcome: Outcome, settings: dict[str, Any]) -> xr.Dataset:
    process: Process = settings["process"]
    check = outcome.check
    index = outcome.frames
    if process == "mobility":
        index = index[::-1]
    observed = measurement.frames[index].astype(np.float64)
    if measurement.missing is not None:
        observed = np.where(measurement.missing[index], np.nan, observed)
    predicted = outcome.predicted[::-1] if process == "mobility" else outcome.predicted
    times = measurement.times[index]
    if process == "mobility":
        times = measurement.times[-1] - times
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
            "verdict": _verdict(outcome, process),
            "bleaching_rate": outcome.bleaching_rate,
            **settings,
            "units": {**units, "diffusivity": coefficient},
            "notes": outcome.notes,
        },
    )
