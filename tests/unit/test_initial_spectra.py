"""Recoveries from initial spectra, against those of simulated videos."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from safe_pit_cm.simulation import microstructure
from safe_pit_cm.studies import initial_spectra, replicates, step_ablations
from safe_pit_cm.studies.initial_spectra import Direction, Sampling

COUNTS = (1, 2, 5, 20)
TIME: dict[str, Any] = {"step": 0.01, "steps": 200, "save_interval": 20, "largest_step_reduction": 4}


def start(size: int, roughness: float) -> dict[str, Any]:
    return {
        "size": size,
        "spacing": 0.5,
        "grains_min": 3,
        "grains_max": 6,
        "interface_width": 1.0,
        "roughness": roughness,
    }


@pytest.mark.parametrize(("size", "roughness", "magnitude"), [(16, 3.5, 0.3), (16, 0.3, 0.7), (15, 3.5, 0.12)])
def test_recoveries_are_those_of_simulated_videos(size: int, roughness: float, magnitude: float) -> None:
    grains = start(size, roughness)
    videos = replicates.simulate(3, "004", grains, {"magnitude_min": magnitude, "magnitude_max": magnitude, **TIME})
    field = microstructure.initial_condition(seed=3, parent="004", **grains)["field"].to_numpy()
    power, symbol = initial_spectra.power_spectrum(field[None]), initial_spectra.symbols(size, 0.5)
    sampling = Sampling(0.01, 20, 10)
    compared = 0
    for video in videos.values():
        for row in step_ablations.minima(video, COUNTS):
            sharpened = row["process"] == "mobility" and row["propagation"] == "signed"
            direction: Direction = "sharpened" if sharpened else "smoothed"
            found = initial_spectra.minima(power, symbol, magnitude, sampling, row["substeps"], direction)
            # The frames of a video are float32.
            assert found[0] == pytest.approx(abs(row["recovered"]), rel=1e-6), row
            compared += 1
    assert compared == 3 * len(COUNTS)


def test_smoothing_with_the_steps_of_the_data_is_exact_and_sharpening_overestimates() -> None:
    fields = np.random.default_rng(0).uniform(size=(5, 12, 12))
    power, symbol = initial_spectra.power_spectrum(fields), initial_spectra.symbols(12, 0.5)
    smoothed, sharpened = (
        initial_spectra.minima(power, symbol, 0.4, Sampling(0.01, 20, 10), 20, direction)
        for direction in initial_spectra.DIRECTIONS
    )
    assert smoothed == pytest.approx(np.full(5, 0.4), rel=1e-9)
    assert (sharpened > 0.4).all()


@pytest.mark.parametrize("size", [8, 9])
def test_modes_of_equal_symbol_add_up_to_the_whole_spectrum(size: int) -> None:
    fields = np.random.default_rng(1).normal(size=(2, 3, size, size))
    power, symbol = initial_spectra.power_spectrum(fields), initial_spectra.symbols(size, 0.5)
    assert power.shape == (2, 3, len(symbol))
    assert power.sum(axis=-1) == pytest.approx(size**2 * np.square(fields).sum(axis=(-2, -1)))
    # −∇² of the stencil multiplies every mode by its symbol: the energies agree.
    gradients = sum(np.square(np.roll(fields, 1, axis) - fields).sum(axis=(-2, -1)) for axis in (-1, -2)) / 0.25
    assert (power * symbol).sum(axis=-1) == pytest.approx(size**2 * gradients)
    assert symbol.min() == 0
    if size % 2 == 0:
        assert symbol.max() == pytest.approx(32.0)


def test_a_mode_that_vanishes_after_a_step_does_not_count() -> None:
    # |α| Δt λ_max = 1: the shortest wave is gone in the second frame.
    fields = np.random.default_rng(2).uniform(size=(1, 8, 8))
    power, symbol = initial_spectra.power_spectrum(fields), initial_spectra.symbols(8, 0.5)
    for direction, count in product(initial_spectra.DIRECTIONS, (1, 4)):
        assert np.isfinite(
            initial_spectra.minima(power, symbol, 1.0 / 32.0, Sampling(1.0, 4, 5), count, direction)
        ).all()


def test_many_spectra_are_found_as_each_alone() -> None:
    fields = np.random.default_rng(3).uniform(size=(6, 8, 8)) ** np.arange(1, 7)[:, None, None]
    power, symbol = initial_spectra.power_spectrum(fields), initial_spectra.symbols(8, 0.5)
    sampling = Sampling(0.01, 20, 10)
    together = initial_spectra.minima(power, symbol, 0.5, sampling, 2, "sharpened")
    alone = [initial_spectra.minima(row[None], symbol, 0.5, sampling, 2, "sharpened")[0] for row in power]
    assert together == pytest.approx(np.array(alone), rel=1e-12)
