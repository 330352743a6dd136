"""The attention estimator with an output for each coefficient of an equation, and the operator that suits it.

The sign of an output is the one that the bounds declare: a softplus for a positive coefficient, its negative for a
negative one, and the output itself where both signs are allowed, as for a velocity, which a softplus could not make
negative. Each is in units of the size of its coefficient, so that a fresh network starts near the largest values, or at
zero where both signs are allowed; the paper's starts at softplus(0) = 0.69, with |α| up to 0.7.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from safe_pit_cm.models.model import Model, Sign
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.safe.equation_operator import EquationOperator, path_of, stable_substeps

# Largest output of a fresh network relative to the size of the coefficient, roughly.
_FRESH = 1.2
_LEAST_SUBSTEPS = 10


class CoefficientEstimator(AttentionEstimator):
    """The attention estimator with an output for each coefficient, of one field or several.

    Parameters
    ----------
    signs
        Sign of each coefficient.
    sizes
        Their absolute values at the largest.
    fields
        Number of fields.
    **settings
        Of :class:`~safe_pit_cm.safe.attention_estimator.AttentionEstimator`.

    Raises
    ------
    ValueError
        If it is to read ``rates``, which tell one coefficient.
    """

    sizes: Tensor

    def __init__(self, signs: Sequence[Sign], sizes: ArrayLike, fields: int = 1, **settings: Any) -> None:
        if settings.get("reads") == "rates":
            raise ValueError("rates tell one coefficient; let the estimator read frames, positions or changes")
        super().__init__(fields=fields, **settings)
        self.signs = tuple(signs)
        self.register_buffer("sizes", torch.as_tensor(np.array(sizes), dtype=torch.float32))
        features = int(settings["features"])
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, len(self.signs)))

    def forward(self, compressed: Tensor) -> Tensor:
        """θ of every video, shape ``(video, coefficient)``."""
        outputs = self.head(self.summarise(compressed))
        return self.sizes * torch.stack([_signed(sign, outputs[:, p]) for p, sign in enumerate(self.signs)], dim=-1)


def _signed(sign: Sign, output: Tensor) -> Tensor:
    if sign == "any":
        return output
    # 1 for a fresh network, whose output is near zero.
    size = functional.softplus(output) / math.log(2.0)
    return size if sign == "positive" else -size


def estimator_of(model: Model, largest: ArrayLike, **settings: Any) -> CoefficientEstimator:
    """Fresh estimator of the coefficients of an equation, which are at most ``largest``."""
    signs = [each.sign for each in model.coefficients]
    return CoefficientEstimator(signs, np.abs(np.array(largest, dtype=float)), len(model.fields), **settings)


def stable_operator(
    model: Model, largest: ArrayLike, interval: float, spacing: float, fields: Tensor
) -> EquationOperator:
    """SAFE operator with the fewest sub-steps that are stable for these coefficients and a fresh network; at least 10.

    Parameters
    ----------
    model
        The equation.
    largest
        Coefficients at their largest.
    interval, spacing
        Frame interval Δt_f and grid spacing Δx.
    fields
        Fields ``(..., field, y, x)`` that occur.
    """
    bound = _FRESH * np.array(largest, dtype=float)
    substeps = max(_LEAST_SUBSTEPS, stable_substeps(model, bound, interval, spacing, fields))
    return EquationOperator(model, interval, spacing, substeps, path_of(model))
