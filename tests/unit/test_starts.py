"""Start values of the coefficients of an equation."""

import numpy as np
import pytest

from equation_videos import INTERVAL, SPACING, TRUTH, clean
from safe_pit_cm.evolution import starts
from safe_pit_cm.evolution.compiled import Grid
from safe_pit_cm.models import catalogue

NONLINEAR = ["fisher-kpp", "allen-cahn", "cahn-hilliard", "swift-hohenberg", "gray-scott"]


def found(name: str, noise: float, kept: list[int], margin: int = 0) -> np.ndarray:
    frames = clean(name)[kept]
    frames = frames + noise * np.random.default_rng(0).standard_normal(frames.shape)
    grid = Grid((32, 32), (SPACING, SPACING))
    theta, _ = starts.start_values(catalogue.named(name), grid, np.array(kept) * INTERVAL, frames, margin=margin)
    return theta


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("name", NONLINEAR)
def test_start_values_are_near_the_truth_even_with_noise_in_fourth_derivatives(name: str, noise: float) -> None:
    np.testing.assert_allclose(found(name, noise, list(range(41))), TRUTH[name], rtol=0.2 if noise else 0.1)


@pytest.mark.parametrize("margin", [0, 6])
def test_uneven_times_and_margins_are_no_less_accurate(margin: int) -> None:
    kept = [index for index in range(41) if index % 3]
    np.testing.assert_allclose(found("fisher-kpp", 0.02, kept, margin), TRUTH["fisher-kpp"], rtol=0.05)
