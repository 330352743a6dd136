"""Forward Euler: against references that share no code with it, and the simulation of a parent."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from safe_pit_cm.data import randomness
from safe_pit_cm.equations import stability
from safe_pit_cm.errors import UserError
from safe_pit_cm.simulation import integration, microstructure

SHAPES = st.tuples(st.integers(2, 12), st.integers(2, 12))
SEEDS = st.integers(0, 2**32 - 1)
# Stability number |α| Δt λ_max: diffusion up to its limit of 2, mobility little, since every mode grows.
NUMBERS = st.floats(0.01, 2.0).map(lambda number: -number) | st.floats(0.01, 0.5)
SPACINGS = st.sampled_from([0.25, 0.5, 1.0, 2.0])


def alpha_of(number: float, step: float, spacing: float) -> float:
    """α with the given signed stability number α Δt λ_max."""
    return number / (step * 8.0 / spacing**2)


def random_field(shape: tuple[int, int], seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0.0, 1.0, shape)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    shape=SHAPES,
    seed=SEEDS,
    number=NUMBERS,
    spacing=SPACINGS,
    step=st.floats(1e-3, 10.0),
    interval=st.integers(1, 4),
    saved=st.integers(1, 4),
)
def test_forward_euler_is_a_plain_loop_over_a_library_laplacian(
    shape: tuple[int, int], seed: int, number: float, spacing: float, step: float, interval: int, saved: int
) -> None:
    field, alpha = random_field(shape, seed), alpha_of(number, step, spacing)
    frames = integration.forward_euler(
        field, alpha, spacing=spacing, step=step, steps=interval * saved, save_interval=interval
    )
    expected, phi = [field], field
    for _ in range(saved):
        for _ in range(interval):
            phi = phi - alpha * step * scipy.ndimage.laplace(phi, mode="wrap") / spacing**2
        expected.append(phi)
    assert frames.shape == (saved + 1, *shape)
    assert frames.dtype == np.float32
    # What float32 keeps of the float64 reference, and no more than a rounding away from it.
    np.testing.assert_allclose(frames, np.stack(expected), rtol=1e-6, atol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    shape=SHAPES,
    wave=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    phase=st.floats(0.0, 6.3),
    number=NUMBERS,
    spacing=SPACINGS,
    steps=st.integers(1, 12),
)
def test_every_fourier_mode_is_amplified_by_its_discrete_factor(
    shape: tuple[int, int], wave: tuple[int, int], phase: float, number: float, spacing: float, steps: int
) -> None:
    step = 0.1
    angles = [2.0 * math.pi * mode / points for mode, points in zip(wave, shape, strict=True)]
    y, x = np.indices(shape)
    mode = np.cos(angles[0] * y + angles[1] * x + phase)
    eigenvalue = (4.0 - 2.0 * math.cos(angles[0]) - 2.0 * math.cos(angles[1])) / spacing**2
    alpha = alpha_of(number, step, spacing)
    frames = integration.forward_euler(mode, alpha, spacing=spacing, step=step, steps=steps, save_interval=1)
    for count in range(steps + 1):
        factor = (1.0 + alpha * step * eigenvalue) ** count
        np.testing.assert_allclose(frames[count], factor * mode, rtol=1e-6, atol=1e-6 * max(1.0, abs(factor)))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(shape=SHAPES, seed=SEEDS, number=st.floats(0.0, 2.0))
def test_stable_diffusion_keeps_the_mean_and_makes_no_new_extremum(
    shape: tuple[int, int], seed: int, number: float
) -> None:
    field = random_field(shape, seed)
    frames = integration.forward_euler(
        field, alpha_of(-number, 0.1, 0.5), spacing=0.5, step=0.1, steps=12, save_interval=3
    )
    np.testing.assert_allclose(frames.mean(axis=(1, 2), dtype=np.float64), field.mean(), rtol=0.0, atol=1e-6)
    assert (np.diff(frames.max(axis=(1, 2))) <= 1e-6).all()
    assert (np.diff(frames.min(axis=(1, 2))) >= -1e-6).all()


def test_diffusion_beyond_the_stability_limit_blows_up() -> None:
    # The limit that the maximum principle above relies on is no looser than it has to be.
    checkerboard = np.indices((6, 6)).sum(axis=0) % 2.0
    frames = integration.forward_euler(
        checkerboard, alpha_of(-2.2, 0.1, 0.5), spacing=0.5, step=0.1, steps=40, save_interval=40
    )
    assert np.abs(frames[-1]).max() > 10.0


def test_mobility_sharpens() -> None:
    field = random_field((8, 8), 0)
    frames = integration.forward_euler(field, 0.1, spacing=0.5, step=0.05, steps=4, save_interval=1)
    assert (np.diff(frames.var(axis=(1, 2))) > 0.0).all()
    np.testing.assert_allclose(frames.mean(axis=(1, 2), dtype=np.float64), field.mean(), atol=1e-6)


def test_the_first_frame_is_the_initial_condition_which_stays_as_it_was() -> None:
    field = random_field((5, 7), 3)
    before = field.copy()
    frames = integration.forward_euler(field, -0.3, spacing=0.5, step=0.05, steps=10, save_interval=5)
    np.testing.assert_array_equal(frames[0], before.astype(np.float32))
    np.testing.assert_array_equal(field, before)


def test_how_often_frames_are_saved_does_not_change_them() -> None:
    field = random_field((6, 5), 4)
    every, second = (
        integration.forward_euler(field, -0.3, spacing=0.5, step=0.05, steps=12, save_interval=interval)
        for interval in (1, 2)
    )
    np.testing.assert_array_equal(second, every[::2])


@pytest.fixture
def initial() -> xr.Dataset:
    return microstructure.initial_condition(
        seed=5,
        parent="002",
        size=16,
        spacing=0.5,
        grains_min=3,
        grains_max=5,
        interface_width=2.0,
        roughness=0.0,
    )


TIME: dict[str, Any] = {
    "magnitude_min": 0.1,
    "magnitude_max": 0.7,
    "step": 0.005,
    "steps": 100,
    "save_interval": 25,
    "largest_step_reduction": 100,
}


def test_magnitudes_are_uniform_in_their_range() -> None:
    draws = np.array([integration.draw_magnitude(3, parent, 0.1, 0.7) for parent in range(2000)])
    assert draws.min() >= 0.1
    assert draws.max() <= 0.7
    # The seed is fixed, so this cannot fail by chance.
    assert scipy.stats.kstest(draws, scipy.stats.uniform(0.1, 0.6).cdf).pvalue > 0.05


def test_a_magnitude_depends_on_the_seed_and_the_parent_alone() -> None:
    first = integration.draw_magnitude(3, 7, 0.1, 0.7)
    integration.draw_magnitude(3, 8, 0.1, 0.7)
    assert integration.draw_magnitude(3, 7, 0.1, 0.7) == first
    assert integration.draw_magnitude(3, 8, 0.1, 0.7) != first
    assert integration.draw_magnitude(4, 7, 0.1, 0.7) != first


def test_the_magnitude_does_not_share_its_random_stream_with_the_grains() -> None:
    # The first uniform draw of the same stream would be the same fraction of its range.
    fraction = randomness.generator(5, 2, "microstructure").random()
    assert integration.draw_magnitude(5, 2, 0.0, 1.0) != pytest.approx(fraction, abs=1e-6)
    assert integration.draw_magnitude(5, 2, 0.0, 1.0) == randomness.generator(5, 2, "transport").random()


def test_a_simulation_is_a_diffusion_video_with_its_settings(initial: xr.Dataset) -> None:
    video = integration.simulate(initial, **TIME)
    alpha = video.attrs["transport_coefficient"]
    assert video["field"].dims == ("time", "y", "x")
    assert video["field"].dtype == np.float32
    assert -0.7 <= alpha <= -0.1
    assert alpha == -integration.draw_magnitude(5, 2, 0.1, 0.7)
    assert video.attrs == initial.attrs | {
        "process": "diffusion",
        "transport_coefficient": alpha,
        "diffusivity": -alpha,
        "time_step": 0.005,
        "save_interval": 25,
    }
    np.testing.assert_allclose(video["time"], [0.0, 0.125, 0.25, 0.375, 0.5], rtol=1e-12)
    for name in ("field", "time", "y", "x"):
        assert video[name].attrs["units"] == "1"
        assert video[name].attrs["long_name"]
    xr.testing.assert_identical(video["y"], initial["y"])


def test_a_simulation_integrates_its_initial_condition_with_its_coefficient(initial: xr.Dataset) -> None:
    video = integration.simulate(initial, **TIME)
    expected = integration.forward_euler(
        initial["field"].to_numpy(),
        video.attrs["transport_coefficient"],
        spacing=0.5,
        step=0.005,
        steps=100,
        save_interval=25,
    )
    np.testing.assert_array_equal(video["field"], expected)


def test_a_simulation_gives_the_same_video_again(initial: xr.Dataset) -> None:
    xr.testing.assert_identical(integration.simulate(initial, **TIME), integration.simulate(initial, **TIME))


def test_an_unstable_step_is_divided_and_the_frames_keep_their_times(initial: xr.Dataset) -> None:
    coarse = TIME | {"magnitude_min": 0.7, "step": 0.25, "steps": 8, "save_interval": 2}
    video = integration.simulate(initial, **coarse)
    # |α| Δt λ_max = 5.6 as it is, and 1.87 by a third.
    assert video.attrs["time_step"] == pytest.approx(0.25 / 3, rel=1e-12)
    assert video.attrs["save_interval"] == 6
    assert stability.stability_number(0.7, video.attrs["time_step"], 0.5) <= 2.0
    np.testing.assert_allclose(video["time"], [0.0, 0.5, 1.0, 1.5, 2.0], rtol=1e-12)

    fine = integration.simulate(initial, **(coarse | {"step": 0.0005, "steps": 4000, "save_interval": 1000}))
    assert fine.attrs["time_step"] == 0.0005
    np.testing.assert_allclose(fine["time"], video["time"], rtol=1e-12)
    np.testing.assert_allclose(video["field"], fine["field"], rtol=0.0, atol=0.03)
    # Not because nothing happens: the field moves by ten times as much.
    assert np.abs(fine["field"][-1] - fine["field"][0]).max() > 0.3


def test_a_step_at_the_limit_of_stability_is_left_as_it_is(initial: xr.Dataset) -> None:
    # |α| Δt λ_max = 0.5 · 0.125 · 32 = 2, exactly.
    exact = TIME | {"magnitude_min": 0.5, "magnitude_max": 0.5, "step": 0.125, "steps": 4, "save_interval": 2}
    video = integration.simulate(initial, **exact)
    assert (video.attrs["time_step"], video.attrs["save_interval"]) == (0.125, 2)


def test_a_step_too_far_from_stable_is_refused(initial: xr.Dataset) -> None:
    with pytest.raises(UserError, match="is unstable") as caught:
        integration.simulate(
            initial, **(TIME | {"magnitude_min": 0.7, "step": 0.25, "steps": 8, "largest_step_reduction": 2})
        )
    assert "the step would have to be divided by 3, more than the 2 allowed" in str(caught.value)
