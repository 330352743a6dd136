"""Zero-shot fits: what they recover, what they record, and what they depend on."""

import numpy as np
import pytest
import scipy.optimize
import torch
import xarray as xr

from safe_pit_cm.equations.processes import Process, Propagation
from safe_pit_cm.safe.attention_estimator import AttentionEstimator
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss
from safe_pit_cm.safe.zero_shot import fit
from safe_pit_cm.simulation.integration import forward_euler
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.simulation.videos import frame_interval

# The fields are tiny: more threads would only wait for one another.
torch.set_num_threads(1)

DIFFUSIVITY, SPACING, STEP, SAVE_INTERVAL, FRAMES = 0.4, 0.5, 0.01, 25, 9


def diffusion_video(parent: int = 3) -> xr.Dataset:
    """Small video with everything that a fit reads."""
    start = np.random.default_rng(parent).uniform(size=(16, 16))
    frames = forward_euler(
        start,
        -DIFFUSIVITY,
        spacing=SPACING,
        step=STEP,
        steps=(FRAMES - 1) * SAVE_INTERVAL,
        save_interval=SAVE_INTERVAL,
    )
    return xr.Dataset(
        {"field": (("time", "y", "x"), frames)},
        coords={"time": np.arange(FRAMES) * STEP * SAVE_INTERVAL},
        attrs={
            "seed": 1,
            "parent": parent,
            "process": "diffusion",
            "transport_coefficient": -DIFFUSIVITY,
            "diffusivity": DIFFUSIVITY,
            "grid_spacing": SPACING,
            "time_step": STEP,
            "save_interval": SAVE_INTERVAL,
        },
    )


def video_of(process: Process) -> xr.Dataset:
    """Diffusion, or its time reversal."""
    return diffusion_video() if process == "diffusion" else reverse_time(diffusion_video())


def quick_fit(
    video: xr.Dataset,
    *,
    propagation: Propagation = "signed",
    substeps: int = SAVE_INTERVAL,
    steps: int = 5,
    seed: int = 1,
    device: str = "cpu",
) -> xr.Dataset:
    """Fit with a small estimator."""
    return fit(
        video,
        propagation=propagation,
        substeps=substeps,
        steps=steps,
        learning_rate=0.003,
        estimator={"pooled_size": 8, "channels": 8, "stride": 2, "features": 16, "heads": 4},
        seed=seed,
        device=device,
    )


def best_magnitude(frames: torch.Tensor, operator: SafeOperator, process: Process, propagation: Propagation) -> float:
    """|α| at the minimum of the SAFE loss, by a scalar optimiser that knows nothing of the estimator."""
    loss = SpectralSafeLoss.of_video(frames, operator, process, propagation)
    found = scipy.optimize.minimize_scalar(
        lambda magnitude: loss(torch.tensor(magnitude, dtype=torch.float64)).item(),
        bounds=(0.01, 1.0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def test_the_frame_interval_is_the_step_times_the_save_interval() -> None:
    assert frame_interval(diffusion_video()) == pytest.approx(0.25, rel=1e-15)


@pytest.mark.parametrize(
    ("process", "propagation", "expected"),
    [
        ("diffusion", "signed", -DIFFUSIVITY),
        ("diffusion", "stable", -DIFFUSIVITY),
        ("mobility", "stable", DIFFUSIVITY),
    ],
)
def test_a_fit_recovers_the_coefficient_of_diffusion_and_of_mobility_propagated_stably(
    process: Process, propagation: Propagation, expected: float
) -> None:
    result = quick_fit(video_of(process), propagation=propagation, steps=250)
    # The fresh model must have had something to learn.
    assert abs(result["alpha"][0].item() - expected) > 0.1
    assert result.attrs["alpha"] == pytest.approx(expected, rel=1e-4)
    assert result["loss"][-1].item() < 1e-6 * result["loss"][0].item()


def test_the_published_reading_overestimates_mobility_at_the_minimum_of_its_own_loss() -> None:
    video = video_of("mobility")
    result = quick_fit(video, propagation="signed", steps=250)
    frames = torch.from_numpy(video["field"].to_numpy().copy())
    operator = SafeOperator(frame_interval(video), SPACING, SAVE_INTERVAL)
    minimum = best_magnitude(frames, operator, "mobility", "signed")
    # Not a failure to converge: the fit is where the loss is least, and that lies above the truth.
    assert minimum > 1.05 * DIFFUSIVITY
    assert result.attrs["alpha"] == pytest.approx(minimum, rel=1e-3)


def test_the_bias_of_the_published_reading_halves_as_the_substeps_double() -> None:
    # A data step far below every sub-step, so that the data add no first-order error of their own.
    truth, spacing = 0.1, 1.0
    start = np.random.default_rng(0).uniform(size=(16, 16))
    diffusion = forward_euler(start, -truth, spacing=spacing, step=5e-4, steps=2000, save_interval=500)
    mobility = torch.from_numpy(diffusion[::-1].copy())

    def bias(substeps: int) -> float:
        return best_magnitude(mobility, SafeOperator(0.25, spacing, substeps), "mobility", "signed") - truth

    biases = [bias(substeps) for substeps in (2, 4, 8)]
    assert all(value > 0 for value in biases)
    assert biases[0] / biases[1] == pytest.approx(2.0, abs=0.1)
    assert biases[1] / biases[2] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_history_runs_from_the_fresh_model_to_the_result(steps: int) -> None:
    result = quick_fit(video_of("mobility"), steps=steps)
    assert result["step"].to_numpy().tolist() == list(range(steps + 1))
    assert result["alpha"].shape == result["loss"].shape == (steps + 1,)
    assert result.attrs["alpha"] == result["alpha"][-1].item()
    assert np.isfinite(result["loss"]).all()


def test_a_longer_fit_continues_the_shorter_one() -> None:
    short, long = quick_fit(diffusion_video(), steps=3), quick_fit(diffusion_video(), steps=6)
    assert np.array_equal(short["alpha"], long["alpha"][:4])
    assert np.array_equal(short["loss"], long["loss"][:4])


@pytest.mark.parametrize(("process", "sign"), [("diffusion", -1.0), ("mobility", 1.0)])
@pytest.mark.parametrize("propagation", ["signed", "stable"])
def test_the_sign_of_alpha_is_that_of_the_process_under_either_propagation(
    process: Process, propagation: Propagation, sign: float
) -> None:
    result = quick_fit(video_of(process), propagation=propagation)
    assert (np.sign(result["alpha"]) == sign).all()


def test_a_fit_is_deterministic_and_heeds_no_draw_made_before_it() -> None:
    torch.manual_seed(123)
    first = quick_fit(diffusion_video())
    torch.rand(17)
    second = quick_fit(diffusion_video())
    xr.testing.assert_identical(first, second)


def test_the_fresh_model_depends_on_the_seed_and_the_parent() -> None:
    # The same frames throughout: what differs is the draw of the weights.
    video = diffusion_video(parent=3)
    starts = {
        quick_fit(video, steps=0).attrs["alpha"],
        quick_fit(video, steps=0, seed=2).attrs["alpha"],
        quick_fit(video.assign_attrs(parent=4), steps=0).attrs["alpha"],
    }
    assert len(starts) == 3


def test_both_processes_of_a_parent_start_from_the_same_magnitude() -> None:
    # They share the parent's weights, and the estimator does not see the order of the frames.
    diffusion, mobility = quick_fit(video_of("diffusion"), steps=0), quick_fit(video_of("mobility"), steps=0)
    assert mobility.attrs["alpha"] == pytest.approx(-diffusion.attrs["alpha"], rel=1e-5)


def test_a_fit_by_matrix_products_ends_where_one_by_convolutions_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = quick_fit(diffusion_video(), steps=200)

    def pooled(model: AttentionEstimator, video: torch.Tensor) -> torch.Tensor:
        return model.pool(video)

    def convolved(model: AttentionEstimator, images: torch.Tensor) -> torch.Tensor:
        features = model.convolutions(images.flatten(0, 1)[:, None]).mean((-2, -1))
        return features.unflatten(0, images.shape[:2])

    monkeypatch.setattr(AttentionEstimator, "compress", pooled)
    monkeypatch.setattr(AttentionEstimator, "describe", convolved)
    reference = quick_fit(diffusion_video(), steps=200)
    assert fast.attrs["alpha"] == pytest.approx(reference.attrs["alpha"], abs=1e-6)
    np.testing.assert_allclose(fast["alpha"], reference["alpha"], rtol=0, atol=1e-5)


def test_progress_is_told_every_step_with_its_loss_and_signed_alpha() -> None:
    told: list[tuple[int, float, float]] = []
    result = fit(
        diffusion_video(),
        propagation="signed",
        substeps=5,
        steps=4,
        learning_rate=0.003,
        estimator={"pooled_size": 8, "channels": 2, "stride": 2, "features": 4, "heads": 2},
        seed=1,
        progress=lambda step, loss, alpha: told.append((step, loss, alpha)),
    )
    assert [step for step, _, _ in told] == [0, 1, 2, 3, 4]
    assert [loss for _, loss, _ in told] == result["loss"].to_numpy().tolist()
    assert [alpha for _, _, alpha in told] == result["alpha"].to_numpy().tolist()


@pytest.mark.parametrize("process", ["diffusion", "mobility"])
@pytest.mark.parametrize("propagation", ["signed", "stable"])
def test_the_residual_of_each_pair_is_that_of_the_operator_at_the_final_alpha(
    process: Process, propagation: Propagation
) -> None:
    video = video_of(process)
    result = quick_fit(video, propagation=propagation)
    assert result["residual"].shape == (FRAMES - 1,)
    assert np.array_equal(result["time"], video["time"][1:])
    # At an α that is far from converged the residual is no rounding error.
    frames = torch.from_numpy(video["field"].to_numpy().copy()).double()
    source, target = frames[:-1], frames[1:]
    alpha = result.attrs["alpha"]
    if process == "mobility" and propagation == "stable":
        source, target, alpha = target, source, -alpha
    operator = SafeOperator(0.25, SPACING, SAVE_INTERVAL, "stencil")
    expected = (operator(source, torch.tensor(alpha)) - target).square().mean((-2, -1)).sqrt()
    np.testing.assert_allclose(result["residual"], expected, rtol=1e-3)
    assert np.mean(result["residual"].to_numpy() ** 2) == pytest.approx(result["loss"][-1].item(), rel=1e-3)


def test_the_result_carries_what_it_was_made_with() -> None:
    attrs = quick_fit(video_of("mobility"), propagation="stable", substeps=7, steps=2).attrs
    assert attrs["process"] == "mobility"
    assert attrs["transport_coefficient"] == DIFFUSIVITY
    assert attrs["diffusivity"] == DIFFUSIVITY
    assert (attrs["parent"], attrs["seed"]) == (3, 1)
    assert (attrs["propagation"], attrs["substeps"], attrs["steps"]) == ("stable", 7, 2)
    assert attrs["learning_rate"] == 0.003
    assert (attrs["estimator_pooled_size"], attrs["estimator_heads"]) == (8, 4)


def test_the_video_given_is_left_unchanged() -> None:
    video = diffusion_video()
    before = video.copy(deep=True)
    quick_fit(video)
    xr.testing.assert_identical(video, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
# torch may say this of the thread that runs backward; it then sets the context itself.
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning")
@pytest.mark.parametrize(("process", "propagation"), [("diffusion", "signed"), ("mobility", "stable")])
def test_a_fit_on_cuda_starts_where_the_cpu_starts_and_recovers_the_same_coefficient(
    process: Process, propagation: Propagation
) -> None:
    video = video_of(process)
    on_cuda = quick_fit(video, propagation=propagation, steps=250, device="cuda")
    on_cpu = quick_fit(video, propagation=propagation, steps=250)
    # Convolutions may run in TF32 there, which keeps three digits.
    assert on_cuda["alpha"][0].item() == pytest.approx(on_cpu["alpha"][0].item(), rel=1e-2)
    assert on_cuda["loss"][0].item() == pytest.approx(on_cpu["loss"][0].item(), rel=1e-1)
    assert on_cuda.attrs["alpha"] == pytest.approx(on_cpu.attrs["alpha"], rel=1e-3)
    assert on_cuda["residual"].shape == (FRAMES - 1,)
