"""A simulated video is what it says: its modes decay at the rate of the true diffusivity."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.fft import dctn, fft2, fftfreq

from safe_pit_cm.errors import UserError
from safe_pit_cm.video import reading, simulation
from safe_pit_cm.video.simulation import Settings, simulate

CLEAN = Settings(diffusivity=0.3, noise=0.0, dtype="float64", frames=6, dx=0.5, dt=0.2, size=(32, 32))


def test_periodic_modes_decay_at_the_rate_of_the_continuous_operator() -> None:
    video = simulate(replace(CLEAN, boundary="periodic"))
    spectrum = np.abs(fft2(video.to_numpy()))
    k = 2 * np.pi * fftfreq(32, 0.5)
    rate = 0.3 * (k[:, None] ** 2 + k**2)
    # Modes that stay above rounding until the last frame.
    strong = spectrum[-1] > 1e-6
    assert strong.sum() > 100
    np.testing.assert_allclose((np.log(spectrum[0] / spectrum[-1]) / (5 * 0.2))[strong], rate[strong], atol=1e-6)


def test_modes_without_flux_decay_at_the_rate_of_the_continuous_operator() -> None:
    video = simulate(replace(CLEAN, boundary="no-flux", size=(24, 32)))
    spectrum = np.abs(dctn(video.to_numpy(), axes=(1, 2)))
    ky, kx = np.pi * np.arange(24) / (24 * 0.5), np.pi * np.arange(32) / (32 * 0.5)
    rate = 0.3 * (ky[:, None] ** 2 + kx**2)
    strong = spectrum[-1] > 1e-6
    assert strong.sum() > 100
    np.testing.assert_allclose((np.log(spectrum[0] / spectrum[-1]) / (5 * 0.2))[strong], rate[strong], atol=1e-6)


def test_an_open_video_is_the_middle_of_a_larger_one() -> None:
    large = simulate(replace(CLEAN, boundary="periodic", size=(64, 64)))
    np.testing.assert_allclose(simulate(CLEAN), large[:, 16:48, 16:48], rtol=1e-12)


def test_mobility_is_the_video_backwards() -> None:
    backwards = simulate(replace(CLEAN, process="mobility"))
    np.testing.assert_array_equal(backwards, simulate(CLEAN).to_numpy()[::-1])
    assert backwards.attrs["transport_coefficient"] == 0.3


def test_noise_gain_and_offset_are_what_was_asked_for() -> None:
    noisy = simulate(replace(CLEAN, noise=0.05, gain=37.0, offset=100.0, frames=40))
    difference = (noisy - (37.0 * simulate(replace(CLEAN, frames=40)) + 100.0)).to_numpy()
    assert abs(difference.std() / (37.0 * 0.05) - 1) < 0.02
    assert abs(difference.mean()) < 0.05


@pytest.mark.parametrize("suffix", simulation.SUFFIXES)
def test_equal_settings_give_equal_bytes_and_readable_files(suffix: str, tmp_path: Path) -> None:
    settings = replace(CLEAN, dtype="uint16", noise=0.01)
    contents = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}{suffix}"
        simulation.write(simulate(settings), path)
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    video = reading.read(path) if suffix != ".npy" else reading.read(path, dx=0.5, dt=0.2)
    np.testing.assert_array_equal(video, simulate(settings))
    np.testing.assert_allclose(video["time"], np.arange(6) * 0.2)
    np.testing.assert_allclose(video["y"], np.arange(32) * 0.5)


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"diffusivity": -1.0}, "--diffusivity"),
        ({"dx": 0.0}, "--dx"),
        ({"dt": float("nan")}, "--dt"),
        ({"noise": -0.1}, "--noise"),
        ({"gain": 0.0}, "--gain"),
        ({"frames": 2}, "--frames"),
        ({"size": (4, 64)}, "--size"),
        ({"seed": -1}, "--seed"),
        ({"boundary": "periodic", "size": (32, 64)}, "--size"),
        ({"boundary": "insulated"}, "now called no-flux"),
        ({"boundary": "closed"}, "choose one of periodic, no-flux, open"),
    ],
)
def test_settings_that_cannot_work_are_named(change: dict[str, object], option: str) -> None:
    with pytest.raises(UserError, match=option):
        simulate(replace(CLEAN, **change))  # type: ignore[arg-type]
