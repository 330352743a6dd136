"""The paper's model and its training for an equation with several coefficients (§2.3, §2.6).

Encoder and decoder act on each field of a vector by itself, the estimator has an output for each coefficient, and the
latent transition is the SAFE operator of the equation. Losses, phases and test-time steps are those of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.models.model import Model
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.coefficient_estimator import estimator_of, stable_operator
from safe_pit_cm.safe.phases import Learning
from safe_pit_cm.safe.samples import SafeLoss, Sample, mean_squared_change


@dataclass(frozen=True)
class EquationSample(Sample):
    """A video of an equation, ``(time, field, y, x)``; the estimate is θ. Frames are always propagated to the next.

    Attributes
    ----------
    coefficients
        True values by name.
    """

    coefficients: Mapping[str, float]

    @classmethod
    def of_video(cls, video: xr.Dataset) -> Self:
        """Sample of a store of :func:`~safe_pit_cm.studies.equation_videos.simulate`."""
        field = torch.from_numpy(video["field"].to_numpy().astype(np.float32))
        return cls(str(video.attrs["parent"]), field, mean_squared_change(field), video.attrs["coefficients"])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the coefficients."""
        return tuple(self.coefficients)

    @property
    def truth(self) -> tuple[float, ...]:
        """True θ."""
        return tuple(self.coefficients.values())

    def coefficient(self, estimate: Tensor, propagation: Propagation) -> Tensor:
        """θ itself, whose signs the estimator gives."""
        return estimate

    def sides(self, video: Tensor, propagation: Propagation) -> tuple[Tensor, Tensor]:
        """Earlier and later frames of ``(..., time, field, y, x)``."""
        return video[..., :-1, :, :, :], video[..., 1:, :, :, :]

    def safe_loss(self, latent: Tensor, operator: Any, propagation: Propagation) -> SafeLoss:
        """By propagating every frame: a nonlinear equation has no spectral form."""
        source, target = self.sides(latent, propagation)
        return lambda theta: (operator(source, theta) - target).square().mean()


def learning(model: Model, spread: float, loss: Mapping[str, Any], training: Mapping[str, Any]) -> Learning:
    """Settings of a step for videos whose coefficients lie within ``spread`` of the example of the catalogue.

    The bounds loss (Eq. 12) is zero from half of the smallest value to 1.5 times the largest, of each coefficient. The
    SAFE loss is relative to the change from frame to frame, since the field may have any unit.

    Parameters
    ----------
    model
        The equation.
    spread
        Largest relative distance of a coefficient from its example.
    loss, training
        Sections of the configuration.
    """
    example = torch.tensor([each.example for each in model.coefficients])
    ends = torch.stack((0.5 * (1 - spread) * example, 1.5 * (1 + spread) * example))
    own = Learning.of_settings(loss, training)
    weights = replace(own.weights, magnitude_low=ends.amin(0), magnitude_high=ends.amax(0))
    return replace(own, weights=weights, normalise=True)


def fresh_model(
    model: Model,
    samples: Sequence[Sample],
    spread: float,
    *,
    interval: float,
    spacing: float,
    estimator: Mapping[str, Any],
    autoencoder: Mapping[str, Any],
) -> SafePitCm:
    """Untrained model for these videos, drawn from the random state of torch.

    Parameters
    ----------
    model, spread
        As in :func:`learning`.
    samples
        Videos on one grid, for which the operator must be stable.
    interval, spacing
        Frame interval Δt_f and grid spacing Δx.
    estimator, autoencoder
        Sections of the configuration.
    """
    largest = (1 + spread) * np.array([each.example for each in model.coefficients], dtype=float)
    operator = stable_operator(model, largest, interval, spacing, torch.cat([sample.field for sample in samples]))
    return SafePitCm(operator, estimator, autoencoder, partial(estimator_of, model, largest))
