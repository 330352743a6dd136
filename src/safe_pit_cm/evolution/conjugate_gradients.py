"""Conjugate gradients for several right-hand sides at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from safe_pit_cm.numerics.arrays import Array

Linear = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Solutions:
    """Solutions X of M X = Y, and what they leave of it.

    Attributes
    ----------
    values, residuals
        X and Y − M X, ``(column, field, y, x)``.
    iterations
        Products with M.
    """

    values: Tensor
    residuals: Tensor
    iterations: int


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """Scalar products over all but the first axis, in float64."""
    return (first.flatten(1).double() * second.flatten(1).double()).sum(1)


def conjugate_gradients(
    product: Linear,
    precondition: Linear,
    right: Tensor,
    guess: Tensor,
    goals: Array,
    *,
    judge: Linear | None = None,
    most: int,
) -> Solutions:
    """Solve M X = Y for a positive matrix M.

    Parameters
    ----------
    product, precondition
        M, and about its inverse, times fields ``(column, field, y, x)``.
    right, guess
        Y, and a first X.
    goals
        Of every column, the scalar product of residual and preconditioned residual at which it is exact enough.
    judge
        Preconditioner by which this is judged; None for the same.
    most
        Largest number of iterations.
    """

    def errors(residual: Tensor, conditioned: Tensor) -> Tensor:
        return _dot(residual, conditioned if judge is None else judge(residual))

    x = guess.clone()
    residual = right - product(x) if bool(guess.any()) else right.clone()
    direction = precondition(residual)
    power, error = _dot(residual, direction), errors(residual, direction)
    goal, iterations = torch.from_numpy(np.asarray(goals)), 0
    while iterations < most:
        # Columns that are exact enough stay as they are, and cost nothing.
        active = torch.nonzero(error > goal)[:, 0]
        if len(active) == 0:
            break
        along, before = direction[active], power[active]
        moved = product(along)
        share = (before / _dot(along, moved).clamp_min(1e-300)).to(right.dtype)[:, None, None, None]
        x[active] += share * along
        residual[active] -= share * moved
        left = residual[active]
        conditioned = precondition(left)
        power[active], error[active] = _dot(left, conditioned), errors(left, conditioned)
        ratio = (power[active] / before.clamp_min(1e-300)).to(right.dtype)[:, None, None, None]
        direction[active] = conditioned + ratio * along
        iterations += 1
    return Solutions(x, residual, iterations)
