"""Zero-shot inference of several coefficients from one video, by the SAFE loss alone (§2.7).

The attention estimator has one output for each coefficient. Its sign is the one that the bounds declare: a softplus for
a positive coefficient, its negative for a negative one, and the output itself where both signs are allowed, as for a
velocity, which a softplus could not make negative.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional

from safe_pit_cm.data import randomness
from safe_pit_cm.errors import DivergenceError
from safe_pit_cm.models.model import Model, Sign
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.safe.equation_operator import EquationOperator, stable_substeps
from safe_pit_cm.safe.optimisation import Adam
from safe_pit_cm.safe.patch_convolutions import patches

# Largest output of a fresh network, roughly.
_FRESH = 0.8


class CoefficientEstimator(AttentionEstimator):
    """The attention estimator with an output for each coefficient, of one field or several.

    Parameters
    ----------
    signs
        Sign of each coefficient.
    fields
        Number of fields, the channels of the first convolution.
    **settings
        Of :class:`~safe_pit_cm.safe.attention_estimator.AttentionEstimator`; it reads frames.
    """

    def __init__(self, signs: Sequence[Sign], fields: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.signs = tuple(signs)
        if fields > 1:
            self.convolutions[0] = nn.Conv2d(
                fields, int(settings["channels"]), kernel_size=3, stride=self.stride, padding=1, padding_mode="circular"
            )
        features = int(settings["features"])
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, len(self.signs)))

    def compress(self, video: Tensor) -> Tensor:
        """As of the estimator, for a video ``(video, time, field, y, x)``."""
        return patches(self.pool(video.flatten(0, 1)).unflatten(0, video.shape[:2]), self.stride)

    def forward(self, compressed: Tensor) -> Tensor:
        """θ of every video, shape ``(video, coefficient)``."""
        sequence = self.describe(compressed)
        attended, _ = self.attention(sequence, sequence, sequence, need_weights=False)
        outputs = self.head(self.normalisation(sequence + attended).mean(1))
        return torch.stack([_signed(sign, outputs[:, p]) for p, sign in enumerate(self.signs)], dim=-1)


def _signed(sign: Sign, output: Tensor) -> Tensor:
    if sign == "any":
        return output
    size = functional.softplus(output)
    return size if sign == "positive" else -size


def fit(
    frames: np.ndarray,
    model: Model,
    *,
    interval: float,
    spacing: float,
    estimator: Mapping[str, Any],
    steps: int = 200,
    learning_rate: float = 1e-3,
    substeps: int | None = None,
    largest: Sequence[float] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Fit a fresh estimator to one video.

    Parameters
    ----------
    frames
        ``(time, field, y, x)``, periodic, frames evenly spaced.
    model
        The equation.
    interval, spacing
        Frame interval Δt_f and grid spacing Δx.
    estimator
        Settings of the attention estimator.
    steps, learning_rate
        Of Adam.
    substeps
        S; None for the fewest that are stable at ``largest``, and at least 10.
    largest
        Coefficients for which the operator must be stable; None for those of the catalogue's example.
    seed
        Of the initial weights.

    Returns
    -------
    xr.Dataset
        ``theta(step, coefficient)`` and ``loss(step)``; attributes ``coefficients`` by name, ``substeps``, and the
        settings.

    Raises
    ------
    DivergenceError
        If the SAFE loss is not finite.
    """
    video = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))
    if substeps is None:
        examples = [each.example if each.example is not None else 1.0 for each in model.coefficients]
        bound = np.array(largest if largest is not None else examples, dtype=float)
        # A fresh network starts near softplus(0): that, too, must be stable.
        signs = np.array([{"positive": 1.0, "negative": -1.0, "any": 0.0}[each.sign] for each in model.coefficients])
        bound = np.where(np.abs(bound) < _FRESH, np.where(signs == 0, bound, signs * _FRESH), bound)
        substeps = max(10, stable_substeps(model, bound, interval, spacing, video))
    linear = model.is_linear and not any(part != 0 for part in model.split[0][1].terms.values())
    operator = EquationOperator(model, interval, spacing, substeps, "fourier" if linear else "stencil")
    # Relative to the changes from frame to frame, as in training: the gradients do not depend on the unit of the field.
    scale = (video[1:] - video[:-1]).square().mean().clamp_min(1e-30)
    start = randomness.torch_seed(seed, 0, "zero_shot", 0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(start)
        network = CoefficientEstimator([each.sign for each in model.coefficients], len(model.fields), **estimator)
    compressed = network.compress(video[None])
    optimiser = Adam((network.parameters(), learning_rate))
    found, losses = np.empty((steps + 1, len(model.names))), np.empty(steps + 1)
    for step in range(steps + 1):
        theta = network(compressed)[0]
        loss = (operator(video[:-1], theta) - video[1:]).square().mean() / scale
        found[step], losses[step] = theta.detach().numpy(), loss.item()
        if not np.isfinite(losses[step]):
            raise DivergenceError(
                f"the SAFE loss of {model.name} is {losses[step]} with {substeps} sub-steps; take more sub-steps, "
                "or frames "
                "at shorter intervals"
            )
        if step < steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return xr.Dataset(
        {
            "theta": (("step", "coefficient"), found, {"long_name": "coefficients", "units": "1"}),
            "loss": ("step", losses, {"long_name": "SAFE loss relative to the changes", "units": "1"}),
        },
        attrs={
            "model": model.name,
            "equation": model.source,
            "coefficients": dict(zip(model.names, map(float, found[-1]), strict=True)),
            "substeps": substeps,
            "steps": steps,
            "learning_rate": learning_rate,
        },
    )
