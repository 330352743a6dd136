"""Fit any evolution equation to a measured video: checks, start values, boundaries, errors, and a verdict."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import scipy.stats
import torch
import xarray as xr
from numpy.typing import ArrayLike

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution import checks, identifiability, starts
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.fitting import LARGEST_BIAS, Estimate, maximise
from safe_pit_cm.evolution.linear import LinearFit
from safe_pit_cm.evolution.normal_equations import NormalEquations
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.inference import gaps
from safe_pit_cm.inference.checks import Film, measure
from safe_pit_cm.inference.equation_problem import Problem, cost, cut, laid_out, posed
from safe_pit_cm.inference.equation_report import EquationOutcome, dataset
from safe_pit_cm.models.model import Model
from safe_pit_cm.numerics.arrays import Array

StageProgress = Callable[[str, float], None]

# Pixels in a patch of the field that varies as one.
_PATCH = 100
_PROBES, _Z95 = 2, float(scipy.stats.norm.ppf(0.975))
AFFINE = ("gain", "offset")


def fit_equation(
    video: xr.DataArray,
    model: Model,
    *,
    dx: float | tuple[float, float] | None = None,
    dt: float | None = None,
    boundary: Boundary = "open",
    discretisation: Scheme = "continuous",
    mask: ArrayLike | xr.DataArray | None = None,
    affine: bool = False,
    profile: bool = False,
    seed: int = 0,
    progress: StageProgress = lambda stage, share: None,
) -> xr.Dataset:
    """Fit the coefficients of an equation by maximum likelihood, the first frame unknown.

    Parameters
    ----------
    video
        ``(time, y, x)``, or ``(time, field, y, x)`` for several fields.
    model
        The equation.
    dx, dt, boundary, mask
        As in :func:`safe_pit_cm.inference.fit.fit`.
    discretisation
        ``continuous`` or ``five-point``.
    affine
        Whether a gain and an offset are estimated: frames are gain · field + offset.
    profile
        Whether 95 % intervals come from the profile likelihood, by fits with one coefficient held, for a nonlinear
        equation too.
    seed
        Of the noise to which the residuals are compared.
    progress
        Called with what is being done and the share of it that is done.

    Returns
    -------
    xr.Dataset
        See :func:`safe_pit_cm.inference.equation_report.dataset`.

    Raises
    ------
    UserError
        If the video or an option cannot be used, the fit did not converge, the video cannot tell coefficients apart, or
        numbers overflow.
    """
    with _finite(model):
        films = _films(video, model, dx, dt, mask)
        film = films[0]
        _check(model, film, boundary, discretisation, affine)
        frames = np.stack([_filled(each) for each in films], axis=1)
        missing = (
            None
            if all(each.missing is None for each in films)
            else np.stack(
                [np.zeros(each.frames.shape, bool) if each.missing is None else each.missing for each in films], axis=1
            )
        )
        progress("finding start values", 0.0)
        grid = Grid(film.shape, film.spacing, discretisation, torch.float32)
        margin = 6 if boundary == "open" else 0
        theta, affinity = _start(model, grid, film.times, frames, margin, affine)
        closed = model.is_linear and boundary != "open" and missing is None and not affine
        if closed:
            outcome = _closed_form(model, frames[:, 0], film, boundary, discretisation, theta, seed)
        else:
            problem = posed(model, film, frames, missing, boundary, discretisation, theta)
            announced = cost(problem, len(theta) + len(affinity))
            progress(f"fitting (about {announced:.0f} s on one idle core)", 0.0)
            outcome = _iterated(problem, film, np.concatenate([theta, affinity]), affine, profile, seed, progress)
        if not np.isfinite([outcome.theta, np.sqrt(np.diag(outcome.covariance))]).all():
            raise UserError(_BEYOND.format(model.name))
        return dataset(video, films, model, outcome, boundary, discretisation)


@contextmanager
def _finite(model: Model) -> Iterator[None]:
    """A sentence where numbers overflow; infinities on the way to a result are none."""
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        raise UserError(_BEYOND.format(model.name)) from error


_BEYOND = "the numbers of {} leave what a computer can hold; give bounds of its coefficients (--bounds)"


def _films(
    video: xr.DataArray,
    model: Model,
    dx: float | tuple[float, float] | None,
    dt: float | None,
    mask: ArrayLike | xr.DataArray | None,
) -> list[Film]:
    count = len(model.fields)
    if isinstance(video, xr.DataArray) and "field" in video.dims:
        parts = [video.isel(field=index) for index in range(video.sizes["field"])]
    else:
        parts = [video]
    if len(parts) != count:
        raise UserError(
            f"the equation {model.name} has the fields {', '.join(model.fields)} and the video has {len(parts)}; "
            "give a "
            f"DataArray with the dimensions time, {'field, ' if count > 1 else ''}y and x"
        )
    films = [measure(part, dx=dx, dt=dt, mask=mask) for part in parts]
    if any(len(film.times) != len(films[0].times) or (film.times != films[0].times).any() for film in films):
        raise UserError("the fields have different frames missing; leave the same frames out of all")
    return films


def _filled(film: Film) -> Array:
    frames = film.frames if film.missing is None else gaps.guess_gaps(film.frames, film.missing)
    return np.asarray(frames, dtype=np.float64)


def _check(model: Model, film: Film, boundary: Boundary, scheme: Scheme, affine: bool) -> None:
    if scheme == "euler":
        raise UserError("the discretisation euler is for diffusion alone; choose continuous or five-point")
    if boundary in ("no-flux", "dirichlet") and not model.is_even:
        raise UserError(
            f"the boundary {boundary} needs an equation that looks the same in a mirror, and {model.name} does "
            "not; choose "
            "open or periodic"
        )
    if boundary == "dirichlet":
        raise UserError("the boundary dirichlet is for diffusion alone; choose open, no-flux or periodic")
    if not model.coefficients:
        raise UserError(f"every coefficient of {model.name} is fixed; there is nothing to estimate")
    if affine and model.is_linear:
        raise UserError(
            f"the equation {model.name} is linear: a gain changes nothing, so it cannot be estimated; leave it out"
        )
    if len(film.times) < 4:
        raise UserError(f"the video has {len(film.times)} usable frames; give at least 4")


def _start(model: Model, grid: Grid, times: Array, frames: Array, margin: int, affine: bool) -> tuple[Array, Array]:
    """Start values of the coefficients, and of gain and offset where these are estimated."""
    if not affine:
        return starts.start_values(model, grid, times, frames, margin=margin)[0], np.empty(0)
    low, high = (float(each) for each in np.percentile(frames, (0.5, 99.5)))
    # Levels of an equation are at ±1, at 0 and 1, or where the video has them.
    options = [((high - low) / 2, (high + low) / 2), (high - low, low), (1.0, 0.0)]
    found = []
    for gain, offset in options:
        theta, left = starts.start_values(model, grid, times, (frames - offset) / gain, margin=margin)
        found.append((left, theta, np.array([gain, offset])))
    _, theta, affinity = min(found, key=lambda each: each[0])
    return theta, affinity


def _closed_form(
    model: Model, frames: Array, film: Film, boundary: Boundary, scheme: Scheme, theta: Array, seed: int
) -> EquationOutcome:
    fit = LinearFit(model, frames, film.times, film.spacing, boundary, scheme)
    found = fit.maximise(theta)
    _refuse(identifiability.confounded(found.information, model.names), model)
    if not found.converged:
        raise UserError(_NOT_CONVERGED.format(model.name))
    residual = fit.residual(found.theta)
    noise = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,))).standard_normal(
        (_PROBES, *frames.shape)
    )
    probes = np.stack([fit.remainder(found.theta, each) for each in noise], axis=1)
    check = checks.check(residual[:, None], probes[:, :, None], found.noise, film.spacing)
    stderr = np.sqrt(np.diag(found.covariance))
    weights = fit.weights_at(found.theta)

    def rise(index: int, value: float) -> float:
        # The others move with it as their covariance says; what is left of the way is short.
        along = found.covariance[:, index] / found.covariance[index, index]
        start = np.clip(found.theta + (value - found.theta[index]) * along, *model.bounds)
        start[index] = value
        held = fit.held(start, index, weights)
        calibration = found.covariance[index, index] / found.noise**2 * _held_information(found.information, index)
        return (fit.power(held, weights) - fit.power(found.theta, weights)) / found.noise**2 / max(calibration, 1.0)

    intervals = [_profiled(partial(rise, p), float(found.theta[p]), float(stderr[p])) for p in range(len(stderr))]
    return EquationOutcome(
        model.names,
        found.theta,
        found.covariance,
        intervals,
        found.noise,
        found.residual_power,
        found.degrees_of_freedom,
        check,
        (frames - residual)[:, None],
        np.zeros(len(theta)),
        "closed form",
    )


def _held_information(information: Array, index: int) -> float:
    """Information about one coefficient when the others are estimated."""
    return 1 / float(np.linalg.pinv(information, hermitian=True)[index, index])


def _profiled(rise: Callable[[float], float], value: float, stderr: float) -> tuple[float, float]:
    """Where the criterion has risen by the 95 % quantile of χ² with one degree of freedom."""
    ends = []
    for side in (-1, 1):
        distance = _Z95 * stderr
        for _ in range(3):
            root = np.sqrt(max(rise(value + side * distance), 1e-6))
            distance *= float(np.clip(_Z95 / root, 0.5, 2.0))
            if abs(root - _Z95) < 0.02:
                break
        ends.append(float(value + side * distance))
    return ends[0], ends[1]


_NOT_CONVERGED = (
    "the fit of {} did not converge, and a fit that did not converge is no result; check the equation, fix a "
    "coefficient "
    "whose value is known (--fix), or give bounds (--bounds)"
)


def _iterated(
    problem: Problem, film: Film, theta: Array, affine: bool, profile: bool, seed: int, progress: StageProgress
) -> EquationOutcome:
    model, grid = problem.model, problem.grid
    count = len(model.names)
    gain, offset = (theta[count], theta[count + 1]) if affine else (1.0, 0.0)
    frames = torch.from_numpy(problem.frames)
    start = torch.from_numpy(np.ascontiguousarray((problem.frames[0] - offset) / gain))
    weights = prior = centre = None
    if problem.weights is not None:
        weights = torch.from_numpy(problem.weights)
        # Where no pixel is ever seen, the first frame is as uncertain as its contrast, in patches and not in pixels.
        unseen = (weights.sum(0) == 0).double()
        contrast = float(np.var(problem.frames[0])) / gain**2
        weakest = Observations(frames, weights).noise_power / max(_PATCH * contrast, 1e-300)
        prior, centre = unseen * weakest, start.clone()
        if not bool(unseen.any()):
            prior = centre = None
    observations = Observations(frames, weights, prior, centre, affine)
    found = maximise(model, grid, problem.times, observations, theta, start, progress=progress)
    names = (*model.names, *(AFFINE if affine else ()))
    schur = found.schur
    if identifiability.smallest_eigenvalue(schur)[0] < identifiability.DOUBTFUL:
        schur = _exact_information(problem, observations, found)
    _refuse(identifiability.confounded(schur, names), model)
    if not found.converged:
        raise UserError(_NOT_CONVERGED.format(model.name))
    found = replace(found, schur=schur / problem.copies)
    stderr = found.stderr
    if (found.bias > LARGEST_BIAS * stderr).any():
        worst = names[int(np.argmax(found.bias / stderr))]
        raise UserError(
            f"the time step still moves {worst} by more than a tenth of its standard error with {found.substeps} "
            "steps per "
            "frame; give shorter frame intervals"
        )
    progress("testing the equation", 0.95)
    draw = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    noise = torch.from_numpy(laid_out(draw, problem, _PROBES)).float()
    probes = found.derivatives.remainder(found.theta, found.start, noise, tolerance=1.0)
    residual = observations.weighted(frames - found.predicted)
    check = checks.check(cut(residual, problem, film), cut(probes, problem, film), found.noise, film.spacing)
    intervals = [(value - _Z95 * error, value + _Z95 * error) for value, error in zip(found.theta, stderr, strict=True)]
    if profile:
        for index in range(count):
            progress(f"profile of {names[index]}", index / count)
            intervals[index] = _profile(problem, observations, found, index, float(stderr[index]), affine)
    return EquationOutcome(
        names,
        found.theta,
        found.covariance,
        intervals,
        found.noise,
        found.residual_power / problem.copies,
        found.degrees_of_freedom // problem.copies,
        check,
        cut(found.predicted, problem, film),
        found.bias / stderr,
        f"{found.steps} Gauss–Newton steps, {found.iterations} iterations, {found.substeps} steps per frame",
        profiled=profile,
    )


def _exact_information(problem: Problem, observations: Observations, found: Estimate) -> Array:
    grid = replace(problem.grid, dtype=torch.float64)
    equations = NormalEquations(Solver(Compiled(problem.model, grid), problem.times, 1), observations)
    residual = observations.frames - found.predicted
    return equations.step(
        found.theta, found.start, residual, noise_power=found.noise**2, tolerance=1e-7, most=300
    ).schur


def _profile(
    problem: Problem, observations: Observations, found: Estimate, index: int, stderr: float, affine: bool
) -> tuple[float, float]:
    name = problem.model.names[index]

    def rise(value: float) -> float:
        model = problem.model.with_fixed({name: value})
        start = np.delete(found.theta, index)
        if not model.names:
            raise UserError(
                "the profile of a single coefficient of a nonlinear equation needs another free coefficient"
            )
        held = maximise(
            model,
            problem.grid,
            problem.times,
            observations,
            start,
            found.start,
            least=found.substeps,
            like=found.derivatives,
        )
        return (held.residual_power - found.residual_power) / found.noise**2 / problem.copies

    return _profiled(rise, float(found.theta[index]), stderr)


def _refuse(names: Sequence[str], model: Model) -> None:
    if len(names) == 1:
        raise UserError(f"the video says nothing about {names[0]} of {model.name}; fix it (--fix {names[0]}=…)")
    if names:
        raise UserError(
            f"the video cannot tell {', '.join(names[:-1])} and {names[-1]} of {model.name} apart: only a "
            "combination of "
            f"them leaves a trace; fix one of them (--fix {names[0]}=…)"
        )
