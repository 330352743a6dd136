"""The attention estimator: shapes, size, and what its answer can and cannot depend on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safe_pit_cm.safe.attention_estimator import AttentionEstimator, Reads
from safe_pit_cm.safe.patch_convolutions import mean_of_outputs, patches

# The fields are tiny: more threads would only wait for one another.
torch.set_num_threads(1)


def build(
    seed: int = 0,
    *,
    pooled_size: int = 8,
    channels: int = 4,
    stride: int = 2,
    features: int = 16,
    heads: int = 4,
    reads: Reads = "frames",
) -> AttentionEstimator:
    """A small estimator in double precision, so that rounding is far below what is tested."""
    torch.manual_seed(seed)
    return AttentionEstimator(pooled_size, channels, stride, features, heads, reads).double()


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Random videos."""
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def estimate(model: AttentionEstimator, videos: Tensor) -> Tensor:
    """|α| of uncompressed videos."""
    return model(model.compress(videos))


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.0, 1.0, 30.0]), frames=st.integers(1, 6))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_every_video_gets_one_positive_coefficient(seed: int, scale: float, frames: int) -> None:
    magnitudes = estimate(build(seed), scale * noise(3, frames, 10, 12, seed=seed))
    assert magnitudes.shape == (3,)
    assert (magnitudes > 0).all()


@pytest.mark.parametrize(("frames", "rows", "columns"), [(9, 16, 16), (1, 64, 64), (3, 17, 20)])
def test_compression_gives_every_frame_as_many_patches(frames: int, rows: int, columns: int) -> None:
    # 8 × 8 pixels have 2 × 2 outputs of two strides of 2.
    assert build().compress(noise(2, frames, rows, columns)).shape == (2, frames, 4, 9, 9)


@pytest.mark.parametrize("reads", ["frames", "changes"])
@pytest.mark.parametrize(("pooled_size", "stride"), [(16, 2), (8, 2), (7, 2), (8, 3), (6, 1), (5, 4), (1, 2)])
def test_two_matrix_products_give_the_result_and_the_gradients_of_the_convolutions(
    pooled_size: int, stride: int, reads: Reads
) -> None:
    videos = noise(2, 4, 2 * pooled_size, 3 * pooled_size)
    pooled = videos.reshape(2, 4, pooled_size, 2, pooled_size, 3).mean((3, 5))
    images = pooled[:, :, None]
    if reads == "changes":
        earlier, later = images[:, :-1], images[:, 1:]
        images = torch.cat((0.5 * (earlier + later), later - earlier), dim=2)
    model = build(pooled_size=pooled_size, stride=stride, reads=reads)
    weights = list(model.convolutions.parameters())
    expected = model.convolutions(images.flatten(0, 1)).mean((-2, -1)).unflatten(0, images.shape[:2])
    found = model.describe(model.compress(videos))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    direction = noise(*expected.shape, seed=1)
    for one, other in zip(*(torch.autograd.grad(to, weights, direction) for to in (found, expected)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_the_gradient_reaches_the_patches() -> None:
    model = build(pooled_size=6)
    images = noise(2, 3, 1, 6, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda own: mean_of_outputs(patches(own, 2), model.convolutions), images)


@pytest.mark.parametrize(
    ("pooled_size", "channels", "stride", "features", "heads"), [(16, 32, 2, 64, 4), (8, 4, 2, 16, 4), (8, 3, 1, 6, 2)]
)
def test_the_number_of_parameters_is_that_of_the_layers_described(
    pooled_size: int, channels: int, stride: int, features: int, heads: int
) -> None:
    convolutions = (9 * 1 + 1) * channels + (9 * channels + 1) * features
    # Queries, keys, values and the projection of the heads; whatever the number of heads.
    attention = 4 * (features + 1) * features
    normalisation = 2 * features
    head = (features + 1) * features + (features + 1)
    model = AttentionEstimator(pooled_size, channels, stride, features, heads)
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == convolutions + attention + normalisation + head


def test_the_same_seed_gives_the_same_estimate_and_another_seed_another() -> None:
    videos = noise(2, 5, 16, 16)
    assert torch.equal(estimate(build(1), videos), estimate(build(1), videos))
    assert not torch.isclose(estimate(build(1), videos), estimate(build(2), videos)).any()


@pytest.mark.parametrize("order", [[6, 5, 4, 3, 2, 1, 0], [3, 0, 6, 2, 5, 1, 4]])
def test_the_estimate_does_not_depend_on_the_order_of_the_frames(order: list[int]) -> None:
    # A known property of the published design: self-attention without positions, averaged over time, sees a set of
    # frames. A video and its time reversal, diffusion and mobility, are the same to it: only the loss knows time.
    model, videos = build(), noise(2, 7, 16, 16)
    torch.testing.assert_close(estimate(model, videos[:, order]), estimate(model, videos), rtol=1e-12, atol=0)


def test_the_estimate_depends_on_the_frames_themselves() -> None:
    model, videos = build(), noise(2, 7, 16, 16)
    changed = videos.clone()
    changed[:, 3] = noise(2, 16, 16, seed=1)
    assert not torch.isclose(estimate(model, changed), estimate(model, videos), rtol=1e-6).any()


def test_the_estimate_is_that_of_the_published_layers_written_out() -> None:
    model, heads, depth = build(), 4, 4
    # Pooling to 8 × 8 leaves them unchanged.
    videos = noise(2, 5, 8, 8)
    weights = model.state_dict()

    def convolve(images: Tensor, layer: str) -> Tensor:
        padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="circular")
        weight, bias = weights[f"convolutions.{layer}.weight"], weights[f"convolutions.{layer}.bias"]
        return torch.nn.functional.conv2d(padded, weight, bias, stride=2).clamp_min(0)

    expected = []
    for video in videos:
        frames = convolve(convolve(video[:, None], "0"), "2").mean((2, 3))

        projected = frames @ weights["attention.in_proj_weight"].T + weights["attention.in_proj_bias"]
        query, key, value = projected.reshape(5, 3, heads, depth).unbind(1)
        scores = torch.einsum("ihd,jhd->hij", query, key) / depth**0.5
        mixed = torch.einsum("hij,jhd->ihd", scores.exp() / scores.exp().sum(-1, keepdim=True), value).flatten(1)
        attended = mixed @ weights["attention.out_proj.weight"].T + weights["attention.out_proj.bias"]

        added = frames + attended
        centred = added - added.mean(1, keepdim=True)
        normalised = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        summary = (normalised * weights["normalisation.weight"] + weights["normalisation.bias"]).mean(0)

        hidden = (weights["head.0.weight"] @ summary + weights["head.0.bias"]).clamp_min(0)
        expected.append((weights["head.2.weight"] @ hidden + weights["head.2.bias"]).exp().log1p())
    torch.testing.assert_close(estimate(model, videos), torch.cat(expected), rtol=1e-12, atol=0)


def test_the_estimate_of_a_video_does_not_depend_on_the_others_in_the_batch() -> None:
    model, videos = build(), noise(3, 5, 16, 16)
    each = torch.cat([estimate(model, videos[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(estimate(model, videos), each, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("stride", "shift"), [(1, 1), (1, 3), (2, 4)])
def test_a_periodic_shift_by_whole_strides_leaves_the_estimate_unchanged(stride: int, shift: int) -> None:
    # The field is periodic, so the convolutions pad circularly: zeros at the edge would break this.
    model, videos = build(stride=stride), noise(2, 3, 8, 8)
    shifted = videos.roll((shift, -shift), (-2, -1))
    torch.testing.assert_close(estimate(model, shifted), estimate(model, videos), rtol=1e-12, atol=0)


def test_the_gradient_reaches_every_layer() -> None:
    model = build()
    estimate(model, noise(2, 5, 16, 16)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


READS: list[Reads] = ["frames", "positions", "changes", "rates"]


@pytest.mark.parametrize("reads", READS)
def test_every_estimator_says_something_of_every_video(reads: Reads) -> None:
    model, videos = build(reads=reads), noise(3, 5, 16, 16)
    magnitudes = estimate(model, videos)
    assert (magnitudes > 0).all()
    each = torch.cat([estimate(model, videos[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(magnitudes, each, rtol=1e-12, atol=0)
    magnitudes.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("reads", "blind"), [("frames", True), ("positions", False), ("changes", False), ("rates", True)]
)
def test_the_published_estimator_gives_a_video_and_its_reversal_one_coefficient(reads: Reads, blind: bool) -> None:
    # Rates are blind to it by choice: |α| is the same, and the sign comes from the process.
    model, videos = build(reads=reads), noise(2, 12, 8, 8)
    difference = (estimate(model, videos) - estimate(model, videos.flip(1))).abs().max().item()
    assert (difference < 1e-12) == blind


@pytest.mark.parametrize("reads", READS[1:])
def test_only_what_reads_more_than_single_frames_depends_on_their_order(reads: Reads) -> None:
    model, videos = build(reads=reads), noise(2, 7, 16, 16)
    shuffled = estimate(model, videos[:, [3, 0, 6, 2, 5, 1, 4]])
    assert not torch.isclose(shuffled, estimate(model, videos), rtol=1e-6).any()


def test_rates_reads_the_powers_that_convolutions_find() -> None:
    # The products are a short cut: the same as to filter means and differences of frames at every step.
    model, videos = build(reads="rates"), noise(2, 5, 16, 16)
    pooled = videos.reshape(2, 5, 8, 2, 8, 2).mean((3, 5))
    fluctuation = pooled - pooled.mean((-2, -1), keepdim=True)
    earlier, later = fluctuation[:, :-1], fluctuation[:, 1:]
    powers = []
    for part in (0.5 * (earlier + later), later - earlier):
        padded = torch.nn.functional.pad(part.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="circular")
        # A tap reads the pixel that the roll brought: the kernel is the tap weights turned by half a turn.
        kernel = model.powers.filters.weight.reshape(-1, 1, 3, 3).flip(-2, -1)
        power = torch.nn.functional.conv2d(padded, kernel).square().mean((-2, -1))
        powers.append(power.log().unflatten(0, part.shape[:2]))
    mean, change = powers
    seen = torch.cat(((change - mean) / 4.0 + 1.0, mean - mean.mean(-1, keepdim=True)), dim=-1)
    expected = model.powers.mix(seen)
    torch.testing.assert_close(model.describe(model.compress(videos)), expected, rtol=1e-10, atol=1e-12)


def test_rates_does_not_see_the_size_of_the_field_or_its_mean() -> None:
    model, videos = build(reads="rates"), noise(2, 5, 16, 16)
    torch.testing.assert_close(estimate(model, 37 * videos + 100), estimate(model, videos), rtol=1e-9, atol=0)
