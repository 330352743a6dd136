"""One step of learning, on many videos in training or on one at test time (§2.5, §2.6).

Phase 1 keeps encoder and decoder frozen. The latent video then never changes, so the SAFE loss depends on the estimator
through |α| alone, and its spectral form, computed once per video, is exact. Phase 2 unfreezes them. Encoding every
frame at every step would cost far more than the step, so encoder and decoder learn from a few frame pairs of each
video, propagated through encoder, SAFE operator and decoder, and the estimator learns from the whole latent video,
which is encoded again from time to time. It needs all pairs: signed mobility is determined by the few in which sharp
detail appears, and a step that draws none of them moves |α| away from its value.

Mixed precision is not used on any device: it would change published digits. Merely rounding the frames of the default
test videos moves the MAE of signed mobility, at the minimum of the SAFE loss, from 0.0181 to 0.0123 (float16) or 0.103
(bfloat16), and that of diffusion from 1e-9 to 2e-5 or 4e-4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import Weights, bounds_loss, squared_difference, total
from safe_pit_cm.safe.optimisation import Adam
from safe_pit_cm.safe.samples import SafeLoss, Sample

Terms = dict[str, float]


@dataclass(frozen=True)
class Learning:
    """Settings of a step.

    Attributes
    ----------
    weights
        Of the loss terms.
    propagation
        Propagation of mobility.
    normalise
        Divide the SAFE loss of a video by its mean squared frame difference. It is then the fraction of the observed
        change that the model leaves unexplained, 1 at α = 0, and no video outweighs another.
    pairs
        Frame pairs per video and step in Phase 2, at most as many as a video has.
    estimator_rate, autoencoder_rate
        Learning rates of Adam for the estimator, and for encoder and decoder.
    maximum_gradient_norm
        Largest gradient norm of a step.
    """

    weights: Weights
    propagation: Propagation
    normalise: bool
    pairs: int
    estimator_rate: float
    autoencoder_rate: float
    maximum_gradient_norm: float

    @classmethod
    def of_settings(cls, loss: Mapping[str, Any], training: Mapping[str, Any]) -> Self:
        """Settings from the sections ``loss`` and ``training`` of the configuration."""
        weights = Weights(**{name: value for name, value in loss.items() if name != "normalise"})
        own = {entry.name: training[entry.name] for entry in fields(cls) if entry.name in training}
        return cls(weights=weights, normalise=loss["normalise"], **own)

    def optimiser(self, model: SafePitCm) -> Adam:
        """Adam with its two learning rates; parameters without gradient are unchanged."""
        return Adam(
            (model.estimator.parameters(), self.estimator_rate),
            (model.autoencoder_parameters(), self.autoencoder_rate),
        )


@dataclass(frozen=True)
class Latent:
    """Data from which the estimator learns: its input, and the SAFE loss as a function of its output."""

    compressed: Tensor
    safe: SafeLoss


def encode(model: SafePitCm, sample: Sample) -> Tensor:
    """Latent video, of the shape of the field, without gradient."""
    return model.encoder.apply_frozen(sample.field)


def freeze(model: SafePitCm, sample: Sample, propagation: Propagation) -> Latent:
    """Encode a video once for all steps of Phase 1, or for some of Phase 2."""
    return reduce(model, sample, encode(model, sample), propagation)


def reduce(model: SafePitCm, sample: Sample, latent: Tensor, propagation: Propagation) -> Latent:
    """The same of a latent video that is at hand."""
    safe = sample.safe_loss(latent, model.operator, propagation)
    return Latent(model.estimator.compress(latent[None])[0], safe)


def _scale(learning: Learning, samples: Sequence[Sample], like: Tensor) -> Tensor:
    return like.new_tensor([sample.change if learning.normalise else 1.0 for sample in samples])


def truths(samples: Sequence[Sample], like: Tensor) -> Tensor:
    """True values of the estimates, dtype and device of ``like``."""
    return like.new_tensor([sample.truth for sample in samples])


def _estimate(model: SafePitCm, latents: Sequence[Latent]) -> Tensor:
    """Estimates, |α| or θ, of every video, with their gradient."""
    return model.estimator(torch.stack([latent.compressed for latent in latents]))


def _safe(learning: Learning, samples: Sequence[Sample], latents: Sequence[Latent], estimates: Tensor) -> Tensor:
    """SAFE loss over all frame pairs of the latent videos, as a function of the estimates."""
    losses = torch.stack([latent.safe(one) for latent, one in zip(latents, estimates, strict=True)])
    return (losses / _scale(learning, samples, losses)).mean()


def frozen_loss(
    model: SafePitCm, learning: Learning, samples: Sequence[Sample], latents: Sequence[Latent]
) -> tuple[Tensor, Terms]:
    """Loss of Phase 1: of the estimator alone, over all frame pairs of each video."""
    estimates = _estimate(model, latents)
    weights = learning.weights
    return total(
        weights,
        {
            "safe": lambda: _safe(learning, samples, latents, estimates),
            "bounds": lambda: bounds_loss(estimates, weights.magnitude_low, weights.magnitude_high),
            "supervised_alpha": lambda: squared_difference(estimates, truths(samples, estimates)),
        },
    )


def autoencoder_loss(
    model: SafePitCm,
    learning: Learning,
    weights: Weights,
    samples: Sequence[Sample],
    latents: Sequence[Latent],
    frames: Tensor,
) -> tuple[Tensor, Terms]:
    """Loss of Phase 2: of the whole model.

    The SAFE loss is that of all frame pairs of ``latents``. Its gradient towards the estimator is the exact one; that
    towards the encoder comes from ``frames``, at the same estimates.

    Parameters
    ----------
    model, learning, samples
        The model, how it learns, and the videos.
    weights
        Of the loss terms at this step.
    latents
        The latent videos as last encoded.
    frames
        Pairs of observed frames, the earlier first: ``(video, pair, 2, *frame)``.
    """
    estimates = _estimate(model, latents)
    latent = model.encoder(frames)

    def propagated(pairs: Tensor, estimates: Tensor) -> tuple[Tensor, Tensor]:
        """Sources propagated by the SAFE operator, and their targets: each ``(video, pair, 1, *frame)``."""
        sides = [sample.sides(pair, learning.propagation) for pair, sample in zip(pairs, samples, strict=True)]
        source, target = (torch.stack(side) for side in zip(*sides, strict=True))
        own = [sample.coefficient(one, learning.propagation) for one, sample in zip(estimates, samples, strict=True)]
        return model.operator(source, torch.stack(own)[:, None, None]), target

    def safe() -> Tensor:
        predicted, target = propagated(latent, estimates.detach())
        losses = (predicted - target).square().flatten(1).mean(1)
        sampled = (losses / _scale(learning, samples, losses)).mean()
        return _safe(learning, samples, latents, estimates) + (sampled - sampled.detach())

    def supervised_field() -> Tensor:
        predicted, _ = propagated(latent, estimates)
        _, observed = propagated(frames, estimates.detach())
        return squared_difference(model.decoder(predicted), observed)

    return total(
        weights,
        {
            "safe": safe,
            "reconstruction": lambda: squared_difference(model.decoder(latent), frames),
            "identity": lambda: squared_difference(latent, frames),
            "bounds": lambda: bounds_loss(estimates, weights.magnitude_low, weights.magnitude_high),
            "supervised_alpha": lambda: squared_difference(estimates, truths(samples, estimates)),
            "supervised_field": supervised_field,
        },
    )


def draw_pairs(samples: Sequence[Sample], pairs: int, generator: torch.Generator) -> Tensor:
    """Draw frame pairs ``(video, pair, 2, *frame)``, the earlier frame first, uniformly and with replacement.

    Never more than a video has, so that memory is bounded.
    """
    count = min(pairs, *(len(sample.field) - 1 for sample in samples))
    chosen = []
    for sample in samples:
        first = torch.randint(len(sample.field) - 1, (count,), generator=generator)
        chosen.append(torch.stack((sample.field[first], sample.field[first + 1]), dim=1))
    return torch.stack(chosen)


def step(optimiser: Adam, loss: Tensor, maximum_gradient_norm: float) -> None:
    """Take one step of gradient descent on ``loss``, with a limited gradient norm."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.clip(maximum_gradient_norm)
    optimiser.step()
