"""Zero-shot inference: learn α from one video by the SAFE loss alone (§2.7).

A fresh model is optimised on the video to be measured. Encoder and decoder are frozen, and with their
zero-initialised projections they are the identity (§2.3), so z = φ, and the SAFE loss depends on the estimator through
α alone: its spectral form applies.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.processes import PROCESS_SIGN, Process, Propagation, propagation_sign
from safe_pit_cm.errors import DivergenceError
from safe_pit_cm.safe import ending
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.safe.loss import loss_of_magnitude
from safe_pit_cm.safe.operator import OperatorPath, SafeOperator
from safe_pit_cm.safe.optimisation import Adam
from safe_pit_cm.safe.spectral_loss import frame_pairs
from safe_pit_cm.simulation.videos import frame_interval

StepProgress = Callable[[int, float, float], None]


def fit(
    video: xr.Dataset,
    *,
    propagation: Propagation,
    substeps: int,
    steps: int,
    learning_rate: float,
    estimator: Mapping[str, Any],
    seed: int,
    replicate: int = 0,
    path: OperatorPath = "fourier",
    device: str = "cpu",
    progress: StepProgress = lambda step, loss, alpha: None,
) -> xr.Dataset:
    """Fit a fresh attention estimator to one video.

    Parameters
    ----------
    video
        ``field(time, y, x)``, with its numerical settings, process and true α as attributes.
    propagation
        Propagation of mobility: ``signed`` as published, or ``stable``.
    substeps
        Sub-steps S of the SAFE operator.
    steps
        Adam steps.
    learning_rate
        Of Adam.
    estimator
        Arguments of :class:`~safe_pit_cm.safe.attention_estimator.AttentionEstimator`.
    seed
        Seed of the configuration; with the parent it determines the initial weights.
    replicate
        Number of the fit among several that differ in their initial weights only.
    path
        ``fourier`` (default), or ``stencil``: the same loss and, up to rounding, the same fit, by back-propagation
        through S stencils, about a hundred times slower.
    device
        Torch device to fit on.
    progress
        Called after every step with the step, the loss and α before it.

    Raises
    ------
    DivergenceError
        If the SAFE loss is not finite: the operator amplifies some wavenumber beyond the range of floating-point
        numbers.

    Returns
    -------
    xr.Dataset
        ``alpha(step)`` and ``loss(step)`` for step 0 (the fresh model) to ``steps`` (the result); ``residual(time)``,
        the root mean square of SAFE(z_t, α) − z_{t+1} over each pair at the final α, by the time of the later frame;
        the final ``alpha``, how the fit ended (``ending``, see :mod:`safe_pit_cm.safe.ending`), the true
        ``transport_coefficient`` and the settings as attributes.
    """
    process: Process = video.attrs["process"]
    operator = SafeOperator(frame_interval(video), float(video.attrs["grid_spacing"]), substeps, path)
    frames = torch.from_numpy(video["field"].to_numpy().copy()).to(device)
    loss_of = loss_of_magnitude(frames, operator, process, propagation)

    start = randomness.torch_seed(seed, int(video.attrs["parent"]), "zero_shot", replicate)
    # The random state of the caller is preserved. Weights are drawn on the CPU and do not depend on the device.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(start)
        model = AttentionEstimator(**estimator).to(device)
    compressed = model.compress(frames[None])
    optimiser = Adam((model.parameters(), learning_rate))
    magnitudes, losses = np.empty(steps + 1), np.empty(steps + 1)
    sign = PROCESS_SIGN[process]
    for step in range(steps + 1):
        magnitude = model(compressed)[0]
        loss = loss_of(magnitude)
        magnitudes[step], losses[step] = magnitude.item(), loss.item()
        if not np.isfinite(losses[step]):
            raise DivergenceError(
                f"the SAFE loss of the {process} video of parent {video.attrs['parent']} is {losses[step]} at "
                f"α = {sign * magnitudes[step]:.3g} ({propagation} propagation): {substeps} sub-steps of "
                f"{operator.interval / substeps:.3g} amplify it without bound; save frames more often "
                "(time.save_interval) or use fewer sub-steps (safe_operator.substeps)"
            )
        progress(step, losses[step], sign * magnitudes[step])
        if step < steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    bounds = ending.magnitude_bounds(operator.interval, float(operator.symbol(frames).max()))
    source, target = frame_pairs(frames, process, propagation)
    with torch.no_grad():
        predicted = operator(source, propagation_sign(process, propagation) * magnitude.detach())
    residual = (predicted - target).square().mean((-2, -1)).sqrt()
    return xr.Dataset(
        {
            "alpha": (
                "step",
                sign * magnitudes,
                {"long_name": "transport coefficient α", "units": "1"},
            ),
            "loss": ("step", losses, {"long_name": "SAFE loss", "units": "1"}),
            "residual": (
                "time",
                residual.cpu().numpy(),
                {"long_name": "root mean square residual at the final α", "units": "1"},
            ),
        },
        coords={
            "step": ("step", np.arange(steps + 1), {"long_name": "Adam steps taken", "units": "1"}),
            "time": video["time"][1:],
        },
        attrs={
            **{
                name: video.attrs[name]
                for name in ("parent", "process", "transport_coefficient", "diffusivity", "seed")
            },
            "alpha": float(sign * magnitudes[-1]),
            "ending": ending.of_fit(magnitudes, losses, bounds),
            "propagation": propagation,
            "substeps": substeps,
            "steps": steps,
            "learning_rate": learning_rate,
            **{f"estimator_{name}": value for name, value in estimator.items()},
        },
    )
