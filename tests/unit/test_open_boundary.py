"""Open crops: D without any knowledge of the boundary."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.cramer_rao import open_bound
from safe_pit_cm.inference.open_boundary import fit_open
from safe_pit_cm.inference.tiles import cut
from safe_pit_cm.simulation.microstructure import initial_condition

SPACING, NOISE = (0.5, 0.5), 0.01
TIMES = np.asarray(np.arange(0, 101, 2) * 0.25, dtype=np.float64)


def truth(parent: int, diffusivity: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """A 32 × 32 crop of a periodic 64 × 64 field, and its derivative by D."""
    field = initial_condition(
        seed=1,
        parent=f"{parent:03d}",
        size=64,
        spacing=0.5,
        grains_min=15,
        grains_max=35,
        interface_width=0.5,
        roughness=0.3,
    )["field"].to_numpy()
    exponent = -symbols((64, 64), SPACING, "periodic", Discretisation()) * TIMES[:, None, None]
    modes = to_modes(field, "periodic") * np.exp(diffusivity * exponent)
    crop = np.s_[:, 10:42, 20:52]
    return to_field(modes, "periodic")[crop], to_field(exponent * modes, "periodic")[crop]


def test_an_open_crop_gives_d_at_its_bound() -> None:
    frames, slopes = truth(3, 0.4)
    noisy = frames + NOISE * np.random.default_rng(1).normal(size=frames.shape)
    found = fit_open(noisy, TIMES, SPACING, Discretisation(), np.array([0]))
    bound = open_bound(frames, slopes, TIMES, 0.4, NOISE, SPACING)
    assert abs(found.diffusivity - 0.4) < 3 * bound
    assert found.stderr == pytest.approx(bound, rel=0.1)
    assert found.noise == pytest.approx(NOISE, rel=0.03)
    assert found.check.fits


def test_tiles_are_equal_and_small_enough() -> None:
    corners, tile = cut((70, 33), 32)
    assert tile == (23, 16)
    assert corners[-1] == (46, 16)


@pytest.mark.slow
def test_error_and_coverage_over_many_crops() -> None:
    random = np.random.default_rng(4)
    errors, covered = [], []
    for parent in range(200):
        diffusivity = random.uniform(0.1, 0.7)
        frames, slopes = truth(parent, diffusivity)
        noisy = frames + NOISE * random.normal(size=frames.shape)
        found = fit_open(noisy, TIMES, SPACING, Discretisation(), np.array([0]))
        bound = open_bound(frames, slopes, TIMES, diffusivity, NOISE, SPACING)
        errors.append((found.diffusivity - diffusivity) / bound)
        covered.append(found.interval[0] <= diffusivity <= found.interval[1])
    assert np.sqrt(np.mean(np.square(errors))) < 1.3
    assert 0.90 <= np.mean(covered) <= 0.98
