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
import xarray as xr
from torch import Tensor, nn

from safe_pit_cm.equations.processes import PROCESS_SIGN, Process, Propagation, propagation_sign
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import Weights, bounds_loss, squared_difference, total
from safe_pit_cm.safe.optimisation import Adam
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss, frame_pairs

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
class Sample:
    """A video to learn from.

    Attributes
    ----------
    parent, process
        Names that identify the video.
    field
        φ, shape ``(time, y, x)``, float32.
    magnitude
        True |α|, read by the supervised terms and by error reports only.
    change
        Mean squared difference of successive frames, squared field units.
    """

    parent: str
    process: Process
    field: Tensor
    magnitude: float
    change: float

    @classmethod
    def of_video(cls, video: xr.Dataset, device: str | torch.device = "cpu") -> Self:
        """Sample of a video store."""
        field = torch.from_numpy(video["field"].to_numpy().copy())
        return cls(
            parent=str(video.attrs["parent"]),
            process=video.attrs["process"],
            field=field.to(device),
            magnitude=abs(float(video.attrs["transport_coefficient"])),
            change=float(field.diff(dim=0).double().square().mean()),
        )

    @property
    def sign(self) -> float:
        """Sign of α, which follows from the process."""
        return PROCESS_SIGN[self.process]


@dataclass(frozen=True)
class Latent:
    """Data from which the estimator learns: its input from a latent video, and the SAFE loss as a function of |α|."""

    compressed: Tensor
    safe: SpectralSafeLoss


def encode(model: SafePitCm, sample: Sample) -> Tensor:
    """Latent video ``(time, y, x)``, without gradient."""
    return model.encoder.apply_frozen(sample.field)


def freeze(model: SafePitCm, sample: Sample, propagation: Propagation) -> Latent:
    """Encode a video once for all steps of Phase 1, or for some of Phase 2."""
    return reduce(model, sample, encode(model, sample), propagation)


def reduce(model: SafePitCm, sample: Sample, latent: Tensor, propagation: Propagation) -> Latent:
    """The same of a latent video ``(time, y, x)`` that is at hand."""
    safe = SpectralSafeLoss.of_video(latent, model.operator, sample.process, propagation)
    return Latent(model.estimator.compress(latent[None])[0], safe)


def _scale(learning: Learning, samples: Sequence[Sample], like: Tensor) -> Tensor:
    return like.new_tensor([sample.change if learning.normalise else 1.0 for sample in samples])


def _true(samples: Sequence[Sample], like: Tensor) -> Tensor:
    return like.new_tensor([sample.magnitude for sample in samples])


def _estimate(model: SafePitCm, latents: Sequence[Latent]) -> Tensor:
    """|α| of every video, with its gradient."""
    return model.estimator(torch.stack([latent.compressed for latent in latents]))


def _safe(learning: Learning, samples: Sequence[Sample], latents: Sequence[Latent], magnitude: Tensor) -> Tensor:
    """SAFE loss over all frame pairs of the latent videos, as a function of |α|."""
    losses = torch.stack([latent.safe(one) for latent, one in zip(latents, magnitude, strict=True)])
    return (losses / _scale(learning, samples, losses)).mean()


def frozen_loss(
    model: SafePitCm, learning: Learning, samples: Sequence[Sample], latents: Sequence[Latent]
) -> tuple[Tensor, Terms]:
    """Loss of Phase 1: of the estimator alone, over all frame pairs of each video."""
    magnitude = _estimate(model, latents)
    weights = learning.weights
    return total(
        weights,
        {
            "safe": lambda: _safe(learning, samples, latents, magnitude),
            "bounds": lambda: bounds_loss(magnitude, weights.magnitude_low, weights.magnitude_high),
            "supervised_alpha": lambda: squared_difference(magnitude, _true(samples, magnitude)),
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
    towards the encoder comes from ``frames``, at the same |α|.

    Parameters
    ----------
    model, learning, samples
        The model, how it learns, and the videos.
    weights
        Of the loss terms at this step.
    latents
        The latent videos as last encoded.
    frames
        Pairs of observed frames, the earlier first: ``(video, pair, 2, y, x)``.
    """
    magnitude = _estimate(model, latents)
    latent = model.encoder(frames)
    sign = magnitude.new_tensor([propagation_sign(sample.process, learning.propagation) for sample in samples])

    def propagated(pairs: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Sources propagated by the SAFE operator, and their targets: each ``(video, pair, 1, y, x)``."""
        sides = [
            frame_pairs(pair, sample.process, learning.propagation) for pair, sample in zip(pairs, samples, strict=True)
        ]
        source, target = (torch.stack(side) for side in zip(*sides, strict=True))
        return model.operator(source, alpha[:, None, None]), target

    def safe() -> Tensor:
        predicted, target = propagated(latent, sign * magnitude.detach())
        losses = (predicted - target).square().mean((1, 2, 3, 4))
        sampled = (losses / _scale(learning, samples, losses)).mean()
        return _safe(learning, samples, latents, magnitude) + (sampled - sampled.detach())

    def supervised_field() -> Tensor:
        predicted, _ = propagated(latent, sign * magnitude)
        _, observed = propagated(frames, sign * magnitude.detach())
        return squared_difference(model.decoder(predicted), observed)

    return total(
        weights,
        {
            "safe": safe,
            "reconstruction": lambda: squared_difference(model.decoder(latent), frames),
            "identity": lambda: squared_difference(latent, frames),
            "bounds": lambda: bounds_loss(magnitude, weights.magnitude_low, weights.magnitude_high),
            "supervised_alpha": lambda: squared_difference(magnitude, _true(samples, magnitude)),
            "supervised_field": supervised_field,
        },
    )


def draw_pairs(samples: Sequence[Sample], pairs: int, generator: torch.Generator) -> Tensor:
    """Draw frame pairs ``(video, pair, 2, y, x)``, the earlier frame first, uniformly and with replacement.

    Never more than a video has, so that memory is bounded.
    """
    count = min(pairs, *(len(sample.field) - 1 for sample in samples))
    chosen = []
    for sample in samples:
        first = torch.randint(len(sample.field) - 1, (count,), generator=generator)
        chosen.append(torch.stack((sample.field[first], sample.field[first + 1]), dim=1))
    return torch.stack(chosen)


def step(model: SafePitCm, optimiser: Adam, loss: Tensor, maximum_gradient_norm: float) -> None:
    """Take one step of gradient descent on ``loss``, with a limited gradient norm."""
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), maximum_gradient_norm)
    optimiser.step()
