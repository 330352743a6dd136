"""Trained inference: a few test-time steps of the trained model on one held-out video (§3.1).

The steps follow the two phases of training: first the estimator alone on the frozen encoder's latent video, then the
whole model on sampled frame pairs. The result before any step, which is amortised inference, is stored separately.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.safe import ending
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import squared_difference
from safe_pit_cm.safe.phases import (
    Latent,
    Learning,
    autoencoder_loss,
    draw_pairs,
    encode,
    freeze,
    frozen_loss,
    reduce,
    step,
)
from safe_pit_cm.safe.samples import ProcessSample, Sample

StepProgress = Callable[[int, float, float], None]


@dataclass(frozen=True)
class Assessment:
    """Output of the model for a video: the estimate, losses over all frame pairs, and fields by frame pair."""

    estimate: Tensor
    safe: float
    reconstruction: float
    residual: NDArray[np.float32]
    predicted: NDArray[np.float32]
    decoded: NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """Test-time steps on a video.

    Attributes
    ----------
    estimates, losses
        At every step, the result last: ``(step, ...)`` and ``(step,)``.
    before, after
        Output of the model without and with the steps.
    """

    estimates: NDArray[np.float64]
    losses: NDArray[np.float64]
    before: Assessment
    after: Assessment


@torch.no_grad()
def _assess(model: SafePitCm, sample: Sample, propagation: Propagation) -> tuple[Assessment, Latent]:
    """Output of the model, and the latent video from which the estimator learns."""
    video = encode(model, sample)
    latent = reduce(model, sample, video, propagation)
    estimate = model.estimator(latent.compressed[None])[0]
    source, target = sample.sides(video, propagation)
    propagated = model.operator(source, sample.coefficient(estimate, propagation))
    squared = (propagated - target).double().square()
    decoded = model.decoder.apply_frozen(video)
    assessment = Assessment(
        estimate=estimate,
        safe=squared.mean().item(),
        reconstruction=squared_difference(decoded.double(), sample.field).item(),
        residual=squared.flatten(1).mean(1).sqrt().float().cpu().numpy(),
        predicted=model.decoder.apply_frozen(propagated).cpu().numpy(),
        decoded=decoded[1:].cpu().numpy(),
    )
    return assessment, latent


def take_steps(
    model: SafePitCm,
    sample: Sample,
    *,
    learning: Learning,
    steps: int,
    frozen_fraction: float,
    refresh: int,
    seed: int,
    progress: Callable[[int, float, Tensor], None] = lambda step, loss, estimate: None,
) -> Course:
    """Take test-time steps on one video; arguments as in :func:`refine`, which says what they give for the paper."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = learning.optimiser(model)
    # One video is too little to update the statistics of batch normalisation: they are kept.
    model.eval()
    before, latent = _assess(model, sample, learning.propagation)
    estimates, losses = [], np.empty(steps + 1)
    frozen_steps = round(frozen_fraction * steps)
    for number in range(steps):
        if number < frozen_steps:
            loss, _ = frozen_loss(model, learning, [sample], [latent])
        else:
            # At the first step of Phase 2 the encoder is still that of Phase 1.
            if number > frozen_steps and (number - frozen_steps) % refresh == 0:
                latent = freeze(model, sample, learning.propagation)
            frames = draw_pairs([sample], learning.pairs, generator)
            loss, _ = autoencoder_loss(model, learning, learning.weights, [sample], [latent], frames)
        with torch.no_grad():
            estimate = model.estimator(latent.compressed[None])[0]
            losses[number] = latent.safe(estimate).item()
        estimates.append(estimate.tolist())
        progress(number, losses[number], estimate)
        step(optimiser, loss, learning.maximum_gradient_norm)
    after, _ = _assess(model, sample, learning.propagation)
    losses[steps] = after.safe
    return Course(np.array([*estimates, after.estimate.tolist()]), losses, before, after)


def refine(
    model: SafePitCm,
    video: xr.Dataset,
    *,
    learning: Learning,
    steps: int,
    frozen_fraction: float,
    refresh: int,
    seed: int,
    progress: StepProgress = lambda step, loss, alpha: None,
) -> xr.Dataset:
    """Take test-time steps on one video.

    Parameters
    ----------
    model
        A trained model; changed in place.
    video
        ``field(time, y, x)``, with its process and true α as attributes. The true α is copied, not used.
    learning
        Settings of a step.
    steps, frozen_fraction
        Number of steps, and the fraction of them in Phase 1.
    refresh
        Steps of Phase 2 between encodings of the latent video from which the estimator learns.
    seed
        Seed of the choice of frame pairs.
    progress
        Called before every step with the step, its loss and α.

    Returns
    -------
    xr.Dataset
        ``alpha(step)`` and ``loss(step)`` for step 0 (amortised inference) to ``steps`` (the result); the loss is the
        SAFE loss, in Phase 2 that of the latent video as last encoded. Over frame pairs, by the time of the later
        frame: ``residual(time)``, the root mean square of SAFE(z_t, α) − z_{t+1}; ``predicted(time, y, x)``, the
        decoded SAFE(z_t, α); and ``decoded(time, y, x)``, the later frame encoded and decoded. The final ``alpha``,
        its ``ending`` (:mod:`safe_pit_cm.safe.ending`), SAFE loss and reconstruction loss, and the same
        ``…_amortised`` before the steps, as attributes.
    """
    sample = ProcessSample.of_video(video, next(model.parameters()).device)
    course = take_steps(
        model,
        sample,
        learning=learning,
        steps=steps,
        frozen_fraction=frozen_fraction,
        refresh=refresh,
        seed=seed,
        progress=lambda number, loss, estimate: progress(number, loss, sample.sign * estimate.item()),
    )
    magnitudes, losses, before, after = course.estimates, course.losses, course.before, course.after
    # Beyond them the loss of the model penalises |α|.
    bounds = float(learning.weights.magnitude_low), float(learning.weights.magnitude_high)

    unit = {"units": "1"}
    pairs = ("time", "y", "x")
    return xr.Dataset(
        {
            "alpha": ("step", sample.sign * magnitudes, {"long_name": "transport coefficient α", **unit}),
            "loss": ("step", losses, {"long_name": "SAFE loss", **unit}),
            "residual": ("time", after.residual, {"long_name": "root mean square residual at the final α", **unit}),
            "predicted": (pairs, after.predicted, {"long_name": "decoded prediction of the frame", **unit}),
            "decoded": (pairs, after.decoded, {"long_name": "frame encoded and decoded", **unit}),
        },
        coords={
            "step": ("step", np.arange(steps + 1), {"long_name": "test-time steps taken", **unit}),
            "time": video["time"][1:],
            "y": video["y"],
            "x": video["x"],
        },
        attrs={
            **{
                name: video.attrs[name]
                for name in ("parent", "process", "transport_coefficient", "diffusivity", "seed")
            },
            "alpha": sample.sign * after.estimate.item(),
            "safe_loss": after.safe,
            "reconstruction_loss": after.reconstruction,
            "ending": ending.of_fit(magnitudes, losses, bounds),
            "alpha_amortised": sample.sign * before.estimate.item(),
            "ending_amortised": ending.of_fit(before.estimate.item(), before.safe, bounds),
            "safe_loss_amortised": before.safe,
            "reconstruction_loss_amortised": before.reconstruction,
            "propagation": learning.propagation,
            "substeps": model.operator.substeps,
            "steps": steps,
        },
    )
