"""The SAFE loss: its spectral form against the reference, and where its minimum lies."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.equations.processes import (
    PROCESSES,
    PROPAGATIONS,
    Process,
    Propagation,
    propagation_sign,
    propagations_of,
)
from safe_pit_cm.equations.stability import largest_eigenvalue
from safe_pit_cm.safe.loss import safe_loss
from safe_pit_cm.safe.operator import OperatorPath, SafeOperator, laplacian_symbol
from safe_pit_cm.safe.spectral_loss import NumpyOperator, SpectralSafeLoss, frame_pairs

# The fields are tiny: more threads would only wait for one another.
torch.set_num_threads(1)

PATHS: tuple[OperatorPath, ...] = get_args(OperatorPath)
every_propagation = pytest.mark.parametrize(
    ("process", "propagation"), [(process, propagation) for process in PROCESSES for propagation in PROPAGATIONS]
)
every_property = settings(deadline=None, max_examples=40, derandomize=True)


@dataclass(frozen=True)
class Case:
    """A random video, an operator and a magnitude that does not overflow under any propagation."""

    frames: int
    rows: int
    columns: int
    substeps: int
    interval: float
    spacing: float
    number: float  # |α| Δt_f λ_max
    seed: int

    @property
    def magnitude(self) -> float:
        """|α|."""
        return self.number / (self.interval * largest_eigenvalue(self.spacing))

    @property
    def video(self) -> Tensor:
        """White noise: every mode has power and the loss cannot cancel to nothing."""
        shape = (self.frames, self.rows, self.columns)
        return torch.from_numpy(np.random.default_rng(self.seed).uniform(-1, 1, shape))

    def operator(self, path: OperatorPath = "fourier") -> SafeOperator:
        """The SAFE operator of this case."""
        return SafeOperator(self.interval, self.spacing, self.substeps, path)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Grids of odd and even sides, S in 1..50, |α| stable as diffusion and growing at most e⁵-fold as mobility."""
    substeps = draw(st.integers(1, 50))
    return Case(
        frames=draw(st.integers(2, 5)),
        rows=draw(st.integers(5, 17)),
        columns=draw(st.integers(4, 16)),
        substeps=substeps,
        interval=draw(st.floats(0.01, 2.0)),
        spacing=draw(st.floats(0.1, 3.0)),
        number=draw(st.floats(0.0, min(5.0, 2.0 * substeps))),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def noise(*shape: int, seed: int = 0) -> Tensor:
    """A random field or video."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=shape))


def video_made_by(operator: SafeOperator, alpha: float, frames: int, start: Tensor) -> Tensor:
    """Video in which the operator itself leads from each frame to the next."""
    fields = [start]
    for _ in range(frames - 1):
        fields.append(operator(fields[-1], torch.tensor(alpha, dtype=torch.float64)))
    return torch.stack(fields)


def made_for(process: Process, propagation: Propagation, operator: SafeOperator, magnitude: float) -> Tensor:
    """Video of the process for which the given propagation has no error at ``magnitude``."""
    start = noise(9, 8, seed=1)
    if process == "mobility" and propagation == "signed":
        return video_made_by(operator, magnitude, 4, start)
    diffusion = video_made_by(operator, -magnitude, 6, start)
    return diffusion.flip(0) if process == "mobility" else diffusion


@pytest.mark.parametrize(("process", "expected"), [("diffusion", -1.0), ("mobility", 1.0)])
def test_signed_propagation_takes_the_sign_of_the_process(process: Process, expected: float) -> None:
    assert propagation_sign(process, "signed") == expected


@pytest.mark.parametrize("process", PROCESSES)
def test_stable_propagation_always_smooths(process: Process) -> None:
    assert propagation_sign(process, "stable") == -1.0


def test_only_mobility_has_two_propagations() -> None:
    assert propagations_of("diffusion") == ("signed",)
    assert propagations_of("mobility") == ("signed", "stable")


@every_propagation
def test_frames_are_paired_forwards_except_for_mobility_propagated_stably(
    process: Process, propagation: Propagation
) -> None:
    video = torch.arange(4.0)[:, None, None].expand(2, 4, 3, 3)
    source, target = frame_pairs(video, process, propagation)
    backwards = process == "mobility" and propagation == "stable"
    assert source.shape == target.shape == (2, 3, 3, 3)
    assert source[0, :, 0, 0].tolist() == ([1, 2, 3] if backwards else [0, 1, 2])
    assert target[0, :, 0, 0].tolist() == ([0, 1, 2] if backwards else [1, 2, 3])


@every_propagation
def test_the_safe_loss_is_the_mean_square_of_every_residual(process: Process, propagation: Propagation) -> None:
    video, operator = noise(3, 5, 6), SafeOperator(0.25, 0.5, 4, "stencil")
    alpha = torch.tensor(0.3 if (process, propagation) == ("mobility", "signed") else -0.3)
    pairs = [(1, 0), (2, 1)] if (process, propagation) == ("mobility", "stable") else [(0, 1), (1, 2)]
    squares = [(operator(video[source], alpha) - video[target]) ** 2 for source, target in pairs]
    loss = safe_loss(video, torch.tensor(0.3), operator, process, propagation)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(float(np.mean([square.numpy() for square in squares])), rel=1e-13)


@every_propagation
@pytest.mark.parametrize("path", PATHS)
@given(case=cases())
@every_property
def test_the_spectral_form_equals_the_safe_loss_in_value_and_gradient(
    process: Process, propagation: Propagation, path: OperatorPath, case: Case
) -> None:
    spectral_magnitude = torch.tensor(case.magnitude, dtype=torch.float64, requires_grad=True)
    spectral = SpectralSafeLoss.of_video(case.video, case.operator(), process, propagation)(spectral_magnitude)
    (spectral_gradient,) = torch.autograd.grad(spectral, spectral_magnitude)

    magnitude = torch.tensor(case.magnitude, dtype=torch.float64, requires_grad=True)
    reference = safe_loss(case.video, magnitude, case.operator(path), process, propagation)
    (gradient,) = torch.autograd.grad(reference, magnitude)

    assert spectral.item() == pytest.approx(reference.item(), rel=1e-11)
    # The gradient may cancel; ∂/∂|α| brings at most Δt_f λ_max and the growth of twice the field.
    growth = np.exp(2 * case.number) if propagation_sign(process, propagation) > 0 else 1.0
    scale = case.interval * largest_eigenvalue(case.spacing) * growth
    assert spectral_gradient.item() == pytest.approx(gradient.item(), rel=1e-11, abs=1e-12 * scale)


@every_propagation
@pytest.mark.parametrize("path", PATHS)
def test_the_spectral_form_equals_the_safe_loss_of_a_single_precision_video(
    process: Process, propagation: Propagation, path: OperatorPath
) -> None:
    video, operator = noise(5, 15, 16).float(), SafeOperator(0.25, 0.5, 50, path)
    spectral = SpectralSafeLoss.of_video(video, operator, process, propagation)
    for magnitude in (0.1, 0.5):
        reference = safe_loss(video, torch.tensor(magnitude), operator, process, propagation)
        assert reference.dtype == torch.float32
        assert spectral(torch.tensor(magnitude)).item() == pytest.approx(reference.item(), rel=1e-4)


@every_propagation
def test_a_single_precision_video_is_reduced_in_double_precision(process: Process, propagation: Propagation) -> None:
    # Otherwise rounding, not the residual, would set the floor of a loss that is nearly zero.
    video, operator = noise(5, 15, 16).float(), SafeOperator(0.25, 0.5, 50)
    single, double = (SpectralSafeLoss.of_video(v, operator, process, propagation) for v in (video, video.double()))
    for name in ("weight", "best_factor", "floor"):
        assert torch.equal(getattr(single, name), getattr(double, name)), name


@every_propagation
def test_a_video_as_an_array_of_numpy_has_the_same_loss(process: Process, propagation: Propagation) -> None:
    video = noise(5, 15, 16).float()
    own = SpectralSafeLoss.of_video(video.numpy(), NumpyOperator(0.25, 0.5, 50), process, propagation)
    for substeps in (50, 4):
        expected = SpectralSafeLoss.of_video(video, SafeOperator(0.25, 0.5, substeps), process, propagation)
        magnitudes = np.array([0.1, 0.5])
        found = [own.with_substeps(substeps)(each) for each in magnitudes]
        np.testing.assert_allclose(found, [expected(each).item() for each in torch.from_numpy(magnitudes)], rtol=1e-12)


@every_propagation
def test_the_spectral_form_passes_gradcheck(process: Process, propagation: Propagation) -> None:
    loss = SpectralSafeLoss.of_video(noise(4, 5, 6), SafeOperator(0.25, 0.5, 5), process, propagation)
    magnitude = torch.tensor([0.05, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (magnitude,))
    assert torch.autograd.gradgradcheck(loss, (magnitude,))


@every_propagation
def test_the_safe_loss_passes_gradcheck_in_the_video_and_in_alpha(process: Process, propagation: Propagation) -> None:
    # A trained encoder is reached through the video.
    operator = SafeOperator(0.25, 0.5, 5)
    video = noise(2, 3, 4, 5).requires_grad_()
    magnitude = torch.tensor([0.1, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z, a: safe_loss(z, a, operator, process, propagation), (video, magnitude))


@every_propagation
@given(case=cases())
@every_property
def test_the_loss_is_never_below_its_floor_and_the_floor_never_below_zero(
    process: Process, propagation: Propagation, case: Case
) -> None:
    loss = SpectralSafeLoss.of_video(case.video, case.operator(), process, propagation)
    assert 0 <= loss.floor.item() <= loss(torch.tensor(case.magnitude)).item()


@every_propagation
def test_the_floor_is_what_the_best_factor_of_every_mode_leaves(process: Process, propagation: Propagation) -> None:
    video = noise(4, 7, 6)
    loss = SpectralSafeLoss.of_video(video, SafeOperator(0.25, 0.5, 5), process, propagation)
    source, target = frame_pairs(video, process, propagation)
    fitted = torch.fft.irfft2(torch.fft.rfft2(source) * loss.best_factor, s=(7, 6))
    assert loss.floor.item() == pytest.approx((fitted - target).square().mean().item(), rel=1e-12)
    # Any other factor is worse.
    worse = torch.fft.irfft2(torch.fft.rfft2(source) * (loss.best_factor + 1e-3), s=(7, 6))
    assert (worse - target).square().mean().item() > loss.floor.item()


@every_propagation
@pytest.mark.parametrize("substeps", [1, 10])
def test_a_video_made_by_the_operator_has_its_minimum_at_the_true_coefficient(
    process: Process, propagation: Propagation, substeps: int
) -> None:
    truth, operator = 0.2, SafeOperator(0.25, 0.5, substeps, "stencil")
    video = made_for(process, propagation, operator, truth)
    loss = SpectralSafeLoss.of_video(video, operator, process, propagation)
    magnitude = torch.tensor(truth, dtype=torch.float64, requires_grad=True)
    at_truth = loss(magnitude)
    (slope,) = torch.autograd.grad(at_truth, magnitude, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, magnitude)
    assert at_truth.item() <= 1e-24 * video.square().mean().item()
    # Newton's step to the minimum is nothing beside the coefficient.
    assert curvature.item() > 0
    assert abs(slope.item() / curvature.item()) < 1e-12
    elsewhere = torch.cat([torch.linspace(0.0, 0.199, 40), torch.linspace(0.201, 0.5, 40)]).double()
    assert (loss(elsewhere) > 1e6 * at_truth.detach()).all()


@pytest.mark.parametrize("substeps", [1, 5, 50])
def test_against_continuous_time_the_signed_reading_overestimates_mobility_and_the_stable_underestimates_it(
    substeps: int,
) -> None:
    # One mode of the time-reversed heat equation grows by exp(MλΔt); forward Euler needs a larger coefficient for
    # that, (exp(MλΔt/S) − 1)/(λΔt/S), and reaches the same growth exactly.
    truth, interval, spacing, size = 0.4, 0.25, 0.5, 16
    mode = torch.cos(2 * torch.pi * 2 * torch.arange(size, dtype=torch.float64) / size).expand(size, size)
    eigenvalue = float((2 - 2 * np.cos(2 * np.pi * 2 / size)) / spacing**2)
    growth = torch.exp(truth * eigenvalue * interval * torch.arange(5, dtype=torch.float64))
    video = growth[:, None, None] * mode
    operator = SafeOperator(interval, spacing, substeps)

    signed = SpectralSafeLoss.of_video(video, operator, "mobility", "signed")
    unit = eigenvalue * interval / substeps
    overestimate = float(np.expm1(truth * unit) / unit)
    assert overestimate > truth
    assert signed(torch.tensor(overestimate, dtype=torch.float64)).item() < 1e-24
    assert signed(torch.tensor(truth, dtype=torch.float64)).item() > 1e-8

    # Stable propagation is diffusion by forward Euler, whose coefficient lies below the truth by as much.
    stable = SpectralSafeLoss.of_video(video, operator, "mobility", "stable")
    underestimate = float(-np.expm1(-truth * unit) / unit)
    assert underestimate < truth
    assert stable(torch.tensor(underestimate, dtype=torch.float64)).item() < 1e-24


@every_propagation
@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (8, 9)])
def test_a_mode_without_power_in_the_sources_leaves_the_loss_right_and_its_gradient_finite(
    process: Process, propagation: Propagation, shape: tuple[int, int]
) -> None:
    # All sources are zero in every mode but the mean; only the targets hold more.
    video = torch.full((3, *shape), 0.5, dtype=torch.float64)
    video[0 if (process, propagation) == ("mobility", "stable") else -1] = noise(*shape)
    operator = SafeOperator(0.25, 0.5, 5)
    one_pair = video[:2] if (process, propagation) == ("mobility", "stable") else video[-2:]
    for frames in (one_pair, torch.zeros_like(one_pair)):
        loss = SpectralSafeLoss.of_video(frames, operator, process, propagation)
        assert (loss.weight == 0).any()
        magnitude = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        value = loss(magnitude)
        (slope,) = torch.autograd.grad(value, magnitude)
        reference = safe_loss(frames, magnitude, operator, process, propagation)
        assert value.item() == pytest.approx(reference.item(), rel=1e-12, abs=1e-28)
        assert slope.item() == pytest.approx(0.0, abs=1e-12)


@every_propagation
@pytest.mark.parametrize("shape", [(8, 8), (7, 9)])
def test_a_constant_video_has_no_loss_and_no_slope(
    process: Process, propagation: Propagation, shape: tuple[int, int]
) -> None:
    video = torch.full((4, *shape), 0.7, dtype=torch.float64)
    operator = SafeOperator(0.25, 0.5, 50)
    magnitude = torch.tensor([0.0, 0.3, 0.7], dtype=torch.float64, requires_grad=True)
    loss = SpectralSafeLoss.of_video(video, operator, process, propagation)(magnitude)
    (slope,) = torch.autograd.grad(loss.sum(), magnitude)
    assert loss.tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-28)
    assert slope.tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-26)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_the_spectral_form_takes_magnitudes_of_any_shape(shape: tuple[int, ...]) -> None:
    loss = SpectralSafeLoss.of_video(noise(4, 6, 7), SafeOperator(0.25, 0.5, 5), "diffusion", "signed")
    magnitudes = noise(*shape, seed=2)
    values = loss(magnitudes)
    assert values.shape == shape
    assert values.dtype == torch.float64
    for index in np.ndindex(shape):
        assert values[index].item() == pytest.approx(loss(magnitudes[index]).item(), rel=1e-13)


def test_the_safe_loss_of_a_batch_is_the_mean_over_its_videos() -> None:
    videos, magnitudes = noise(3, 4, 6, 7), torch.tensor([0.1, 0.3, 0.6], dtype=torch.float64)
    operator = SafeOperator(0.25, 0.5, 5)
    each = [
        safe_loss(video, magnitude, operator, "diffusion", "signed").item()
        for video, magnitude in zip(videos, magnitudes, strict=True)
    ]
    batch = safe_loss(videos, magnitudes, operator, "diffusion", "signed").item()
    assert batch == pytest.approx(np.mean(each), rel=1e-13)
    assert len({round(value, 12) for value in each}) == 3


def test_the_spectral_form_keeps_the_settings_of_the_operator_and_the_sign_of_the_propagation() -> None:
    loss = SpectralSafeLoss.of_video(noise(3, 6, 7), SafeOperator(0.25, 0.5, 5), "mobility", "signed")
    assert (loss.interval, loss.discretisation, loss.sign) == (0.25, Discretisation("euler", 0.05), 1.0)
    assert torch.equal(loss.symbol, laplacian_symbol((6, 7), 0.5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_propagation
def test_the_spectral_form_on_cuda_equals_the_safe_loss_with_the_stencil_on_the_cpu(
    process: Process, propagation: Propagation
) -> None:
    video = noise(5, 15, 16)
    magnitude = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    reference = safe_loss(video, magnitude, SafeOperator(0.25, 0.5, 50, "stencil"), process, propagation)
    (reference_slope,) = torch.autograd.grad(reference, magnitude)

    cuda_magnitude = magnitude.detach().cuda().requires_grad_()
    value = SpectralSafeLoss.of_video(video.cuda(), SafeOperator(0.25, 0.5, 50), process, propagation)(cuda_magnitude)
    (slope,) = torch.autograd.grad(value, cuda_magnitude)
    assert value.device.type == "cuda"
    assert value.item() == pytest.approx(reference.item(), rel=1e-11)
    assert slope.item() == pytest.approx(reference_slope.item(), rel=1e-10)
