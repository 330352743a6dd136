"""The estimator from the decay of modes, its likelihood loss, and the training on noisy videos."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from safe_pit_cm.inference.mode_fields import reduce_video
from safe_pit_cm.paper import amortised
from safe_pit_cm.safe.decay_estimator import FEATURES, DecayEstimator, lags
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.simulation.integration import forward_euler
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.studies import noisy_training
from safe_pit_cm.studies.noisy_videos import discretisation, with_noise
from safe_pit_cm.studies.residual_share import ResidualShare

torch.set_num_threads(1)

SPACING, STEP, SAVE_INTERVAL, FRAMES, SIZE = 0.5, 0.01, 25, 41, 16
SETTINGS = {
    "seed": 1, "substeps": SAVE_INTERVAL, "noise": [0.0, 0.01], "noise_min": 0.003, "noise_max": 0.03, "draws": 1,
    "hidden": 8, "epochs": 5, "batch": 4, "rate": 3e-3, "replicates": 2, "cauchy_scale": 1e-3, "steps": 5,
}  # fmt: skip


def video(parent: int, mobility: bool = False) -> xr.Dataset:
    random = np.random.default_rng(parent)
    alpha = -random.uniform(0.1, 0.7)
    # Smooth, so that the slow modes that determine α are strong.
    field = sum(
        random.normal() * np.cos(2 * np.pi * (i * np.arange(SIZE)[:, None] + j * np.arange(SIZE)) / SIZE)
        for i in range(4)
        for j in range(4)
    )
    frames = forward_euler(
        np.asarray(field) / 4, alpha, spacing=SPACING, step=STEP,
        steps=(FRAMES - 1) * SAVE_INTERVAL, save_interval=SAVE_INTERVAL,
    )  # fmt: skip
    axis = np.arange(SIZE) * SPACING
    made = xr.Dataset(
        {"field": (("time", "y", "x"), frames)},
        coords={"time": np.arange(FRAMES) * STEP * SAVE_INTERVAL, "y": axis, "x": axis},
        attrs={
            "seed": 1, "parent": f"{parent:03d}", "process": "diffusion", "transport_coefficient": alpha,
            "diffusivity": -alpha, "grid_spacing": SPACING, "time_step": STEP, "save_interval": SAVE_INTERVAL,
        },
    )  # fmt: skip
    return reverse_time(made) if mobility else made


def estimator() -> DecayEstimator:
    torch.manual_seed(0)
    return DecayEstimator(SafeOperator(STEP * SAVE_INTERVAL, SPACING, SAVE_INTERVAL), hidden=8)


def magnitude(own: DecayEstimator, frames: np.ndarray) -> float:
    with torch.no_grad():
        return float(own(own.compress(torch.from_numpy(frames.copy()))[None])[0])


@pytest.mark.parametrize(("frames", "expected"), [(101, [2, 4, 8, 16, 32, 50]), (11, [2, 4]), (4, [2]), (3, [])])
def test_lags_are_even_and_fill_at_most_half_of_the_video(frames: int, expected: list[int]) -> None:
    assert lags(frames) == expected
    assert all(2 * lag <= frames for lag in expected)


@pytest.mark.parametrize("mobility", [False, True])
def test_without_noise_every_estimate_is_exact_whatever_the_weights(mobility: bool) -> None:
    one, own = video(3, mobility), estimator()
    torch.nn.init.normal_([*own.network.parameters()][-2])
    true = one.attrs["diffusivity"]
    assert magnitude(own, one["field"].to_numpy()) == pytest.approx(true, rel=1e-4)


def test_noise_moves_the_mean_of_the_estimates_by_less_than_their_scatter() -> None:
    one, own = video(3), estimator()
    true = one.attrs["diffusivity"]
    # Only the longest lag of the strongest symbols: no choice of weights is involved.
    found = []
    for seed in range(40):
        noisy = with_noise(one, 0.02, seed)["field"].to_numpy()
        compressed = own.compress(torch.from_numpy(noisy.copy()))
        strongest = compressed[compressed[:, 1].topk(20).indices, 0]
        found.append(float(strongest.median()))
    scatter = np.std(found)
    assert abs(np.mean(found) - true) < 3 * scatter / math.sqrt(len(found)) + 0.01 * true


def test_a_constant_video_has_no_estimate() -> None:
    own = estimator()
    assert magnitude(own, np.full((9, SIZE, SIZE), 0.3)) == pytest.approx(0.0, abs=1e-6)
    assert own.compress(torch.rand(9, SIZE, SIZE)).shape[-1] == 1 + len(FEATURES)


@pytest.mark.parametrize("mobility", [False, True])
def test_the_residual_share_is_that_of_the_likelihood_and_least_at_the_true_coefficient(mobility: bool) -> None:
    one = with_noise(video(4, mobility), 0.01, 1)
    share = ResidualShare.of_video(one)
    frames = one["field"].to_numpy()[:: -1 if mobility else 1]
    times = np.arange(FRAMES) * STEP * SAVE_INTERVAL
    modes = reduce_video(frames, times.astype(np.float64), (SPACING, SPACING), "periodic", discretisation(one))
    whole = modes.remainder + float(np.square(modes.amplitudes).sum())
    for coefficient in (0.08, 0.3, 1.1):
        expected = (modes.remainder + modes.residual_power(np.array([coefficient]))) / whole
        assert share(torch.tensor(coefficient)).item() == pytest.approx(expected, rel=1e-4)
    grid = torch.linspace(0.05, 1.0, 400)
    assert float(grid[share(grid).argmin()]) == pytest.approx(one.attrs["diffusivity"], abs=0.02)


def test_the_gradient_of_the_residual_share_is_its_slope() -> None:
    share = ResidualShare.of_video(with_noise(video(4), 0.01, 1))
    at = torch.tensor(0.23, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(share(at), at)
    step = 1e-5
    assert slope.item() == pytest.approx((share(at + step) - share(at - step)).item() / (2 * step), rel=1e-5)


def test_training_on_noisy_videos_needs_no_labels_and_recovers_the_coefficient() -> None:
    train = [video(parent, mobility) for parent in range(4) for mobility in (False, True)]
    test = [video(9), video(9, mobility=True)]
    recovered, seconds = noisy_training.run(train, test, SETTINGS)
    wrong = [one.assign_attrs(transport_coefficient=99.0, diffusivity=99.0) for one in train]
    again, _ = noisy_training.run(wrong, test, SETTINGS)
    pd.testing.assert_frame_equal(recovered, again)
    errors = (recovered["recovered"] - recovered["true"]).abs()
    assert errors[recovered["noise"] == 0].max() < 1e-4
    assert (np.sign(recovered["recovered"]) == np.sign(recovered["true"])).all()
    rows = recovered.groupby("method").size()
    # Two videos at two levels; two trainings.
    assert rows.to_dict() == {"maximum_likelihood": 4, "one_pass": 8, "refined": 4}
    table = amortised.build(recovered, seconds, steps=5)
    assert set(table.display["method"]) == {"network, one pass", "network, 5 test-time steps", "maximum likelihood"}
    assert "in the mean of 2 trainings" in table.finding


def test_a_video_that_noise_leaves_without_a_value_is_counted_and_not_averaged() -> None:
    settings = {**SETTINGS, "noise": [0, 1000], "epochs": 1}
    recovered, seconds = noisy_training.run([video(0)], [video(9), video(9, mobility=True)], settings)
    hidden = (recovered["method"] == "maximum_likelihood") & (recovered["noise"] == 1000)
    assert recovered.loc[hidden, "recovered"].isna().all()
    table = amortised.build(recovered, seconds, steps=5)
    rows = table.data.set_index(["method", "noise", "process"])
    assert tuple(rows.loc[("maximum_likelihood", 1000, "all"), ["n", "failed"]]) == (0, 2)
    assert tuple(rows.loc[("maximum_likelihood", 0, "all"), ["n", "failed"]]) == (2, 0)
    shown = table.display.set_index("method")
    assert shown.loc["maximum likelihood", "MAE(α), σ = 1000"] == "–; 2 without value"
    assert shown.loc["maximum likelihood", "videos"] == "2"


def test_test_time_steps_leave_the_trained_network_as_it_was() -> None:
    own, one = estimator(), with_noise(video(5), 0.02, 1)
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    noisy_training._refined(own, SETTINGS, one)
    assert all(torch.equal(tensor, before[name]) for name, tensor in own.state_dict().items())


def test_noise_levels_of_a_training_video_are_within_the_range() -> None:
    levels = noisy_training.draw_noise(video(2), {**SETTINGS, "draws": 50})
    assert levels[0] == 0.0
    assert 0.003 <= min(levels[1:]) < 0.005
    assert 0.02 < max(levels) <= 0.03
