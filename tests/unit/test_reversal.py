"""Mobility videos: the reversal of diffusion videos."""

import numpy as np
import pytest
import xarray as xr

from safe_pit_cm.simulation import reversal


@pytest.fixture
def video() -> xr.Dataset:
    frames = np.random.default_rng(0).uniform(0.0, 1.0, (4, 3, 5)).astype(np.float32)
    return xr.Dataset(
        {"field": (("time", "y", "x"), frames, {"units": "1", "long_name": "field φ"})},
        coords={"time": ("time", np.arange(4) * 0.25, {"units": "1"}), "y": np.arange(3.0), "x": np.arange(5.0)},
        attrs={"process": "diffusion", "transport_coefficient": -0.4, "diffusivity": 0.4, "parent": "007", "seed": 3},
    )


def test_frames_come_in_reverse_order_at_the_same_times(video: xr.Dataset) -> None:
    reversed_ = reversal.reverse_time(video)
    for frame in range(4):
        np.testing.assert_array_equal(reversed_["field"][frame], video["field"][3 - frame])
    for name in ("time", "y", "x"):
        xr.testing.assert_identical(reversed_[name], video[name])
    assert reversed_["field"].dtype == np.float32
    assert reversed_["field"].attrs == video["field"].attrs


def test_the_sign_of_the_coefficient_flips_and_nothing_else_of_the_attributes(video: xr.Dataset) -> None:
    assert reversal.reverse_time(video).attrs == video.attrs | {
        "process": "mobility",
        "transport_coefficient": 0.4,
        "diffusivity": 0.4,
    }


def test_reversing_twice_gives_the_frames_and_the_coefficient_back(video: xr.Dataset) -> None:
    twice = reversal.reverse_time(reversal.reverse_time(video))
    xr.testing.assert_equal(twice, video)
    assert twice.attrs["transport_coefficient"] == -0.4
    assert twice.attrs["diffusivity"] == 0.4


def test_the_video_that_is_reversed_stays_as_it_was(video: xr.Dataset) -> None:
    before = video.copy(deep=True)
    reversal.reverse_time(video)
    xr.testing.assert_identical(video, before)


def test_the_reversed_frames_follow_the_equation_backwards(video: xr.Dataset) -> None:
    # A decaying plane wave φ = exp(−D λ t) cos(kx) obeys ∂φ/∂t = −α ∇²φ with α = −D; reversed, its amplitude grows
    # as exp(+M λ t) with M = D.
    decay, time = 0.4 * 0.7, np.arange(4) * 0.25
    wave = np.cos(2.0 * np.pi * np.arange(5) / 5)
    frames = (np.exp(-decay * time)[:, None, None] * wave).repeat(3, axis=1).astype(np.float32)
    reversed_ = reversal.reverse_time(video.assign(field=(("time", "y", "x"), frames)))
    amplitude = reversed_["field"].to_numpy()[:, 0, 0]
    rate = np.diff(np.log(amplitude)) / 0.25
    np.testing.assert_allclose(rate, reversed_.attrs["transport_coefficient"] * 0.7, rtol=1e-5)
