"""A bleached spot is found; its recovery, mobile fraction and D are those of films that are known exactly."""

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ive

from films import DIFFUSIVITY, SPACING, Frames, bleached, noisy
from safe_pit_cm.errors import UserError
from safe_pit_cm.frap import classical, intensities, recovery, rings, spot, widths
from safe_pit_cm.frap.analysis import Analysis, analyse
from safe_pit_cm.video import simulation

# A disc of radius 4 has recovered by half after 9, and the film ends at four times that.
TIMES = np.asarray(np.linspace(0, 36, 16), dtype=np.float64)
NOISE = 0.02


def _film(frames: Frames, times: NDArray[np.float64] = TIMES) -> xr.DataArray:
    positions = {axis: np.arange(size) * SPACING for axis, size in zip("yx", frames.shape[1:], strict=True)}
    return xr.DataArray(frames, dims=("time", "y", "x"), coords={"time": times, **positions})


def _frames(seed: int = 0, noise: float = NOISE, **options: object) -> Frames:
    key = tuple(options.items())
    return noisy(_exact(key), seed, noise)


@cache
def _exact(options: tuple[tuple[str, object], ...]) -> Frames:
    return bleached(times=TIMES, **dict(options))  # type: ignore[arg-type]


def soumpasis(quotient: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Recovery of a uniform disc (Soumpasis 1983, Eq. 9), ``quotient`` being 2τ/t with τ = w²/4D."""
    return np.asarray(ive(0, quotient) + ive(1, quotient))


def _estimates(found: Analysis) -> dict[str, classical.Estimate]:
    return {each.method.name: each for each in found.estimates}


# The recovery.


@pytest.mark.parametrize("edge", [0.1, 0.5, 2.0])
def test_a_disc_that_is_convolved_with_a_gaussian_is_what_the_integral_gives(edge: float) -> None:
    for distance in (0.0, 0.7, 1.0, 1.6):

        def density(radius: float, distance: float = distance) -> float:
            return float(
                radius
                / edge**2
                * np.exp(-((distance - radius) ** 2) / (2 * edge**2))
                * ive(0, distance * radius / edge**2)
            )

        expected = quad(density, 0, 1.0, epsabs=1e-12)[0]
        np.testing.assert_allclose(recovery.disc(np.array(distance), 1.0, edge**2), expected, rtol=1e-8)


def test_the_mean_of_a_disc_recovers_along_the_curve_of_soumpasis() -> None:
    distance = (np.arange(4000) + 0.5) / 4000
    for variance in (0.01, 0.3, 2.0):
        mean = 2 * np.mean(distance * recovery.disc(distance, 1.0, variance))
        assert np.isclose(1 - mean, soumpasis(1 / variance), atol=1e-5)


def test_the_half_depth_radius_of_a_sharp_disc_is_its_radius_and_of_a_gaussian_follows_from_its_width() -> None:
    assert np.isclose(recovery.half_depth_radius(3.0, 1e-4), 3.0, rtol=1e-3)
    assert np.isclose(recovery.half_depth_radius(0.01, 4.0), 2.0 * np.sqrt(2 * np.log(2)), rtol=1e-4)


# The curve and the half times.


def _course(radius: float) -> recovery.Course:
    distance = (np.arange(2000) + 0.5) / 2000 * radius
    return recovery.Course.of(
        lambda variance: float(2 * np.mean(distance * recovery.disc(distance, radius, variance)) / radius),
        1e-6 * radius**2,
        radius,
    )


@pytest.mark.parametrize(("diffusivity", "mobile"), [(0.4, 1.0), (0.02, 0.7), (30.0, 0.3)])
def test_soumpasis_own_curve_gives_back_d_mobile_fraction_and_half_time(diffusivity: float, mobile: float) -> None:
    radius, initial = 4.0, 0.35
    times = np.linspace(0, 6 * 0.224 * radius**2 / diffusivity, 40)
    with np.errstate(divide="ignore"):
        course = np.where(times > 0, soumpasis(radius**2 / (2 * diffusivity * np.maximum(times, 1e-12))), 0.0)
    values = initial + mobile * (1 - initial) * course
    found = recovery.fit(times, values, np.full(40, 1e-3), _course(radius))
    assert np.isclose(found.diffusivity, diffusivity, rtol=2e-3)
    assert np.isclose(found.mobile, mobile, rtol=1e-3)
    assert np.isclose(classical.soumpasis(radius, found.half_time), diffusivity, rtol=5e-3)
    assert found.scatter < 1


def test_the_excess_scatter_of_a_curve_widens_its_error() -> None:
    times, random = np.linspace(0, 60, 30), np.random.default_rng(0)
    course = _course(4.0)
    values = 0.4 + 0.6 * course(0.4, times) + 0.01 * random.normal(size=30)
    found = recovery.fit(times, values, np.full(30, 0.001), course)
    assert 7 < found.scatter < 13
    assert 0.003 < np.sqrt(found.variances[0]) < 0.1
    assert abs(np.log(found.diffusivity / 0.4)) < 4 * np.sqrt(found.variances[0])
    assert recovery.fit(times, values, np.full(30, 0.02), course).variances == (0.0, 0.0)


def test_a_curve_that_does_not_rise_is_refused() -> None:
    times = np.linspace(0, 60, 30)
    for values in (np.full(30, 0.5), 0.9 - times / 100):
        with pytest.raises(UserError, match="does not recover"):
            recovery.fit(times, values, np.full(30, 0.001), _course(4.0))


def test_a_curve_that_begins_above_the_full_level_is_refused() -> None:
    times, course = np.linspace(0, 60, 30), _course(4.0)
    with pytest.raises(UserError, match=r"1\.10 of its full brightness"):
        recovery.fit(times, 1.1 + 0.2 * course(0.4, times), np.full(30, 0.001), course)


def test_kangs_half_time_of_a_gaussian_spot_is_right_to_six_per_cent() -> None:
    start, region = 4.0, 2.3
    distance = (np.arange(2000) + 0.5) / 2000 * region

    def mean(variance: float) -> float:
        return float(np.mean(distance * recovery.gaussian(distance, start, variance)))

    half = brentq(lambda variance: mean(variance) - mean(start) / 2, start, 100 * start) - start
    assert np.isclose(classical.kang(2 * np.sqrt(start), region, half / (2 * DIFFUSIVITY)), DIFFUSIVITY, rtol=0.06)


# Whole films.


@pytest.mark.parametrize(
    ("options", "methods"),
    [
        ({}, ("disc_curve",)),
        ({"mobile": 0.7}, ("disc_curve",)),
        ({"width": 4.0, "noise": 0.05}, ("disc_curve",)),
        ({"shape": "gaussian", "width": 6.0}, ("disc_curve", "gaussian_curve", "width")),
        ({"shape": "gaussian", "width": 6.0, "mobile": 0.7}, ("disc_curve", "gaussian_curve")),
    ],
)
def test_d_and_the_mobile_fraction_are_found_within_their_errors(
    options: dict[str, float], methods: tuple[str, ...]
) -> None:
    pulls: list[float] = []
    for seed in range(3):
        found = analyse(_film(_frames(seed, **options)), corrected=True)
        estimates = _estimates(found)
        numbers = [(found.mobile, options.get("mobile", 1.0))]
        for method in methods:
            # The width cannot bear an immobile share of a few per cent, which noise may feign.
            assert abs(estimates[method].bias) < (0.15 if method == "width" else 0.05)
            numbers.append((estimates[method].diffusivity, DIFFUSIVITY))
        for number, truth in numbers:
            assert number.stderr is not None
            assert number.ci95 is not None
            assert number.ci95[0] < number.value < number.ci95[1]
            assert number.stderr < 0.2 * truth
            pulls.append((number.value - truth) / number.stderr)
    assert np.max(np.abs(pulls)) < 3.5
    assert np.sqrt(np.mean(np.square(pulls))) < 1.5


def test_the_errors_of_the_curve_are_those_of_the_noise() -> None:
    films = [analyse(_film(_frames(seed)), corrected=True) for seed in range(2)]
    truth = analyse(_film(_frames(noise=0.0)), corrected=True).whole.values
    pulls = np.stack([(each.whole.values - truth) / each.whole.errors for each in films])
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.3


def test_a_first_frame_that_comes_late_is_allowed_for() -> None:
    late = bleached(times=TIMES + 6.0)
    found = analyse(_film(noisy(late, 0, NOISE)), corrected=True)
    estimates = _estimates(found)
    curve = estimates["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 4 * curve.stderr
    # Blur that was there before the first frame makes the half time longer, and the textbook formula too small.
    textbook = estimates["disc_half_time"]
    assert textbook.diffusivity.value < 0.75 * DIFFUSIVITY
    assert re.fullmatch(r"for a spot like this the method gives \d\d % too little", textbook.doubt or "")
    assert textbook.corrected == pytest.approx(DIFFUSIVITY, rel=0.05)


def test_bleaching_by_the_exposures_and_a_flickering_lamp_are_divided_out() -> None:
    random = np.random.default_rng(3)
    lamp = np.exp(-0.01 * TIMES) * (1 + 0.02 * random.normal(size=len(TIMES)))
    found = analyse(_film(_frames(1) * lamp[:, None, None]), corrected=True)
    assert found.normalisation == "double"
    assert found.whole.lost is not None
    assert 0.2 < found.whole.lost < 0.4
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert found.mobile.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 4 * curve.stderr
    assert abs(found.mobile.value - 1) < 4 * found.mobile.stderr


def test_an_immobile_share_spoils_the_width_and_is_allowed_for_elsewhere() -> None:
    estimates = _estimates(analyse(_film(_frames(mobile=0.6)), corrected=True))
    assert estimates["width"].bias < -0.5
    assert "too little" in (estimates["width"].doubt or "")
    assert estimates["disc_curve"].doubt is None


@pytest.mark.parametrize("half", [12, 14, 20])
@pytest.mark.parametrize("mobile", [1.0, 0.7])
def test_a_lamp_that_fades_is_divided_out_where_the_spot_spreads_into_the_whole_frame(half: int, mobile: float) -> None:
    lamp = np.exp(-0.01 * TIMES)[:, None, None]
    frames = (_frames(mobile=mobile) * lamp)[:, 47 - half : 47 + half, 50 - half : 50 + half]
    found = analyse(_film(frames), corrected=True)
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.value == pytest.approx(DIFFUSIVITY, rel=0.07)
    assert found.mobile.value == pytest.approx(mobile, abs=0.03)
    assert found.whole.lost == pytest.approx(1 - lamp[-1, 0, 0], abs=0.01)
    # The error allows for stray light in the place of bleaching.
    assert found.mobile.stderr is not None
    assert found.mobile.stderr > 0.03


def test_a_spot_that_spreads_into_the_whole_frame_or_fills_it_is_mentioned() -> None:
    frames = _frames()
    spread = analyse(_film(frames[:, 32:64, 34:66]), corrected=True)
    assert spread.normalisation == "double"
    assert any("spreads into the whole frame" in warning for warning in spread.warnings)
    filled = analyse(_film(frames[:, 37:57, 40:60]), corrected=True)
    assert filled.reference is None
    assert filled.whole.lost is None
    assert filled.normalisation == "before"
    assert any("fills the frame" in warning for warning in filled.warnings)


@pytest.mark.parametrize("centre", [(3.0, 49.0), (0.0, 0.0), (-2.0, 60.0)])
def test_a_spot_that_is_partly_out_of_the_frame_is_completed(centre: tuple[float, float]) -> None:
    found = analyse(_film(_frames(centre=centre)), corrected=True)
    assert found.found.centre == pytest.approx(centre, abs=0.5)
    assert found.radius.value == pytest.approx(8.0 * SPACING, rel=0.05)
    assert any("reaches the edge" in warning for warning in found.warnings)
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 3.5 * curve.stderr < 0.25 * DIFFUSIVITY
    assert found.mobile.value == pytest.approx(1.0, abs=0.03)


def test_a_spot_that_is_not_round_is_mentioned_and_widens_the_error() -> None:
    found = analyse(_film(_frames(shape="ellipse")), corrected=True)
    assert any("times as long as wide" in warning for warning in found.warnings)
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 2 * curve.stderr


@pytest.mark.parametrize("corrected", [True, False])
def test_a_spot_that_is_brighter_than_its_surroundings_is_refused(corrected: bool) -> None:
    for film in (2 - _frames(), 2 - _frames(centre=(20.0, 70.0), mobile=0.5)):
        with pytest.raises(UserError, match="photoactivation"):
            analyse(_film(film), corrected=corrected)


def test_few_frames_give_an_error_bar_and_fewer_than_three_a_sentence() -> None:
    frames = _frames()
    found = analyse(_film(frames[::5], TIMES[::5]), corrected=True)
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 3.5 * curve.stderr
    frames[1:-1] = np.nan
    with pytest.raises(UserError, match="in 2 frames after bleaching"):
        analyse(_film(frames), corrected=True)


def test_a_film_that_ends_before_half_of_the_recovery_says_so() -> None:
    found = analyse(_film(_frames()[:5], TIMES[:5] / 2), corrected=True)
    assert any("extrapolated" in warning for warning in found.warnings)


def test_a_mobile_fraction_above_one_is_pointed_out() -> None:
    # A dark level that was left in the image from before bleaching makes the film too bright when it has recovered.
    frames = 1 - 0.5 * (1 - _frames())
    frames[1:] += (
        0.05
        * (1 - np.exp(-TIMES[1:] / 9))[:, None, None]
        * (np.hypot(*np.indices((96, 96))) > 0)
        * (np.hypot(np.arange(96)[:, None] - 47.3, np.arange(96) - 49.8) < 12)
    )
    found = analyse(_film(frames), corrected=True)
    assert found.mobile.value > 1
    assert any("above 1" in warning for warning in found.warnings)


def test_without_an_image_from_before_bleaching_even_illumination_gives_the_same() -> None:
    found = analyse(_film(50 * _frames(0)), corrected=False)
    assert found.normalisation == "reference"
    assert abs(found.mobile.value - 1) < 0.03
    assert any("--prebleach" in warning for warning in found.warnings)


def test_a_spot_that_was_given_is_taken_as_it_is() -> None:
    found = analyse(_film(_frames()), corrected=True, chosen=(57.3, 69.8, 8.0), origin=(10, 20))
    assert found.found.centre == pytest.approx((47.3, 49.8))
    assert found.radius.value == 8.0 * SPACING
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 4 * curve.stderr
    with pytest.raises(UserError, match="--spot"):
        analyse(_film(_frames()), corrected=True, chosen=(5.0, 20.0, 8.0), origin=(10, 20))


def test_missing_pixels_are_left_out() -> None:
    frames = _frames()
    frames[:, 40:44, 50:60] = np.nan
    frames[3, 45:50, :] = np.nan
    frames[5] = np.nan
    frames[7, 35:60, 35:60] = np.nan
    found = analyse(_film(frames), corrected=True)
    curve = _estimates(found)["disc_curve"].diffusivity
    assert curve.stderr is not None
    assert abs(curve.value - DIFFUSIVITY) < 4 * curve.stderr


# The width.


def test_the_width_of_a_gaussian_grows_by_2dt() -> None:
    frames = _frames(shape="gaussian", width=6.0, noise=1e-4)
    film = rings.reduce(frames, (47.3, 49.8), (SPACING, SPACING))
    measured = widths.measure(film, 10.0)
    np.testing.assert_allclose(measured.variance, 9 + 2 * DIFFUSIVITY * TIMES, rtol=0.02)
    line = widths.line(TIMES, measured)
    assert line is not None
    assert np.isclose(line.diffusivity, DIFFUSIVITY, rtol=0.01)
    assert np.isclose(line.start, 9.0, rtol=0.01)


# The spot.


def _find(depth: Frames) -> spot.Spot:
    return spot.find(depth, (1.0, 1.0))


@pytest.mark.parametrize(
    ("shape", "centre", "noise", "elongation"),
    [
        ("disc", (47.3, 49.8), 0.02, 1.0),
        ("disc", (20.0, 70.5), 0.3, 1.0),
        ("gaussian", (60.0, 30.0), 0.1, 1.0),
        ("square", (47.3, 49.8), 0.05, 1.0),
        ("ellipse", (40.0, 49.8), 0.05, 2.0),
    ],
)
def test_a_spot_is_found(shape: str, centre: tuple[float, float], noise: float, elongation: float) -> None:
    first = bleached(shape=shape, centre=centre, times=np.zeros(1))[0]
    found = _find(1 - noisy(first, 1, noise))
    assert found.centre == pytest.approx(centre, abs=0.5)
    expected = 8.0 * (np.sqrt(2 * np.log(2)) if shape == "gaussian" else 1.0)
    assert found.radius == pytest.approx(expected, rel=0.12)
    assert found.elongation == pytest.approx(elongation, rel=0.15)


def test_a_spot_at_the_edge_or_larger_than_half_of_the_frame_is_found() -> None:
    first = 1 - noisy(bleached(times=np.zeros(1))[0], 1, 0.05)
    cut = _find(first[45:])
    assert cut.centre[1] == pytest.approx(49.8, abs=0.5)
    large = _find(first[36:60, 38:62])
    assert large.centre == pytest.approx((11.3, 11.8), abs=0.7)


def test_dirt_that_has_moved_is_not_taken_for_the_spot() -> None:
    depth = 1 - noisy(bleached(times=np.zeros(1))[0], 1, 0.02)
    depth[20:23, 20:23] += 3.0
    depth[70:73, 20:23] -= 3.0
    assert _find(depth).centre == pytest.approx((47.3, 49.8), abs=0.5)


def test_uneven_illumination_is_divided_out() -> None:
    y, x = np.mgrid[:96, :96]
    light = 1000 * np.exp(-((y - 20) ** 2 + (x - 70) ** 2) / (2 * 60**2)) + 100
    video = _film(_frames(centre=(60.0, 30.0)) * light)
    found = analyse(intensities.relative(video, light, None), corrected=True)
    assert found.found.centre == pytest.approx((60.0, 30.0), abs=0.3)
    assert abs(found.mobile.value - 1) < 0.03


@pytest.mark.parametrize("make", ["noise", "grains", "vignette"])
def test_no_spot_is_found_where_there_is_none(make: str) -> None:
    films: dict[str, Callable[[int], Frames]] = {
        "noise": lambda seed: np.random.default_rng(seed).normal(size=(3, 64, 64)),
        "grains": lambda seed: simulation.simulate(simulation.Settings(seed=seed)).to_numpy().astype(np.float64),
        "vignette": lambda seed: noisy(np.stack([1 - 2e-5 * (np.mgrid[:64, :64] ** 2).sum(0)] * 3), seed, 0.01),
    }
    for seed in range(3):
        frames = 10 + films[make](seed)
        with pytest.raises(UserError, match=r"no bleached spot stands out .* --spot Y,X,R$"):
            analyse(_film(frames, np.arange(len(frames), dtype=float)), corrected=False)


def test_a_speck_is_no_spot() -> None:
    depth = np.zeros((64, 64))
    depth[30, 30] = 1.0
    with pytest.raises(UserError, match="too few"):
        _find(depth)


# Brightness before bleaching.


def test_brightness_is_relative_to_the_image_before_bleaching_less_the_dark_level() -> None:
    video = _film(np.full((16, 8, 8), 60.0)).assign_attrs(saturation=100.0, units="1")
    video[2, 3, 3] = 100.0
    before = np.full((8, 8), 110.0)
    before[5, 5] = 11.0
    found = intensities.relative(video, before, 10.0)
    assert found[0, 0, 0] == 0.5
    assert set(zip(*map(list, np.nonzero(np.isnan(found[2].to_numpy()))), strict=True)) == {(3, 3), (5, 5)}
    assert found.attrs == {"units": "1"}
    assert intensities.relative(video, None, None) is video
    assert intensities.relative(video, None, 10.0)[0, 0, 0] == 50.0


def test_images_before_bleaching_and_without_light_are_not_confused() -> None:
    video = _film(np.full((16, 8, 8), 60.0))
    with pytest.raises(UserError, match="no brighter than --dark"):
        intensities.relative(video, np.full((8, 8), 10.0), np.full((8, 8), 110.0))
    lit = np.full((8, 8), 10.0)
    lit[2:5, 2:5] = 90.0
    with pytest.raises(UserError, match=r"hold light.* 10$"):
        intensities.relative(video, np.full((8, 8), 110.0), lit)
