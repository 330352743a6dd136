"""Two 3 × 3 convolutions of small periodic images, as two matrix products over patches that are collected once.

The images of the estimator are small and have few channels: a convolution would spend most of its time on padding and
on moving data. The patches do not depend on the weights, and a fit collects them once.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def _pixels_read(side: int, stride: int) -> Tensor:
    """Pixels that two periodic convolutions with filters of three pixels read along one axis.

    Shape ``(output, 3, 3)``: for each output of the second convolution and each of its taps, which is an output of the
    first, the pixels under the taps of the first.
    """
    taps = torch.arange(-1, 2)
    between = math.ceil(side / stride)
    read_by_second = (stride * torch.arange(math.ceil(between / stride))[:, None] + taps) % between
    return (stride * read_by_second[..., None] + taps) % side


def patches(images: Tensor, stride: int) -> Tensor:
    """Patches of the first of two 3 × 3 convolutions, grouped by the output of the second that reads them.

    Parameters
    ----------
    images
        Square periodic images, ``(..., channel, y, x)``.
    stride
        Stride of both convolutions.

    Returns
    -------
    Tensor
        Shape ``(..., output, 9, 9 · channel)``: for each output of the second convolution and each of its nine taps,
        the input of the first, by channel and tap, as the weights of a convolution are laid out.
    """
    axis = _pixels_read(images.shape[-1], stride).to(images.device)
    # Gathered as (..., channel, output y, output x, second y, second x, first y, first x).
    gathered = images[..., axis[:, None, :, None, :, None], axis[None, :, None, :, None, :]]
    return gathered.movedim(-7, -3).flatten(-3).flatten(-3, -2).flatten(-4, -3)


class _MeanOfOutputs(torch.autograd.Function):
    """The two convolutions, each followed by a ReLU, and the mean over their outputs.

    Its gradient is what PyTorch would find. The outputs of the first convolution, the largest array by far, and their
    gradient are each changed in place, which PyTorch cannot know to be safe.
    """

    @staticmethod
    def forward(
        ctx: Any, patches: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor
    ) -> Tensor:
        # One row for each output of the first convolution; those that several outputs of the second read are repeated,
        # which costs less than to collect them at every step.
        rows, taps, outputs = patches.flatten(0, -2), patches.shape[-2], patches.shape[-3]
        # Contiguous, so that the gradient is a product of long rows, six times as fast as one of long columns.
        hidden = torch.addmm(first_bias, rows, first.flatten(1).mT.contiguous()).relu_().view(-1, taps * len(first))
        # Columns by tap and channel, the order of ``hidden``.
        weight = second.flatten(2).mT.flatten(1)
        features = torch.addmm(second_bias, hidden, weight.mT).relu_()
        ctx.save_for_backward(rows, first, hidden, weight, features)
        ctx.shapes = patches.shape, first.shape, second.shape
        return features.view(-1, outputs, len(second)).mean(1).view(*patches.shape[:-3], len(second))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        rows, first, hidden, weight, features = ctx.saved_tensors
        (*_, outputs, taps, _), of_first, of_second = ctx.shapes
        back = (gradient / outputs).view(-1, 1, gradient.shape[-1]).expand(-1, outputs, -1).reshape(features.shape)
        back = torch.ops.aten.threshold_backward(back, features, 0)
        to_second = (back.mT @ hidden).unflatten(1, (taps, -1)).mT.reshape(of_second)
        further = back @ weight
        torch.ops.aten.threshold_backward.grad_input(further, hidden, 0, grad_input=further)
        further = further.view(len(rows), -1)
        to_patches = (further @ first.flatten(1)).view(ctx.shapes[0]) if ctx.needs_input_grad[0] else None
        return to_patches, (rows.mT @ further).mT.reshape(of_first), further.sum(0), to_second, back.sum(0)


def mean_of_outputs(patches: Tensor, convolutions: nn.Sequential) -> Tensor:
    """Features of images: what the two convolutions give, on average over their outputs.

    Parameters
    ----------
    patches
        What :func:`patches` collects, ``(..., output, 9, 9 · channel)``.
    convolutions
        A convolution, a ReLU, a convolution and a ReLU.

    Returns
    -------
    Tensor
        Shape ``(..., feature)``, differentiable once, with respect to the patches and to all weights.
    """
    first, _, second, _ = convolutions
    features: Tensor = _MeanOfOutputs.apply(patches, first.weight, first.bias, second.weight, second.bias)
    return features
