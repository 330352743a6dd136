"""Fits of films that are known by formula: D is right, within its error bars, with what a detector adds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import safe_pit_cm
from films import NOISE, SPACING, TIMES, noisy, open_crop
from holes import BILAYER_PIXEL, UNEVEN, Frames, binned, film, hole, video
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference import measured
from safe_pit_cm.inference.cramer_rao import open_bound
from safe_pit_cm.inference.measured import fit_measured

DIFFUSIVITY = 1.2
EVEN: Frames = np.asarray(np.arange(8) * 2.0, dtype=np.float64)
COARSE: Frames = np.asarray([0, 1, 2, 4, 5, 9, 14, 20, 30], dtype=np.float64)
# Of the slow test: so long that what diffuses into view comes from far beyond the crop.
LONG: Frames = np.asarray(np.arange(0, 101, 2) * 0.25, dtype=np.float64)


def spot(times: Frames = EVEN) -> Frames:
    return 1000 + 400 * hole(DIFFUSIVITY, times)


def bleaching() -> Frames:
    return spot() * np.exp(-0.02 * np.arange(8))[:, None, None]


def immobile() -> Frames:
    return 0.85 * spot() + 0.15 * spot()[:1]


def vignetting() -> Frames:
    rows, columns = np.mgrid[-20:20, -20:20]
    return spot() * (1 - 0.1 * (rows**2 + columns**2) / 800)


def black() -> Frames:
    frames = spot()
    frames[5] = 100
    return frames


def flicker() -> Frames:
    random = np.random.default_rng(9)
    return spot() * (1 + 0.02 * random.normal(size=(8, 1, 1))) + 30 * random.normal(size=(8, 1, 1))


CASES: dict[str, tuple[Callable[[], Frames], Frames, int]] = {
    "plain": (spot, EVEN, 1),
    "plain, binned": (spot, EVEN, 2),
    "uneven times": (lambda: spot(COARSE), COARSE, 2),
    "bleaching": (bleaching, EVEN, 2),
    "immobile share": (immobile, EVEN, 2),
    "vignetting": (vignetting, EVEN, 2),
    "black frame": (black, EVEN, 2),
    "flicker": (flicker, EVEN, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_d_is_right_with_what_a_detector_adds(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, times, factor = CASES[case]
    if factor == 1:
        # The parts of a film take longer than the film, and do not move D.
        monkeypatch.setattr(measured, "parts", lambda *arguments: [])
    frames = binned(make(), factor)
    frames += 4 / factor * np.random.default_rng(11).normal(size=frames.shape)
    found = safe_pit_cm.fit(video(frames, times, float(factor))).attrs
    assert found["diffusivity"] == pytest.approx(DIFFUSIVITY, rel=0.15)
    assert abs(found["diffusivity"] - DIFFUSIVITY) < 3.5 * found["stderr"]
    assert found["stderr"] < 0.06 * DIFFUSIVITY
    assert found["noise"] == pytest.approx(4 / factor, rel=0.06)
    low, high = found["total_ci95"]
    assert low < DIFFUSIVITY < high
    assert found["frames"] == len(times) - (case == "black frame")


def test_an_open_crop_gives_d_at_its_bound() -> None:
    frames, slopes = open_crop("003", 0.4, TIMES)
    found = crop(noisy(frames, seed=1), TIMES)
    bound = open_bound(frames, slopes, TIMES, 0.4, NOISE, (SPACING, SPACING))
    assert abs(found["diffusivity"] - 0.4) < 3 * bound
    assert found["stderr"] == pytest.approx(bound, rel=0.15)
    assert found["noise"] == pytest.approx(NOISE, rel=0.03)
    assert found["fits"]


def crop(frames: Frames, times: Frames) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "parts", lambda *arguments: [])
        return dict(safe_pit_cm.fit(video(frames, times, SPACING), nuisances="none").attrs)


@pytest.mark.slow
def test_error_and_coverage_over_many_crops() -> None:
    random = np.random.default_rng(4)
    errors, covered = [], []
    for parent in range(60):
        diffusivity = random.uniform(0.1, 0.7)
        frames, slopes = open_crop(f"{parent:03d}", diffusivity, LONG)
        found = crop(frames + NOISE * random.normal(size=frames.shape), LONG)
        bound = open_bound(frames, slopes, LONG, diffusivity, NOISE, (SPACING, SPACING))
        errors.append((found["diffusivity"] - diffusivity) / bound)
        covered.append(found["ci95"][0] <= diffusivity <= found["ci95"][1])
    assert np.sqrt(np.mean(np.square(errors))) < 1.3
    assert scipy.stats.binomtest(sum(covered), 60, 0.95).pvalue > 0.01


def bilayer(factor: int, seed: int) -> Frames:
    """A hole of 12 µm in a supported lipid bilayer of 512 × 672 pixels, D = 1.76 µm²/s."""
    spacing, shape = factor * BILAYER_PIXEL, (512 // factor, 672 // factor)
    frames = 2000 + 1000 * hole(1.76, UNEVEN, shape, width=12.0, spacing=spacing)
    return np.asarray(frames + 20 / factor * np.random.default_rng(seed).normal(size=frames.shape))


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_bilayer_gives_its_d_at_every_binning(factor: int) -> None:
    found = safe_pit_cm.fit(video(bilayer(factor, 0).astype(np.float32), UNEVEN, factor * BILAYER_PIXEL)).attrs
    assert abs(found["diffusivity"] - 1.76) < 3.5 * found["stderr"]
    assert found["stderr"] < 0.005 * 1.76
    assert found["total_ci95"][0] < 1.76 < found["total_ci95"][1]
    assert found["grade"] == "noise"


@pytest.mark.slow
def test_the_interval_of_a_bilayer_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    # The parts of a film take longer than the film, and do not move the statistical interval.
    monkeypatch.setattr(measured, "parts", lambda *arguments: [])
    covered, errors, stated = 0, [], []
    for seed in range(40):
        frames = film(bilayer(4, seed), UNEVEN, 4 * BILAYER_PIXEL)
        found = fit_measured(frames, "open", Discretisation(), frozenset({"offset", "gain", "bleaching", "background"}))
        assert found.fit is not None
        assert found.limits.interval is not None
        low, high = found.limits.interval
        covered += low <= 1.76 <= high
        errors.append(found.fit.diffusivity - 1.76)
        stated.append(found.fit.stderr)
    assert scipy.stats.binomtest(covered, 40, 0.95).pvalue > 0.01
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.mean(stated), rel=0.35)
