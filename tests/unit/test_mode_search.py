"""Maximum likelihood over modes: the guided search, and whether a video determines D, against scans of everything."""

from dataclasses import replace

import numpy as np
import pytest

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference import intervals, likelihood, mode_fields, mode_search, sandwich
from safe_pit_cm.inference.mode_fields import reduce_video
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.search import scan_then_brent

SPACING, INTERVAL, DIFFUSIVITY = 0.5, 0.05, 0.4
CONTINUOUS = Discretisation()


def modes_of(noise: float, boundary: Boundary = "periodic", shape: tuple[int, int] = (16, 20)) -> Modes:
    """Modes of a video of white noise that diffuses, with measurement noise."""
    random = np.random.default_rng(2)
    symbol = symbols(shape, (SPACING, SPACING), boundary, CONTINUOUS)
    start = to_modes(random.normal(size=shape), boundary) * np.exp(-0.1 * symbol)
    times = INTERVAL * np.arange(12, dtype=np.float64)
    frames = np.array([to_field(start * np.exp(-DIFFUSIVITY * time * symbol), boundary) for time in times])
    frames += noise * random.normal(size=frames.shape)
    return reduce_video(frames, times, (SPACING, SPACING), boundary, CONTINUOUS, background=boundary == "dirichlet")


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet"])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3])
def test_the_search_guided_by_the_strongest_modes_ends_where_a_scan_of_all_modes_does(
    noise: float, boundary: Boundary
) -> None:
    modes = modes_of(noise, boundary)
    grid = np.geomspace(*mode_search.range_of(modes), 96)
    whole = scan_then_brent(lambda d: modes.residual_power(np.array([d, 0.0])), grid, logarithmic=True)
    found, expected = (likelihood.fit_modes(modes, start=start) for start in (None, np.array([whole.position])))
    assert abs(found.diffusivity - expected.diffusivity) < 2e-3 * expected.stderr + 1e-9 * DIFFUSIVITY
    assert found.stderr == pytest.approx(expected.stderr, rel=1e-3)


def test_strong_modes_that_tell_little_do_not_end_the_search() -> None:
    modes = modes_of(0.3)
    strongest = mode_search._strongest(modes, mode_search._SCOUTS)
    start, score = mode_search._climb_from(strongest, np.geomspace(0.2, 0.6, 5), 2, {1: 1.0, 2: 0.0, 3: 1.0})
    variance = score.power / mode_search._freedom(strongest) / score.measured[0, 0]
    assert variance > (mode_search._DECISIVE * start[0]) ** 2
    assert mode_search.search(modes)[0] != start[0]


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_interval_from_slopes_is_that_of_the_profile(noise: float) -> None:
    modes = modes_of(noise)
    fit = likelihood.fit_modes(modes)
    assert fit.curve is not None
    quick, slow = (intervals.interval(modes, each)[0] for each in (fit, replace(fit, curve=None)))
    assert quick == pytest.approx(slow, abs=2e-3 * fit.stderr)
    information = likelihood._observed_information(
        fit.strong,
        fit.theta,
        fit.weights[fit.weights > 0],
        fit.noise**2,
        fit.strong.score(fit.theta, fit.weights[fit.weights > 0]).slope(fit.noise**2),
        mode_search.highest(modes),
    )
    assert -fit.curve.deriv(2)(fit.diffusivity) == pytest.approx(information[0, 0], rel=1e-3)


@pytest.mark.parametrize(("noise", "determined"), [(0.0, True), (0.02, True), (30.0, False)])
def test_both_ends_are_excluded_as_a_scan_of_the_whole_range_excludes_them(noise: float, determined: bool) -> None:
    modes = modes_of(noise)
    fit = likelihood.fit_modes(modes)
    grid = np.unique(np.append(np.geomspace(*mode_search.range_of(modes), 24), fit.diffusivity))
    strong, weights = modes.subset(np.flatnonzero(fit.weights > 0)), fit.weights[fit.weights > 0]
    scale = max(fit.noise**2 * fit.inflation, 1e-300)
    height = np.array([strong.residual_power(np.array([each]), weights) for each in grid]) / scale
    low, high, scanned = intervals.one_sided(grid, height)
    assert scanned is determined
    assert intervals.limits(modes, fit) == ((None, None, True) if determined else (low, high, False))


def test_an_offset_that_flickers_costs_a_large_video_no_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    symbol = symbols((64, 64), (SPACING, SPACING), "periodic", CONTINUOUS)
    start = to_modes(random.normal(size=(64, 64)), "periodic") * np.exp(-0.2 * symbol)
    times = INTERVAL * np.arange(40, dtype=np.float64)
    frames = np.array([to_field(start * np.exp(-DIFFUSIVITY * time * symbol), "periodic") for time in times])
    frames += 0.05 * random.normal(size=frames.shape) + 500 + 100 * random.normal(size=(40, 1, 1))
    frames = frames.astype(np.float32)
    found = []
    for largest in (2**25, 0):
        monkeypatch.setattr(mode_fields, "_DOUBLE", largest)
        found.append(likelihood.fit_modes(reduce_video(frames, times, (SPACING, SPACING), "periodic", CONTINUOUS)))
    double, single = found
    assert double.noise == pytest.approx(0.05, rel=0.02)
    assert single.noise == pytest.approx(double.noise, rel=1e-3)
    assert abs(single.diffusivity - double.diffusivity) < 0.05 * double.stderr


def test_the_error_bar_under_noise_that_grows_with_the_brightness_needs_few_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(7)
    symbol = symbols((48, 48), (SPACING, SPACING), "periodic", CONTINUOUS)
    start = to_modes(random.normal(size=(48, 48)), "periodic") * np.exp(-0.2 * symbol)
    times = INTERVAL * np.arange(80, dtype=np.float64)
    frames = np.array([to_field(start * np.exp(-DIFFUSIVITY * time * symbol), "periodic") for time in times])
    frames += 0.1 * np.abs(frames) * random.normal(size=frames.shape)
    modes = reduce_video(frames, times, (SPACING, SPACING), "periodic", CONTINUOUS)
    fit = likelihood.fit_modes(modes)
    few = sandwich.widened(modes, fit, frames)
    monkeypatch.setattr(sandwich, "_FRAMES", (80, 80))
    every = sandwich.widened(modes, fit, frames)
    assert few.stderr == pytest.approx(every.stderr, rel=0.03)
    assert every.stderr > 1.1 * fit.stderr


def test_videos_of_the_same_times_share_their_space_of_time_courses() -> None:
    times = np.array([0.0, 0.1, 0.25, 0.5])
    first, second = TimeCourses.of(times), TimeCourses.of(times + 3.0)
    np.testing.assert_allclose(second.times, times, atol=1e-15)
    assert TimeCourses.of(times) is first
    assert TimeCourses.of(2 * times) is not first
    with pytest.raises(ValueError, match="read-only"):
        first.basis[0, 0] = 1.0
