"""Zero-shot inference of several coefficients from one video, by the SAFE loss alone (§2.7)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.errors import DivergenceError
from safe_pit_cm.models.model import Model
from safe_pit_cm.safe.coefficient_estimator import estimator_of, stable_operator
from safe_pit_cm.safe.equation_operator import EquationOperator, path_of
from safe_pit_cm.safe.optimisation import Adam


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
        Coefficients at their largest, where the estimator starts and for which the operator must be stable; None for
        those of the catalogue's example, or 1.
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
    if largest is None:
        largest = [each.example if each.example is not None else 1.0 for each in model.coefficients]
    if substeps is None:
        operator = stable_operator(model, largest, interval, spacing, video)
    else:
        operator = EquationOperator(model, interval, spacing, substeps, path_of(model))
    # Relative to the changes from frame to frame, as in training: the gradients do not depend on the unit of the field.
    scale = (video[1:] - video[:-1]).square().mean().clamp_min(1e-30)
    start = randomness.torch_seed(seed, 0, "zero_shot", 0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(start)
        network = estimator_of(model, largest, **estimator)
    compressed = network.compress(video[None])
    optimiser = Adam((network.parameters(), learning_rate))
    found, losses = np.empty((steps + 1, len(model.names))), np.empty(steps + 1)
    for step in range(steps + 1):
        theta = network(compressed)[0]
        loss = (operator(video[:-1], theta) - video[1:]).square().mean() / scale
        found[step], losses[step] = theta.detach().numpy(), loss.item()
        if not np.isfinite(losses[step]):
            raise DivergenceError(
                f"the SAFE loss of {model.name} is {losses[step]} with {operator.substeps} sub-steps; "
                "take more sub-steps, or frames at shorter intervals"
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
            "substeps": operator.substeps,
            "steps": steps,
            "learning_rate": learning_rate,
        },
    )
