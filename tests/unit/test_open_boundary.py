"""Open crops: D without any knowledge of the boundary."""

import numpy as np
import pytest

from films import NOISE, SPACING, TIMES, noisy, open_crop
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.cramer_rao import open_bound
from safe_pit_cm.inference.open_boundary import fit_open
from safe_pit_cm.inference.tiles import cut

# Of the slow test: so long that what diffuses into view comes from far beyond the crop.
LONG = np.asarray(np.arange(0, 101, 2) * 0.25, dtype=np.float64)


def test_an_open_crop_gives_d_at_its_bound() -> None:
    frames, slopes = open_crop("003", 0.4, TIMES)
    found = fit_open(noisy(frames, seed=1), TIMES, (SPACING, SPACING), Discretisation(), np.array([0]))
    bound = open_bound(frames, slopes, TIMES, 0.4, NOISE, (SPACING, SPACING))
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
    for parent in range(100):
        diffusivity = random.uniform(0.1, 0.7)
        frames, slopes = open_crop(f"{parent:03d}", diffusivity, LONG)
        found = fit_open(
            frames + NOISE * random.normal(size=frames.shape),
            LONG,
            (SPACING, SPACING),
            Discretisation(),
            np.array([0]),
        )
        bound = open_bound(frames, slopes, LONG, diffusivity, NOISE, (SPACING, SPACING))
        errors.append((found.diffusivity - diffusivity) / bound)
        covered.append(found.interval[0] <= diffusivity <= found.interval[1])
    assert np.sqrt(np.mean(np.square(errors))) < 1.3
    assert 0.90 <= np.mean(covered) <= 0.98
