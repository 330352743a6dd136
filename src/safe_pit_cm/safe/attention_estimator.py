"""The attention-based estimator of the transport coefficient (§2.3, "Physics estimator").

As published, it sees single frames: self-attention without positions, followed by a mean over time, is a symmetric
function of the frames, so that a video, its reversal and any permutation of it give the same |α|. It depends on how
smooth the frames are, not on how fast they change. ``reads`` selects its input:

``frames``
    As published.
``positions``
    The same, with a sinusoidal encoding of the frame number added to each feature vector.
``changes``
    Pairs of successive frames: their mean and their difference, as the two channels of the convolutions.
``rates``
    Pairs again, as the logarithm of the power that learned linear filters find in the difference, relative to the power
    that they find in the mean. For a filter that passes one band of wavenumbers, that is the logarithm of (α λ Δt_f)²:
    the size of the field cancels, and α is an additive constant.
"""

import math
from itertools import combinations_with_replacement
from typing import Literal

import torch
from torch import Tensor, nn

from safe_pit_cm.safe.patch_convolutions import mean_of_outputs, patches

Reads = Literal["frames", "positions", "changes", "rates"]


def _mean_and_change(compressed: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and difference of successive frames: each ``(video, time − 1, ..., y, x)``."""
    earlier, later = compressed[:, :-1], compressed[:, 1:]
    return 0.5 * (earlier + later), later - earlier


def _standardised(pooled: Tensor) -> Tensor:
    """Pooled videos ``(video, time, y, x)``, each with mean 0 and standard deviation 1; of several fields, each field.

    Fields lie between 0 and 1 and fade to a constant, so that most frames differ little from one another; without this,
    features of all videos are nearly the same, and training stays for long at one |α| for all of them.
    """
    whole = (1, -2, -1)
    centred = pooled - pooled.mean(whole, keepdim=True)
    # A video without contrast remains zero.
    return centred / centred.square().mean(whole, keepdim=True).sqrt().clamp_min(torch.finfo(pooled.dtype).tiny)


def position_encoding(frames: int, features: int, *, like: Tensor) -> Tensor:
    """Sinusoidal encoding of the frame number, shape ``(time, feature)``, dtype and device of ``like``."""
    frequency = torch.exp(torch.arange(0, features, 2, device=like.device) * (-math.log(1e4) / features))
    angle = torch.arange(frames, device=like.device)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :features].to(like.dtype)


# Taps of a 3 × 3 filter: offsets of the pixels that the weights multiply.
_TAPS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
# Pairs of them, each once.
_PAIRS = [*combinations_with_replacement(range(len(_TAPS)), 2)]
_FIRST_TAP, _SECOND_TAP = [first for first, _ in _PAIRS], [second for _, second in _PAIRS]


def _tap_products(fields: Tensor) -> Tensor:
    """Mean products of fields ``(..., y, x)`` under every pair of taps, ``(..., pair)``, from which all powers follow.

    Filtering is linear: with the nine shifts of a field as the columns of P, a filter of weights w gives the field P w,
    of power wᵀ (Pᵀ P) w. Pᵀ P is the same at every step, and float64 preserves the small power behind a filter that
    nearly cancels the field.
    """
    shifted = torch.stack([fields.roll(tap, (-2, -1)).flatten(-2) for tap in _TAPS], dim=-2).double()
    return (shifted @ shifted.mT / shifted.shape[-1])[..., _FIRST_TAP, _SECOND_TAP]


class _Powers(nn.Module):
    """Feature vectors of ``rates``: logarithmic powers in learned linear filters, ``(video, time − 1, feature)``."""

    def __init__(self, filters: int, features: int) -> None:
        super().__init__()
        # Initialised like a convolution from one channel.
        self.filters = nn.Linear(len(_TAPS), filters, bias=False)
        self.mix = nn.Linear(2 * filters, features)

    def forward(self, products: Tensor) -> Tensor:
        weight = self.filters.weight.to(products.dtype)
        # A pair of two taps stands for both of its orders.
        count = weight.new_tensor([1.0 if first == second else 2.0 for first, second in _PAIRS])
        power = products @ (count * weight[:, _FIRST_TAP] * weight[:, _SECOND_TAP]).T
        # The floor is the rounding error of a float32 field of order one.
        mean, change = power.clamp_min(1e-16).log().to(self.mix.weight.dtype).unbind(2)
        # The power of a filter relative to the others indicates its band; both parts are scaled to be of order one.
        return self.mix(torch.cat(((change - mean) / 4.0 + 1.0, mean - mean.mean(-1, keepdim=True)), dim=-1))


class AttentionEstimator(nn.Module):
    """Estimate |α| from the whole latent video.

    Each frame is pooled, convolved twice and averaged to one feature vector; self-attention runs over the
    frames, with a residual connection and layer normalisation; the mean over time goes through a
    two-layer MLP and a softplus.

    Parameters
    ----------
    pooled_size
        Side of the square to which each frame is adaptively average-pooled.
    channels
        Channels between the two convolutions; the number of filters of ``rates``.
    stride
        Stride of the two convolutions; ``rates`` has none.
    features
        Feature vector length d; a multiple of ``heads``.
    heads
        Attention heads.
    reads
        Input: ``frames`` as published, ``positions``, ``changes`` or ``rates``.
    standardise
        Subtract the mean of the pooled video and divide by its standard deviation, over time and space, before the
        convolutions. ``rates`` depend on neither.
    fields
        Fields of a video, the channels of the convolutions; ``rates`` are those of one.
    """

    def __init__(
        self,
        pooled_size: int,
        channels: int,
        stride: int,
        features: int,
        heads: int,
        reads: Reads = "frames",
        standardise: bool = False,
        fields: int = 1,
    ) -> None:
        super().__init__()
        self.reads: Reads = reads
        self.standardise = standardise
        self.stride = stride
        self.pool = nn.AdaptiveAvgPool2d(pooled_size)
        if reads == "rates":
            self.powers = _Powers(channels, features)
        else:
            seen = fields * (2 if reads == "changes" else 1)
            self.convolutions = nn.Sequential(
                nn.Conv2d(seen, channels, kernel_size=3, stride=stride, padding=1, padding_mode="circular"),
                nn.ReLU(),
                nn.Conv2d(channels, features, kernel_size=3, stride=stride, padding=1, padding_mode="circular"),
                nn.ReLU(),
            )
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.normalisation = nn.LayerNorm(features)
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 1), nn.Softplus())

    def compress(self, video: Tensor) -> Tensor:
        """Part of the input that does not depend on the weights, so that a fit computes it once.

        Patches of the pooled frames, or pairs of frames, that the two convolutions read: ``(video, time, y, x)``, or
        ``(video, time, field, y, x)``, to ``(video, time, output, 9, 9 · channel)``, see
        :func:`~safe_pit_cm.safe.patch_convolutions.patches`. For ``rates``, mean products of the taps of a filter over
        the means and differences of successive pooled frames, ``(video, time − 1, 2, 45)``, without gradient.
        """
        pooled = self.pool(video.flatten(0, -4))
        pooled = pooled.reshape(*video.shape[:-2], *pooled.shape[-2:])
        if self.reads != "rates":
            pooled = _standardised(pooled) if self.standardise else pooled
            channels = _mean_and_change(pooled) if self.reads == "changes" else (pooled,)
            images = torch.cat([each.reshape(*each.shape[:2], -1, *each.shape[-2:]) for each in channels], dim=2)
            return patches(images, self.stride)
        fluctuation = pooled - pooled.mean((-2, -1), keepdim=True)
        with torch.no_grad():
            return _tap_products(torch.stack(_mean_and_change(fluctuation), dim=2))

    def describe(self, compressed: Tensor) -> Tensor:
        """Feature vector of every frame, or pair of frames: ``(video, time, feature)``."""
        if self.reads == "rates":
            return self.powers(compressed)
        sequence = mean_of_outputs(compressed, self.convolutions)
        if self.reads == "positions":
            sequence = sequence + position_encoding(*sequence.shape[1:], like=sequence)
        return sequence

    def summarise(self, compressed: Tensor) -> Tensor:
        """Feature vector of every video, the mean over its frames after attention: ``(video, feature)``."""
        sequence = self.describe(compressed)
        attended, _ = self.attention(sequence, sequence, sequence, need_weights=False)
        return self.normalisation(sequence + attended).mean(1)

    def forward(self, compressed: Tensor) -> Tensor:
        """|α| of every video, shape ``(video,)``, length²/time, from the result of :meth:`compress`."""
        return self.head(self.summarise(compressed)).squeeze(-1)
