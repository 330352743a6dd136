"""The SAFE-PIT-CM model: an autoencoder whose latent transition is the frozen SAFE operator (§2.3).

    φ  ──encoder──►  z  ──SAFE(·, α)──►  ẑ  ──decoder──►  φ̂
                     └──estimator──►  |α|

Encoder and decoder add a correction to their input, whose last layer starts at zero: initially z = φ and φ̂ = z, bit
for bit.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.fusion import fuse_conv_bn_eval

from safe_pit_cm.data import files
from safe_pit_cm.errors import UserError
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.safe.operator import Operator, SafeOperator

# Frames per pass through the convolutions without gradient: more would exceed the cache of a core.
_CHUNK = 4


class _PeriodicPadding(torch.autograd.Function):
    """Frame of one pixel around periodic images ``(frame, channel, y, x)``, with the channels last in memory.

    Padding by PyTorch would put the channels first again, and its gradient takes several passes over the images.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        frames, channels, rows, columns = images.shape
        padded = images.new_empty((frames, rows + 2, columns + 2, channels)).movedim(-1, 1)
        padded[:, :, 1:-1, 1:-1] = images
        padded[:, :, 0, 1:-1], padded[:, :, -1, 1:-1] = images[:, :, -1], images[:, :, 0]
        padded[..., 0], padded[..., -1] = padded[..., -2], padded[..., 1]
        return padded

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rows = gradient[:, :, 1:-1].clone(memory_format=torch.channels_last)
        rows[:, :, 0] += gradient[:, :, -1]
        rows[:, :, -1] += gradient[:, :, 0]
        inner = rows[..., 1:-1].clone(memory_format=torch.channels_last)
        inner[..., 0] += rows[..., -1]
        inner[..., -1] += rows[..., 0]
        return inner


class PeriodicConvolution(nn.Conv2d):
    """3×3 convolution of periodic images ``(frame, channel, y, x)``, without bias.

    Its result has the channels last in memory, where oneDNN convolves few channels twice as fast.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same size, with ``channels_out`` channels."""
        # Of a single channel the order in memory is ambiguous, and the result may have its channels first.
        return super().forward(_PeriodicPadding.apply(images)).contiguous(memory_format=torch.channels_last)


class ResidualBlock(nn.Module):
    """Two circular 3×3 convolutions with batch normalisation and ReLU, and a skip connection.

    Parameters
    ----------
    channels_in, channels_out
        Channels before and after; where they differ, the skip is a 1×1 convolution.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            PeriodicConvolution(channels_in, channels_out),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            PeriodicConvolution(channels_out, channels_out),
            nn.BatchNorm2d(channels_out),
        )
        same = channels_in == channels_out
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, field: Tensor) -> Tensor:
        """``(frame, channels_in, y, x)`` to ``(frame, channels_out, y, x)``, periodic in y and x."""
        # As in the convolutions: adding images that are ordered differently in memory is slow.
        skipped = self.skip(field).contiguous(memory_format=torch.channels_last)
        return self.body(field).add_(skipped).relu_()


def _fold(module: nn.Module) -> None:
    """Fold the normalisations of a residual block, by their running statistics, into the convolutions before them."""
    if isinstance(module, ResidualBlock):
        first, first_norm, relu, second, second_norm = cast(Any, module.body)
        module.body = nn.Sequential(fuse_conv_bn_eval(first, first_norm), relu, fuse_conv_bn_eval(second, second_norm))


class ResidualMap(nn.Module):
    """Map a field to a field of the same shape: ``φ + projection(blocks(φ))``; the encoder, and its mirror the decoder.

    Parameters
    ----------
    channels
        Channels C of the blocks.
    blocks
        Residual blocks; the first lifts one channel to C.
    zero_init
        Initialise the 1×1 projection with zero, as in the paper, so that the map starts exactly as the identity.
        Without it, the encoder distorts the field from the start (§2.6).
    """

    def __init__(self, channels: int, blocks: int, zero_init: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(ResidualBlock(1 if block == 0 else channels, channels) for block in range(blocks))
        )
        self.projection = nn.Conv2d(channels, 1, 1)
        if zero_init:
            for parameter in self.projection.parameters():
                nn.init.zeros_(parameter)

    @property
    def is_identity(self) -> bool:
        """Whether the projection is zero, so that the map is the identity."""
        return not any(bool(parameter.any()) for parameter in self.projection.parameters())

    def forward(self, field: Tensor) -> Tensor:
        """``(..., y, x)`` to the same shape, channel-wise: fields of a vector are mapped alike, each by itself."""
        channels = field.reshape(-1, 1, *field.shape[-2:])
        return field + self.projection(self.blocks(channels)).reshape(field.shape)

    @torch.no_grad()
    def apply_frozen(self, field: Tensor) -> Tensor:
        """The map of a whole video ``(time, ..., y, x)`` in evaluation, without gradient, a few frames at a time."""
        if self.is_identity:
            return field
        folded = copy.deepcopy(self).apply(_fold)
        return torch.cat([folded(frames) for frames in field.split(_CHUNK)])


@dataclass(frozen=True)
class Prediction:
    """Output of the model for frames and their successors; all fields have the shape of the frames.

    Attributes
    ----------
    latent
        z = E(φ).
    predicted
        SAFE(z, α), the next latent field.
    decoded
        D(SAFE(z, α)), the next frame.
    """

    latent: Tensor
    predicted: Tensor
    decoded: Tensor


class SafePitCm(nn.Module):
    """Encoder, estimator, frozen SAFE operator and decoder.

    Parameters
    ----------
    operator
        The SAFE operator, which has no parameters.
    estimator
        Arguments of the estimator.
    autoencoder
        Arguments of :class:`ResidualMap`.
    kind
        What makes the estimator of them; by default that of |α|.
    """

    def __init__(
        self,
        operator: Operator,
        estimator: Mapping[str, Any],
        autoencoder: Mapping[str, Any],
        kind: Callable[..., AttentionEstimator] = AttentionEstimator,
    ) -> None:
        super().__init__()
        self.settings = {
            "operator": {"interval": operator.interval, "spacing": operator.spacing, "substeps": operator.substeps},
            "estimator": dict(estimator),
            "autoencoder": dict(autoencoder),
        }
        self.encoder = ResidualMap(**autoencoder)
        self.estimator = kind(**estimator)
        self.operator = operator
        self.decoder = ResidualMap(**autoencoder)

    def autoencoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of encoder and decoder: frozen in Phase 1, with a learning rate of their own in Phase 2."""
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def magnitude(self, video: Tensor) -> Tensor:
        """|α| of videos ``(video, time, y, x)``, shape ``(video,)``, through the encoder, with gradient."""
        return self.estimator(self.estimator.compress(self.encoder(video)))

    def forward(self, frames: Tensor, alpha: Tensor) -> Prediction:
        """Encode frames ``(..., y, x)``, propagate them by the signed α, and decode the result."""
        latent = self.encoder(frames)
        predicted = self.operator(latent, alpha)
        return Prediction(latent, predicted, self.decoder(predicted))


def save(model: SafePitCm, path: str | Path, facts: Mapping[str, str]) -> None:
    """Write weights, the settings of the model, and further facts to one safetensors file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # One entry: the order of several entries, and with it the bytes, would differ between processes.
    header = {"model": json.dumps({**model.settings, "facts": dict(facts)}, sort_keys=True)}
    with files.replacing(path) as partial:
        save_file(tensors, partial, metadata=header)


def load(path: str | Path, device: str = "cpu") -> SafePitCm:
    """Build the model that :func:`save` wrote.

    Raises
    ------
    UserError
        If the file is not there, or does not hold such a model.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            settings = json.loads(stored.metadata()["model"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        model = SafePitCm(SafeOperator(**settings["operator"]), settings["estimator"], settings["autoencoder"])
        model.load_state_dict(tensors)
    except FileNotFoundError:
        raise UserError(f"the model {path} does not exist") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        cause = str(error).splitlines()[0]
        raise UserError(f"the model {path} cannot be used ({cause}); remove it and train again") from error
    return model.to(device)
