"""Gauss–Newton steps with the first frame as unknowns, eliminated by a Schur complement.

A video is y = μ(θ, u₀) + noise, with the first frame u₀ unknown in every pixel. With A = ∂μ/∂u₀ and B = ∂μ/∂θ, a step
solves

    (AᵀWA + R) X = AᵀW [r, B],     S = BᵀWB − (AᵀWB)ᵀ X_B,     S δθ = BᵀWr − (AᵀWB)ᵀ X_r,     δu₀ = X_r − X_B δθ,

W being 1 where a pixel was observed and R a weak prior where none was. X is found by conjugate gradients on the fields
of all right-hand sides at once; A and Aᵀ are one run of the solver each. Frame 0 observes u₀ itself, so AᵀA is at least
1. The preconditioner Σ_t |e^{L t}|² is exact where the equation is linear.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from safe_pit_cm.evolution import identifiability
from safe_pit_cm.evolution.compiled import Compiled
from safe_pit_cm.evolution.conjugate_gradients import Solutions, conjugate_gradients
from safe_pit_cm.evolution.factors import Factors
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.resampling import moved, resampled, sufficient
from safe_pit_cm.evolution.solver import Solver, Trajectory
from safe_pit_cm.evolution.truncation import exceeding
from safe_pit_cm.numerics.arrays import Array

MOST_ITERATIONS = 200
# Smallest eigenvalue of the scaled S.
_DAMPING = 1e-3
# Frames that each frame of a factorised preconditioner stands for.
_THINNED = 2


@dataclass(frozen=True)
class Step:
    """A Gauss–Newton step.

    Attributes
    ----------
    theta, field
        δθ and δu₀.
    schur
        S, the information about θ in units of 1/σ².
    iterations
        Of the conjugate gradients.
    """

    theta: Array
    field: Tensor
    schur: Array
    iterations: int


def damped_inverse(information: Array) -> Array:
    """Inverse of S, with the directions that S hardly determines damped: its errors would dominate there."""
    correlations, scale = identifiability.scaled(information)
    values, vectors = np.linalg.eigh(correlations)
    return (vectors / np.maximum(values, _DAMPING)) @ vectors.T * scale


class NormalEquations:
    """Normal equations of a video.

    Parameters
    ----------
    solver
        Of the linearisation; may have longer steps and less precision than that of the residuals, and where every pixel
        was observed a coarser grid.
    observations
        The video.
    """

    def __init__(self, solver: Solver, observations: Observations) -> None:
        self.solver, self.observations = solver, observations
        self._solutions: Tensor | None = None
        self._schur: Array | None = None
        self._recent: Tensor | None = None
        self._kept: Tensor | None = None
        self._factors: Factors | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Of the grid."""
        return self.solver.compiled.grid.shape

    def on(self, shape: tuple[int, int]) -> "NormalEquations":
        """The same equations, with the same unknowns, on a grid of this shape."""
        if shape == self.shape:
            return self
        compiled, times = self.solver.compiled, self.solver.times
        lengths = (size * pixel for size, pixel in zip(self.shape, compiled.grid.spacing, strict=True))
        spacing = tuple(length / size for length, size in zip(lengths, shape, strict=True))
        grid = replace(compiled.grid, shape=shape, spacing=(spacing[0], spacing[1]))
        found = NormalEquations(Solver(Compiled(compiled.model, grid), times, self.solver.substeps), self.observations)
        found._schur = self._schur
        if self._solutions is not None:
            found._solutions = resampled(self._solutions, shape)
        if self._recent is not None:
            found._recent = resampled(self._recent, shape)
        if self._kept is not None:
            found._kept = moved(self._kept, self.shape, shape)
        return found

    def resolving(self, frames: Tensor, *, coarser: bool) -> "NormalEquations":
        """The same on the coarsest grid that resolves frames ``(time, field, y, x)`` and the unknowns.

        Parameters
        ----------
        frames
            On the pixels of the video.
        coarser
            Whether to leave a grid that is finer than it need be; what has been factorised on it is then lost.
        """
        grid, video = self.solver.compiled.grid, (frames.shape[-2], frames.shape[-1])
        if self._kept is None or self.observations.weights is not None or grid.scheme != "continuous":
            return self
        shape = sufficient(frames, moved(self._kept, self.shape, video))
        return self.on(shape) if coarser or any(np.greater(shape, self.shape)) else self

    @property
    def _pixels(self) -> float:
        """Pixels of the video per pixel of the grid, by which sums over one differ from those over the other."""
        rows, columns = self.observations.frames.shape[-2:]
        return rows * columns / (self.shape[0] * self.shape[1])

    def truncate(self, theta: Array, start: Tensor, noise_power: float) -> Tensor:
        """Leave out of the unknowns the wavenumbers at which the first frame does not exceed its noise.

        In a nonlinear equation the noise of an estimated first frame has a mean effect. Most of it is at wavenumbers at
        which there is nothing else.

        Returns
        -------
        Tensor
            The first frame without them, ``(field, y, x)``.
        """
        grid = self.solver.compiled.grid
        video, start = (start.shape[-2], start.shape[-1]), resampled(start, self.shape)
        window, seen = self._window(start)
        before, self._kept = self._kept, None
        contrast = start - start[..., window > 0].mean(-1)[..., None, None]
        spectrum = grid.forward(contrast * window) * np.sqrt(self._pixels / window.numel())
        noise = noise_power * self._preconditioner(theta).double() * seen * float(window.square().mean())
        effective = float(window.square().mean() ** 2 / window.pow(4).mean())
        kept = exceeding(spectrum, noise, grid, effective)
        kept[:, 0, 0] = True
        self._kept = kept if before is None else kept & before
        if self._solutions is not None:
            self._solutions = grid.backward(grid.forward(self._solutions) * self._kept)
        return resampled(grid.backward(grid.forward(start) * self._kept), video)

    def _window(self, start: Tensor) -> tuple[Tensor, float]:
        """Weights ``(y, x)`` that let the observed frame end softly within a margin, and its share of the grid."""
        window = torch.ones(start.shape[-2:], dtype=torch.float64)
        if self.observations.prior is None:
            return window, 1.0
        observed = (self.observations.prior == 0).any(0)
        for axis, along in enumerate((observed.any(1), observed.any(0))):
            count = int(along.sum())
            taper = torch.zeros(len(along), dtype=torch.float64)
            taper[along] = torch.hann_window(count + 2, periodic=False, dtype=torch.float64)[1:-1]
            window *= taper[:, None] if axis == 0 else taper
        return window, float(observed.double().mean())

    @property
    def kept(self) -> Tensor | None:
        """Wavenumbers among the unknowns, ``(field, ky, kx)``; None for all."""
        return self._kept

    def restrict(self, kept: Tensor | None) -> None:
        """Take these wavenumbers as the unknowns, those of another fit of the video."""
        self._kept = kept

    @property
    def unknowns(self) -> int:
        """Number of real numbers that describe the first frame."""
        fields, (rows, columns) = len(self.solver.compiled.model.fields), self.solver.compiled.grid.shape
        observed = fields * rows * columns
        if self.observations.prior is not None:
            observed = int((self.observations.prior == 0).sum())
        share = 1.0 if self._kept is None else float(self._kept.double().mean())
        return max(1, round(share * observed))

    def _parts(self, theta: Array) -> tuple[Array, float]:
        """The coefficients, and the gain."""
        count = len(self.solver.compiled.names)
        return theta[:count], float(theta[count]) if self.observations.affine else 1.0

    def _preconditioner(self, theta: Array) -> Tensor:
        """1/(Σ_t w_t |e^{L t}|² + R), ``(field, ky, kx)``; 0 for wavenumbers that were left out."""
        coefficients, gain = self._parts(theta)
        linear, _ = self.solver.linear(coefficients)
        rate = linear.real if linear.is_complex() else linear
        times = torch.from_numpy(self.solver.times - self.solver.times[0])
        total = torch.zeros_like(rate)
        weights, prior = self.observations.weights, self.observations.prior
        for index, time in enumerate(times):
            weight = 1.0 if weights is None else float(weights[index].mean())
            total += weight * torch.exp((2 * rate * time).clamp(max=40.0))
        total *= gain**2
        if prior is not None:
            total += float(prior.mean())
        inverse = 1 / total if self._kept is None else self._kept / total
        return inverse.to(self.solver.compiled.grid.dtype)

    def step(
        self,
        theta: Array,
        start: Tensor,
        residual: Tensor,
        *,
        noise_power: float,
        tolerance: float,
        most: int = MOST_ITERATIONS,
    ) -> Step:
        """Gauss–Newton step.

        Parameters
        ----------
        theta
            θ, with gain and offset after it if these are estimated.
        start
            u₀, ``(field, y, x)``.
        residual
            Observed less predicted frames, ``(time, field, y, x)``.
        noise_power
            σ², which says how exact X_r has to be.
        tolerance
            Error of S, relative to its diagonal.
        most
            Iterations of the conjugate gradients.
        """
        solver, observations, pixels = self.solver, self.observations, self._pixels
        dtype = solver.compiled.grid.dtype
        video, start, residual = start.shape[-2:], resampled(start, self.shape), resampled(residual, self.shape)
        coefficients, gain = self._parts(theta)
        solver.stabilise(coefficients, start[None].to(dtype) if self._recent is None else self._recent)
        at = solver.solve(coefficients, start, derivatives=True)
        self._recent = at.fields
        columns = gain * solver.tangent(at, None, coefficients=True)
        if observations.affine:
            columns = torch.cat([columns, at.fields[:, None], torch.ones_like(at.fields)[:, None]], dim=1)
        weighted = observations.weighted(columns)
        weighted_residual = observations.weighted(residual.to(dtype))
        right = gain * solver.adjoint(at, torch.cat([weighted_residual[:, None], weighted], dim=1))
        if observations.prior is not None and observations.centre is not None:
            right[0] += (observations.prior * (observations.centre - start)).to(dtype)
        # The solutions for B change little from one step to the next; that for r starts anew.
        guess = torch.zeros_like(right)
        if self._solutions is not None:
            guess[1:] = self._solutions
        goal = np.empty(len(right))
        # An error of X_r of a tenth of σ in all moves θ by less than a tenth of a standard error.
        goal[0] = tolerance * noise_power
        goal[1:] = tolerance * np.diag(pixels * _gram(weighted, columns) if self._schur is None else self._schur)
        solved = self._solved(at, theta, gain, right, guess, goal / pixels, most)
        solutions, remains = solved.values, solved.residuals
        # With what the solutions leave of the right-hand sides, only products of two errors are left.
        found, left = solutions[1:], remains[1:]
        schur = pixels * (_gram(weighted, columns) - _cross(found, right[1:] + left))
        gradient = _gram(weighted, weighted_residual[:, None]) - _cross(found, right[:1]) - _cross(left, solutions[:1])
        schur, gradient = (schur + schur.T) / 2, pixels * gradient[:, 0]
        self._solutions, self._schur = found, schur
        change = damped_inverse(schur) @ gradient
        field = solutions[0].double() - torch.einsum("p,pfyx->fyx", torch.from_numpy(change), found.double())
        return Step(change, resampled(field, (video[0], video[1])), schur, solved.iterations)

    def remainder(
        self, theta: Array, start: Tensor, frames: Tensor, *, tolerance: float, most: int = MOST_ITERATIONS
    ) -> Tensor:
        """What the elimination of the first frame leaves of noise of power 1, ``(time, batch, field, y, x)``."""
        solver = self.solver
        coefficients, gain = self._parts(theta)
        at = solver.solve(coefficients, resampled(start, self.shape), derivatives=True)
        right = gain * solver.adjoint(at, resampled(self.observations.weighted(frames), self.shape))
        goals = np.full(len(right), tolerance / self._pixels)
        found = self._solved(at, theta, gain, right, torch.zeros_like(right), goals, most).values
        fitted = resampled(gain * solver.tangent(at, found), (frames.shape[-2], frames.shape[-1]))
        return self.observations.weighted(frames - fitted)

    def factorise(self, theta: Array, start: Tensor) -> None:
        """Take about AᵀWA + R of this θ and first frame, in the wavenumbers kept, as the preconditioner from now on.

        It need not be exact: every second frame stands for two, and the steps are as long as two.
        """
        if self._kept is None:
            return
        coefficients, gain = self._parts(theta)
        few = self._thinned()
        at = few.solver.solve(coefficients, resampled(start, self.shape), derivatives=True)
        self._factors = Factors.of(self._kept, self.shape, lambda fields: few._product(at, gain, fields))

    def _thinned(self) -> "NormalEquations":
        """The same equations for the first and then every n-th frame, with a weight of n."""
        solver = Solver(self.solver.compiled, self.solver.times[::_THINNED], self.solver.substeps)
        solver.shift = self.solver.shift
        frames, weights = self.observations.frames[::_THINNED], self.observations.weights
        counts = torch.full((len(frames), 1, 1, 1), float(_THINNED))
        counts[0] = 1.0
        if weights is not None:
            counts = counts * weights.broadcast_to(self.observations.frames.shape)[::_THINNED]
        return NormalEquations(solver, replace(self.observations, frames=frames, weights=counts))

    def _product(self, at: Trajectory, gain: float, fields: Tensor) -> Tensor:
        """AᵀWA + R times fields ``(batch, field, y, x)``."""
        found = gain**2 * self.solver.adjoint(at, self.observations.weighted(self.solver.tangent(at, fields)))
        prior = self.observations.prior
        return found if prior is None else found + prior.to(found.dtype) * fields

    def _solved(
        self, at: Trajectory, theta: Array, gain: float, right: Tensor, guess: Tensor, goals: Array, most: int
    ) -> Solutions:
        """Conjugate gradients in the wavenumbers kept."""
        grid, factors = self.solver.compiled.grid, self._factors
        inverse = self._preconditioner(theta)

        def simple(x: Tensor) -> Tensor:
            return grid.backward(inverse * grid.forward(x))

        def within(x: Tensor) -> Tensor:
            return grid.backward((inverse > 0) * grid.forward(x))

        def factorised(x: Tensor) -> Tensor:
            # The factors may be those of more wavenumbers than are left now.
            assert factors is not None
            return within(factors.solve(within(x)))

        # The error is judged without the factors: where they are poor, what they leave would look small.
        return conjugate_gradients(
            lambda x: self._product(at, gain, x),
            simple if factors is None else factorised,
            right,
            guess,
            goals,
            judge=None if factors is None else simple,
            most=most,
        )


def _gram(first: Tensor, second: Tensor) -> Array:
    """Products of columns ``(time, column, …)``, in float64."""
    total = np.zeros((first.shape[1], second.shape[1]))
    for one, two in zip(first, second, strict=True):
        total += (one.flatten(1).double() @ two.flatten(1).double().T).numpy()
    return total


def _cross(first: Tensor, second: Tensor) -> Array:
    """Products of fields ``(column, …)``, in float64."""
    return (first.flatten(1).double() @ second.flatten(1).double().T).numpy()
