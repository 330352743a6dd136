"""Maximum likelihood for any equation: Gauss–Newton steps whose time step shrinks until it no longer matters.

The derivatives come from a coarse solver of second order in single precision, the residuals from a fine one of fourth
order in double precision: the estimate solves the equations of the fine one, and costs little more than the coarse one.
The substeps of the fine one are doubled until the step after it, which holds what the time step still did, is below a
tenth of the standard error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.fine_solver import FineSolver
from safe_pit_cm.evolution.normal_equations import MOST_ITERATIONS, NormalEquations, damped_inverse
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.models.model import Model
from safe_pit_cm.numerics.arrays import Array

# Share of a standard error: limit of the last step, and with it of the bias of the time step.
LARGEST_BIAS = 0.1
# Errors of the information that are allowed far from the solution, at it, and where that is not enough.
LOOSE, TIGHT, EXACT = 0.1, 0.01, 1e-4
# Iterations of a step from which on a factorisation pays, and unknowns up to which it does.
_MANY, _MOST_FACTORISED = 20, 1200
# Iterations of the first step, which need not be exact.
_MOST_FIRST = 25
_MOST_STEPS, _MOST_SUBSTEPS = 16, 64


@dataclass(frozen=True)
class Estimate:
    """Maximum-likelihood estimate.

    Attributes
    ----------
    theta
        θ, with gain and offset after it if these were estimated.
    schur
        S, the information in units of 1/σ².
    noise
        σ of a pixel.
    start
        First frame, ``(field, y, x)``.
    predicted
        Frames, ``(time, field, y, x)``, in units of the video.
    residual_power
        Sum of squared residuals.
    degrees_of_freedom
        Of the noise.
    bias
        What halving the time step once more would change θ by, at most.
    substeps
        Steps per median frame interval.
    steps, iterations
        Of Gauss–Newton, and of all conjugate gradients.
    derivatives
        The normal equations of the last step.
    converged
        Whether the last step, which followed a halving of the time step, was below :data:`LARGEST_BIAS` standard
        errors.
    """

    theta: Array
    schur: Array
    noise: float
    start: Tensor
    predicted: Tensor
    residual_power: float
    degrees_of_freedom: int
    bias: Array
    substeps: int
    steps: int
    iterations: int
    converged: bool
    derivatives: NormalEquations

    @property
    def covariance(self) -> Array:
        """Of θ."""
        return np.asarray(self.noise**2 * np.linalg.pinv(self.schur, rcond=1e-12, hermitian=True), dtype=np.float64)

    @property
    def stderr(self) -> Array:
        """Standard errors of θ."""
        return np.asarray(np.sqrt(np.diag(self.covariance)), dtype=np.float64)


def maximise(
    model: Model,
    grid: Grid,
    times: Array,
    observations: Observations,
    theta: Array,
    start: Tensor,
    *,
    coarse: int = 1,
    least: int = 2,
    like: NormalEquations | None = None,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> Estimate:
    """Maximise the likelihood.

    Parameters
    ----------
    model, grid, times
        The equation, the grid (its precision is that of the residuals), and the times of the frames.
    observations
        The video.
    theta
        Start of θ, with gain and offset after it if these are estimated.
    start
        Start of the first frame, ``(field, y, x)``.
    coarse
        Steps per median frame interval of the derivatives.
    least
        The same of the residuals, at least.
    like
        A fit of the video whose wavenumbers of the first frame are taken, so that the likelihoods can be compared.
    progress
        Called with what is being done and the share of it that is done.

    Raises
    ------
    UserError
        If the solution is not finite from the start on.
    """
    count = len(model.names)
    low, high = model.bounds
    single = Compiled(model, Grid(grid.shape, grid.spacing, grid.scheme, torch.float32))
    double = Compiled(model, grid)
    derivatives = NormalEquations(Solver(single, times, coarse), observations)
    substeps = coarse
    fine = FineSolver(double, times, substeps)

    def evaluate(theta: Array, start: Tensor) -> tuple[Tensor, float]:
        fine.stabilise(theta[:count], start[None])
        frames = fine.solve(theta[:count], start)
        if observations.affine:
            frames = theta[count] * frames + theta[count + 1]
        residual = observations.frames - frames
        power = float((observations.weighted(residual) * residual).sum())
        if observations.prior is not None and observations.centre is not None:
            power += float((observations.prior * (start - observations.centre).square()).sum())
        return residual, power if np.isfinite(power) else np.inf

    def left() -> int:
        return max(observations.count - derivatives.unknowns - len(theta), 1)

    if like is not None:
        derivatives = derivatives.on(like.shape)
        derivatives.restrict(like.kept)
    freedom, truncations = left(), 2 if like is not None else 0
    residual, power = evaluate(theta, start)
    if not np.isfinite(power):
        raise UserError(
            f"the solution of {model.name} grows without bound from the start values; give bounds of its coefficients"
        )
    iterations, latest, tolerance, size, doubled = 0, 0, LOOSE, np.inf, False
    for index in range(_MOST_STEPS):
        progress("fitting", min(index / 8, 0.95))
        variance = power / freedom
        # Factors made far from here are poor, and made anew.
        if latest > _MANY and derivatives.unknowns < _MOST_FACTORISED:
            derivatives.factorise(theta, start)
        most = _MOST_FIRST if index == 0 else MOST_ITERATIONS
        step = derivatives.step(theta, start, residual, noise_power=variance, tolerance=tolerance, most=most)
        iterations, latest = iterations + step.iterations, step.iterations
        stderr = np.sqrt(variance * np.diag(damped_inverse(step.schur)))
        size = float(np.max(np.abs(step.theta) / np.maximum(stderr, 1e-300)))
        share = 1.0
        while True:
            trial = theta + share * step.theta
            trial[:count] = np.clip(trial[:count], low, high)
            trial_start = start + share * step.field
            trial_residual, trial_power = evaluate(trial, trial_start)
            # The derivatives are those of a coarser solver: at the solution the power may rise by a fraction of σ².
            if trial_power <= power + variance or share < 1e-2:
                break
            share /= 2
        if trial_power > power + variance:
            # The information was too coarse for a step that helps.
            if tolerance <= EXACT:
                break
            tolerance = EXACT
            continue
        theta, start, residual, power = trial, trial_start, trial_residual, trial_power
        # Early, since noise at all wavenumbers makes the equations more nonlinear than the field does, and at the end.
        truncated = not model.is_linear and (truncations == 0 or (truncations == 1 and size < 1))
        if truncated:
            truncations += 1
            start = derivatives.truncate(theta, start, min(variance, observations.noise_power))
            freedom = left()
            residual, power = evaluate(theta, start)
            # Later, a grid that is a little finer than it need be keeps what has been factorised.
            derivatives = derivatives.resolving(observations.frames - residual, coarser=truncations == 1)
        # The step that follows a doubling holds what the time step still did: fifteen times what it does now.
        settled = size < LARGEST_BIAS
        last = (doubled and substeps >= least) or substeps >= _MOST_SUBSTEPS
        if settled and last and tolerance <= TIGHT and not truncated:
            break
        doubled = settled and substeps < _MOST_SUBSTEPS
        if doubled:
            substeps *= 2
            fine = FineSolver(double, times, substeps)
            residual, power = evaluate(theta, start)
        if size < 1:
            tolerance = min(tolerance, TIGHT)
    variance = power / freedom
    return Estimate(
        theta,
        step.schur,
        float(np.sqrt(variance)),
        start,
        observations.frames - residual,
        power,
        freedom,
        np.abs(step.theta),
        substeps,
        index + 1,
        iterations,
        bool(size < LARGEST_BIAS),
        derivatives,
    )
