"""A film whose picture moves as a whole, as by a drift of the stage."""

import numpy as np
import pytest

import holes
import safe_pit_cm
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference import drift, measured
from safe_pit_cm.inference.checks import Film, measure
from safe_pit_cm.inference.nuisances import NUISANCES

TIMES = np.arange(12.0) * 5
SHAPE = (72, 80)
DIFFUSIVITY = 0.8


def drifting(pixels: tuple[float, float], seed: int = 1, noise: float = 10.0) -> np.ndarray:
    """A bleached spot that moves by so many pixels along y and x over the film, and noise."""
    frames = []
    for time in TIMES:
        moved = np.array(pixels) * time / TIMES[-1]
        centre = (0.48 + moved[0] / SHAPE[0], 0.5 + moved[1] / SHAPE[1])
        frames.append(holes.hole(DIFFUSIVITY, np.array([time]), SHAPE, width=6.0, depth=1000.0, centre=centre)[0])
    return 2000 + np.stack(frames) + noise * np.random.default_rng(seed).standard_normal((len(TIMES), *SHAPE))


def film_of(frames: np.ndarray) -> Film:
    return measure(holes.video(frames, TIMES))


def test_a_film_is_moved_back_as_far_as_it_has_moved() -> None:
    moved = drift.moved_back(film_of(drifting((6.0, -4.0))), drift.Drift((6.0, -4.0), (0.1, 0.1)))
    still = drifting((0.0, 0.0))
    inner = np.s_[:, 10:-10, 10:-10]
    difference = (moved.frames - still)[inner]
    assert difference.std() < 15
    assert abs(difference.mean()) < 1


def test_a_drift_is_found_and_leaves_d_as_it_is() -> None:
    found = safe_pit_cm.fit(holes.video(drifting((6.0, -4.0)), TIMES)).attrs
    pixels, stderr = found["nuisances"]["drift"]["pixels"], found["nuisances"]["drift"]["stderr"]
    assert pixels == pytest.approx((6.0, -4.0), abs=max(0.3, 4 * max(stderr)))
    assert abs(found["diffusivity"] - DIFFUSIVITY) < 3 * found["total_stderr"]
    assert found["total_stderr"] < 0.05 * DIFFUSIVITY
    assert "moves by" in found["notes"]
    assert found["grade"] != "refused"


def test_a_film_at_rest_is_left_alone() -> None:
    found = safe_pit_cm.fit(holes.video(drifting((0.0, 0.0)), TIMES)).attrs
    assert "drift" not in found["nuisances"]
    assert abs(found["diffusivity"] - DIFFUSIVITY) < 3 * found["total_stderr"]


def test_the_interval_of_a_noisy_film_that_was_moved_back_allows_for_false_minima(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The parts of a film take longer than the film, and do not move the statistical interval.
    monkeypatch.setattr(measured, "parts", lambda *arguments: [])
    noisy = drifting((6.0, -4.0), seed=2, noise=150.0)
    found = measured.fit_measured(film_of(noisy), "open", Discretisation(), frozenset(NUISANCES))
    assert found.moved is not None
    assert found.fit is not None
    assert found.limits.interval is not None
    assert found.scan.tiles is found.moved.fit.tiles
    (low, high), by_curvature = found.limits.interval, found.moved.fit.interval
    assert low < by_curvature[0]
    assert by_curvature[1] < high
    assert low < DIFFUSIVITY < high
    assert found.fit.stderr >= (high - low) / 3.93
