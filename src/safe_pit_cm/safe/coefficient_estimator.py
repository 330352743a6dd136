"""The attention estimator with an output for each coefficient of an equation, and the operator that suits it.

The sign of an output is the one that the bounds declare: a softplus for a positive coefficient, its negative for a
negative one, and the output itself where both signs are allowed, as for a velocity, which a softplus could not make
negative.
"""

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

# Largest output of a fresh network, roughly.
_FRESH = 0.8
_LEAST_SUBSTEPS = 10


class CoefficientEstimator(AttentionEstimator):
    """The attention estimator with an output for each coefficient, of one field or several.

    Parameters
    ----------
    signs
        Sign of each coefficient.
    fields
        Number of fields.
    **settings
        Of :class:`~safe_pit_cm.safe.attention_estimator.AttentionEstimator`.

    Raises
    ------
    ValueError
        If it is to read ``rates``, which tell one coefficient.
    """

    def __init__(self, signs: Sequence[Sign], fields: int = 1, **settings: Any) -> None:
        if settings.get("reads") == "rates":
            raise ValueError("rates tell one coefficient; let the estimator read frames, positions or changes")
        super().__init__(fields=fields, **settings)
        self.signs = tuple(signs)
        features = int(settings["features"])
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, len(self.signs)))

    def forward(self, compressed: Tensor) -> Tensor:
        """θ of every video, shape ``(video, coefficient)``."""
        outputs = self.head(self.summarise(compressed))
        return torch.stack([_signed(sign, outputs[:, p]) for p, sign in enumerate(self.signs)], dim=-1)


def _signed(sign: Sign, output: Tensor) -> Tensor:
    if sign == "any":
        return output
    size = functional.softplus(output)
    return size if sign == "positive" else -size


def signs_of(model: Model) -> list[Sign]:
    """Sign of each coefficient of an equation."""
    return [each.sign for each in model.coefficients]


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
    bound = np.array(largest, dtype=float)
    # A fresh network starts near softplus(0): that, too, must be stable.
    signs = np.array([{"positive": 1.0, "negative": -1.0, "any": 0.0}[sign] for sign in signs_of(model)])
    bound = np.where(np.abs(bound) < _FRESH, np.where(signs == 0, bound, signs * _FRESH), bound)
    substeps = max(_LEAST_SUBSTEPS, stable_substeps(model, bound, interval, spacing, fields))
    return EquationOperator(model, interval, spacing, substeps, path_of(model))
