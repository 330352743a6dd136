"""The composite loss (§2.5, Eqs. 8–12).

    L = λ_s L_safe + λ_r L_rec + λ_i L_id + λ_b L_bounds  [+ λ_α L_α + λ_φ L_φ with labels]

A weight of zero switches a term off: it is not computed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

TERMS = ("safe", "reconstruction", "identity", "bounds", "supervised_alpha", "supervised_field")
# Terms that are not computed while encoder and decoder are frozen.
AUTOENCODER_TERMS = frozenset({"reconstruction", "identity", "supervised_field"})


@dataclass(frozen=True)
class Weights:
    """Weights λ of the terms, each at least 0, and the range of the bounds loss.

    Attributes
    ----------
    safe, reconstruction, identity, bounds
        λ_s, λ_r, λ_i, λ_b of Eq. 8.
    supervised_alpha, supervised_field
        Weights of the optional terms that use labels (§2.5).
    magnitude_low, magnitude_high
        Range of |α| in which the bounds loss is zero, length²/time; of several coefficients, that of each.
    """

    safe: float
    reconstruction: float
    identity: float
    bounds: float
    supervised_alpha: float
    supervised_field: float
    magnitude_low: float | Tensor
    magnitude_high: float | Tensor

    def of(self, term: str) -> float:
        """Weight of a term of :data:`TERMS`."""
        return float(getattr(self, term))

    def ramped(self, fraction: float) -> "Weights":
        """The same weights with those of :data:`AUTOENCODER_TERMS` scaled by ``fraction``."""
        return replace(self, **{term: fraction * self.of(term) for term in AUTOENCODER_TERMS})


def squared_difference(field: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference: L_rec (Eq. 10) of decoded and observed frames, L_id (Eq. 11) of latent and observed."""
    return (field - reference).square().mean()


def bounds_loss(magnitude: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """L_bounds = relu(α_lo − |α|)² + relu(|α| − α_hi)², mean over videos and coefficients (Eq. 12)."""
    return ((low - magnitude).relu().square() + (magnitude - high).relu().square()).mean()


def total(weights: Weights, terms: Mapping[str, Callable[[], Tensor]]) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of the terms of non-zero weight (Eq. 8).

    Parameters
    ----------
    weights
        Weights of the terms.
    terms
        Functions that compute the terms; one of weight zero is not called.

    Returns
    -------
    tuple
        The loss, and the unweighted value of every term of non-zero weight.

    Raises
    ------
    ValueError
        If all weights are zero.
    """
    values = {name: compute() for name, compute in terms.items() if weights.of(name) > 0}
    if not values:
        raise ValueError(f"no term is on: the weights of {', '.join(terms)} are all zero")
    loss = torch.stack([weights.of(name) * value.double() for name, value in values.items()]).sum()
    return loss, {name: value.item() for name, value in values.items()}
