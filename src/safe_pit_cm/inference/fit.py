"""Fit D to a measured video: checks, boundaries, nuisances, methods, and a verdict.

What a detector does to D, for a video that is ``gain (φ + background) + offset``, and what is done about it
(:mod:`~.nuisances`): with the defaults for measured film, all of it is estimated along. Where the boundary is known and
no gain is asked for, maximum likelihood uses the modes of the whole frame (:mod:`~.likelihood`); otherwise the film is
binned and cut into tiles (:mod:`~.measured`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.equations.boundaries import BOUNDARIES, Boundary
from safe_pit_cm.equations.discretisation import SCHEMES, Discretisation, Scheme
from safe_pit_cm.equations.processes import PROCESSES, Process
from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import former_boundary, refuses_arguments
from safe_pit_cm.inference import gaps, intervals, likelihood, residuals, sandwich, screening
from safe_pit_cm.inference.checks import Film, flat_field, measure
from safe_pit_cm.inference.likelihood import Fit
from safe_pit_cm.inference.measured import fit_measured, outcome_of
from safe_pit_cm.inference.mode_fields import predict, reduce_video
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.inference.nuisances import Nuisance, chosen
from safe_pit_cm.inference.report import Outcome, dataset, shown_frames

Method = Literal["ml", "safe", "zero-shot"]
ESTIMATION_METHODS: tuple[Method, ...] = get_args(Method)
# Called with what a fit is doing, and the share of it that is done.
StageProgress = Callable[[str, float], None]

# Points of the stored profile likelihood.
_PROFILE_POINTS = 61


@refuses_arguments(operator="discretisation")
def fit(
    video: xr.DataArray,
    *,
    dx: float | tuple[float, float] | None = None,
    dt: float | None = None,
    process: Process = "diffusion",
    boundary: Boundary = "open",
    discretisation: Scheme = "continuous",
    substep: float | None = None,
    method: Method = "ml",
    model: str | None = None,
    equation: str | None = None,
    fix: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    affine: bool = False,
    profile: bool = False,
    mask: ArrayLike | xr.DataArray | None = None,
    nuisances: str | Iterable[str] = "auto",
    reference: ArrayLike | None = None,
    dark: ArrayLike | float | None = None,
    background: bool = False,
    bleaching: bool = False,
    examine: bool = True,
    zero_shot: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: StageProgress | None = None,
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
        ``open``: a crop of a larger field, no boundary condition known. ``periodic``. ``no-flux``: no flux through
        the outer edges of the frame. ``dirichlet``: values that do not change at the outer edges of the frame.
    discretisation
        How the field evolves: ``continuous`` (a measurement), ``five-point`` (a simulation, exact in time) or ``euler``
        (a simulation by forward Euler with time step ``substep``).
    substep
        Time step of the simulation, time units; for ``euler``.
    method
        ``ml``: maximum likelihood. ``safe``: minimum of the SAFE loss (§2.5), which noise biases. ``zero-shot``: the
        paper's estimator network on that loss (§2.7).
    model, equation
        Name of an equation of the catalogue (:mod:`safe_pit_cm.models.catalogue`), or the text of one
        (:mod:`safe_pit_cm.models.text`), to be fitted instead of diffusion; ``fix``, ``bounds``, ``affine`` and
        ``profile`` are for these. Several fields have an axis ``field`` after ``time``.
    fix, bounds
        Values of coefficients that are known, and (low, high) of others, by name; None for no bound.
    affine
        Whether one gain and one offset of all frames are estimated: an equation with levels of its own, such as a
        capacity, is then fitted to frames in any unit.
    profile
        Whether 95 % intervals of a nonlinear equation come from the profile likelihood, which takes two fits each.
    mask
        True where a pixel is to be left out, ``(y, x)`` or ``(time, y, x)``.
    nuisances
        What is estimated along with D: names of :data:`~safe_pit_cm.inference.nuisances.NUISANCES`, ``all``, ``none``,
        or ``auto``: all for a continuous field with an open or no-flux boundary, none otherwise.
    reference, dark
        Flat-field image ``(y, x)``, for instance a frame before bleaching, and the image or level of the dark
        detector: frames become ``(frame − dark) / (reference − dark)``, in units of the mean of the denominator.
    background, bleaching
        Whether to add the nuisance of that name.
    examine
        Whether to look for the systematic error, which takes about as long as the fit itself.
    zero_shot
        Settings of ``zero-shot`` that differ from the paper's (:data:`~safe_pit_cm.inference.safe_fits.ZERO_SHOT`).
    seed
        Seed of every random draw: the initial weights of ``zero-shot``, the probes of the open boundary's error bar.
    progress
        Called with what is being done and the share of it that is done, 0 to 1.

    Returns
    -------
    xr.Dataset
        With an equation other than that of diffusion, as :func:`~safe_pit_cm.inference.equation_report.dataset` says.
        Otherwise, attributes (all fit for JSON; None where a method gives none):

        - ``alpha`` signed (§2.1), ``diffusivity`` = |α|, ``stderr``, ``ci95`` [low, high] by profile likelihood,
          length²/time, all statistical; None where the film does not determine D;
        - ``bound``, then: ``{"kind": "upper" or "lower", "value": …}``, a one-sided 95 % bound, or None; ``bounds``,
          the lower and the upper one, each may be None; ``alternative``, D or its bounds without a background and
          bleaching;
        - ``systematic``, the standard deviation of D over parts of the film and other treatments (None where it was
          not looked for), with ``systematic_sources``, ``parts`` and ``effects``; ``total_stderr`` and
          ``total_ci95``;
        - ``grade``: ``noise`` (fits to the noise), ``approximate``, ``refused`` or ``undetermined``; ``misfit``, the
          structure in the residuals over the contrast; ``nuisances``, the value of each;
        - ``noise`` σ, in units of the video; ``cramer_rao``, the bound on the standard deviation of D at the estimated
          field;
        - ``goodness_of_fit``, the p-value of :mod:`safe_pit_cm.inference.residuals`; ``fits``, whether the grade is
          ``noise``; ``verdict``, a sentence;
        - ``binning``, pixels along a side of a bin, and ``process``, ``boundary``, ``discretisation``,
          ``substep``, ``method``, ``shape``, ``frames``, ``dx`` (Δy, Δx), ``dt`` (mean), ``units``, ``seed`` and
          ``notes``.

        Variables: ``log_likelihood(diffusivity)``, relative to its maximum; ``residual_power(wavenumber)`` and
        ``noise_power``; ``observed``, ``predicted`` and ``residual`` ``(frame, y, x)`` at the first, middle and last
        ``frame_time(frame)``, binned; ``contrast(group_time)``, ``fitted_contrast`` and ``frame_residual``.

    Raises
    ------
    UserError
        If the video or an option cannot be used; the message says what to do.
    """
    report = progress or (lambda stage, share: None)
    given = (fix, bounds, affine or None, profile or None)
    if model is not None or equation is not None:
        # SymPy and torch take seconds to import, and diffusion does without.
        from safe_pit_cm.inference import equations

        found = equations.chosen(model, equation, fix=fix, bounds=bounds)
        if found.diffusivity is None or affine:
            _check_choices(process, boundary, discretisation, method)
            return equations.fitted(
                flat_field(video, reference, dark),
                found,
                method=method,
                process=process,
                nuisances=nuisances if not (background or bleaching) else "background",
                dx=dx,
                dt=dt,
                boundary=boundary,
                discretisation=discretisation,
                mask=mask,
                affine=affine,
                profile=profile,
                seed=seed,
                progress=report,
            )
    elif any(each is not None for each in given):
        raise UserError("fix, bounds, affine and profile are for an equation; give one (model or equation)")
    _check_choices(process, boundary, discretisation, method)
    scheme = Discretisation(discretisation, substep)
    film = measure(flat_field(video, reference, dark), dx=dx, dt=dt, process=process, mask=mask)
    automatic = nuisances == "auto" and method != "ml"
    wanted = chosen("none" if automatic else nuisances, boundary, discretisation)
    if background:
        wanted |= {"background"}
    if bleaching:
        wanted |= {"bleaching"}
    if method == "ml":
        outcome, film = _maximum_likelihood(film, boundary, scheme, wanted, examine, seed, report)
    else:
        outcome = _safe_fit(film, boundary, scheme, method, wanted, zero_shot or {}, seed, report)
    settings = {
        "process": process,
        "boundary": boundary,
        "discretisation": discretisation,
        "substep": substep,
        "method": method,
        "shape": list(film.shape),
        "frames": len(film.times),
        "dx": list(film.spacing),
        "dt": float(np.diff(film.times).mean()),
        "seed": seed,
    }
    result = dataset(video, film, outcome, settings)
    if model is None and equation is None:
        return result
    return result.assign_attrs(equations.of_diffusion(found, result))


def _check_choices(process: str, boundary: str, discretisation: str, method: str) -> None:
    former = former_boundary(boundary, BOUNDARIES)
    if former is not None:
        raise UserError(former)
    for name, value, allowed in (
        ("process", process, PROCESSES),
        ("boundary", boundary, BOUNDARIES),
        ("discretisation", discretisation, SCHEMES),
        ("method", method, ESTIMATION_METHODS),
    ):
        if value not in allowed:
            raise UserError(f"the {name} is {value!r}; choose one of {', '.join(allowed)}")


def _maximum_likelihood(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    nuisances: frozenset[Nuisance],
    examine: bool,
    seed: int,
    report: StageProgress,
) -> tuple[Outcome, Film]:
    """Outcome, and the film without the frames that were left out."""
    # The mean of a frame carries an offset alone, but between fixed walls.
    by_modes = {"background", "bleaching"} | ({"offset"} if boundary != "dirichlet" else set())
    if boundary != "open" and nuisances <= by_modes:
        return _by_modes(film, boundary, discretisation, nuisances, report), film
    notes = list(film.notes)
    left_out = screening.outlying(film)
    if len(left_out):
        film = screening.without(film, left_out)
        notes.append(
            f"Frames left out, since they depart from their neighbours: {', '.join(map(str, left_out))} (from 0)."
        )
    if film.missing is not None:
        film = replace(film, frames=gaps.guess_gaps(film.frames, film.missing))
    found = fit_measured(film, boundary, discretisation, nuisances, examine=examine, seed=seed, progress=report)
    return outcome_of(found, film, tuple(notes)), film


def _by_modes(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    nuisances: frozenset[Nuisance],
    report: StageProgress,
) -> Outcome:
    def reduce(frames: NDArray[Any]) -> Modes:
        return reduce_video(
            frames,
            film.times,
            film.spacing,
            boundary,
            discretisation,
            background="background" in nuisances or boundary == "dirichlet",
            bleaching="bleaching" in nuisances,
            progress=lambda share: report("reading the modes", share),
        )

    if film.missing is None:
        modes = reduce(film.frames)
        fitted = likelihood.fit_modes(modes, floor=film.floor)
    else:
        filled = gaps.guess_gaps(film.frames, film.missing)
        modes, fitted = gaps.fill_gaps(filled, film.missing, reduce, film.floor)
        film = replace(film, frames=filled)
    report("fitting", 1.0)
    fitted = sandwich.widened(modes, fitted, film.frames)
    low, high, determined = intervals.limits(modes, fitted)
    outcome = _outcome(film, modes, fitted)
    if determined:
        return outcome
    return replace(outcome, diffusivity=None, stderr=None, interval=None, bound=None, low=low, high=high)


def _outcome(film: Film, modes: Modes, fitted: Fit) -> Outcome:
    check = residuals.check(modes, fitted, floor=film.floor)
    shown = shown_frames(len(film.times))
    predicted = predict(modes, fitted.theta, shown)
    # What no model explains and none needs to: the mean of a frame, and what is constant in time.
    rest = film.frames[shown] - predicted
    if modes.background:
        predicted = predicted + rest.mean(0)
    elif modes.boundary != "dirichlet":
        predicted = predicted + rest.mean((1, 2), keepdims=True)
    if np.isfinite(fitted.stderr):
        interval, profile = intervals.interval(modes, fitted)
    else:
        interval, profile = None, intervals.profile(modes, fitted, 0.1 * fitted.diffusivity)
    low, high = profile.domain
    grid = np.linspace(low, high, _PROFILE_POINTS)
    observed = film.frames[shown].astype(np.float64)
    if film.missing is not None:
        observed = np.where(film.missing[shown], np.nan, observed)
    values: dict[str, Any] = {}
    if modes.bleaching:
        values["bleaching"] = {"rate": float(fitted.theta[1]), "stderr": float(np.sqrt(fitted.covariance[1, 1]))}
    if modes.background:
        values["background"] = {"free in": "every pixel"}
    return Outcome(
        fitted.diffusivity,
        fitted.stderr,
        interval,
        fitted.noise,
        fitted.bound,
        check,
        (grid, profile(grid)),
        shown,
        observed,
        predicted,
        misfit=residuals.misfit(modes, fitted, check),
        nuisances=values,
        notes=film.notes,
    )


def _safe_fit(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    method: Method,
    nuisances: frozenset[Nuisance],
    settings: Mapping[str, Any],
    seed: int,
    report: StageProgress,
) -> Outcome:
    if boundary == "open" or (method == "zero-shot" and boundary != "periodic"):
        wanted = "periodic" if method == "zero-shot" else "periodic, no-flux or dirichlet"
        raise UserError(f"method {method} needs a boundary that is {wanted}; choose it, or use method ml")
    if film.missing is not None:
        raise UserError(f"method {method} cannot leave pixels out; give a region without gaps, or use method ml")
    if not nuisances <= {"background"}:
        names = " and ".join(sorted(nuisances - {"background"}))
        raise UserError(f"method {method} cannot estimate {names}; use method ml")
    # Torch takes seconds to import, and maximum likelihood does without.
    from safe_pit_cm.inference import safe_fits

    frames, times, spacing = film.frames, film.times, film.spacing
    report("fitting", 0.0)
    if method == "safe":
        diffusivity = safe_fits.safe_minimum(frames, times, spacing, boundary, discretisation)
    else:
        diffusivity = safe_fits.zero_shot_estimate(frames, times, spacing, settings, seed)
    report("fitting", 0.9)
    modes = reduce_video(frames, times, spacing, boundary, discretisation, background="background" in nuisances)
    theta = np.array([diffusivity])
    noise = np.sqrt(max(likelihood.noise_power(modes, theta), film.floor**2))
    fitted = Fit(
        theta,
        np.full((1, 1), np.nan),
        float(noise),
        np.ones(len(modes.symbol)),
        1.0,
        0.0,
        modes,
    )
    outcome = _outcome(film, modes, fitted)
    notes = f"Method {method} has no likelihood, hence no error bar; noise in the frames biases it."
    return replace(outcome, stderr=None, interval=None, bound=None, notes=(*outcome.notes, notes))
