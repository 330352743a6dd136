"""Binning, averaging of late frames, tiles and quadrants."""

from dataclasses import replace

import numpy as np
import pytest

from holes import binned as by_reshape
from holes import film, hole
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.reduction import binned, bins, cut, groups, quadrants, reduce_film, roughness

CONTINUOUS = Discretisation()


def test_bins_are_means_and_what_is_left_over_is_dropped() -> None:
    frames = np.random.default_rng(0).normal(size=(2, 7, 11))
    found = binned(frames, 3)
    assert found.shape == (2, *bins((7, 11), 3)) == (2, 2, 3)
    assert found[1, 1, 2] == pytest.approx(frames[1, 3:6, 6:9].mean())


def test_a_mean_of_pixels_diffuses_like_the_field() -> None:
    times = np.array([0.0, 5.0, 20.0])
    fine, coarse = hole(0.7, times, (24, 24)), hole(0.7, times, (8, 8), spacing=3.0)
    assert by_reshape(fine, 3) == pytest.approx(coarse, abs=1e-12)


def test_frames_are_averaged_over_a_share_of_the_time_that_has_passed() -> None:
    times = np.arange(100.0)
    parts = groups(times, CONTINUOUS)
    assert [part.stop - part.start for part in parts[:13]] == [1] * 13
    assert parts[-1].stop == 100
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    for part in parts:
        assert times[part][-1] - times[part][0] <= 0.08 * times[part][0]
    assert parts[-1].stop - parts[-1].start > 3
    # Time steps of a simulation are not averaged.
    assert len(groups(times, Discretisation("five-point"))) == 100


def test_an_averaged_decay_is_the_decay_at_the_time_of_the_group() -> None:
    times = np.cumsum(np.random.default_rng(2).uniform(0.2, 1.8, 300))
    # The rate at which a late frame tells most of a decay: 1/t.
    for rate in 1 / np.array([10.0, 60.0, 250.0]):
        decay = np.exp(-rate * (times - times[0]))
        frames = (1 + np.arange(36.0).reshape(6, 6)) * decay[:, None, None]
        reduced = reduce_film(film(frames, times), "no-flux", CONTINUOUS, factor=1, pixels=100)
        assert len(reduced.times) < 60
        assert reduced.counts.sum() == 300
        contrast = reduced.frames[0, :, -1, -1] - reduced.frames[0, :, 0, 0]
        # As if D were off by less than a thousandth.
        assert contrast == pytest.approx(35 * np.exp(-rate * reduced.times), abs=35 * 3e-4)


def test_numbers_of_exposures_are_those_of_the_frames_of_a_group() -> None:
    times = np.arange(40.0)
    reduced = reduce_film(film(hole(1.0, times, (8, 8)), times), "open", CONTINUOUS, factor=1, pixels=100)
    assert reduced.exposures @ reduced.counts == pytest.approx(np.arange(40).sum())
    assert reduced.interval == pytest.approx(1.0)
    uneven = np.append(times, 50.0)
    again = reduce_film(film(hole(1.0, uneven, (8, 8)), uneven), "open", CONTINUOUS, factor=1, pixels=100)
    assert again.interval is None


def test_tiles_are_equal_and_small_enough() -> None:
    corners, tile = cut((70, 33), 32 * 32)
    assert tile == (23, 33)
    assert corners == [(0, 0), (23, 0), (46, 0)]
    assert cut((30, 20), 600) == ([(0, 0)], (30, 20))


def test_tiles_hold_the_pixels_at_their_corners() -> None:
    times = np.arange(5.0)
    frames = np.random.default_rng(1).normal(size=(5, 20, 30))
    reduced = reduce_film(film(frames, times), "no-flux", CONTINUOUS, factor=2, pixels=50, most=9)
    assert reduced.boundary == "open"  # the tiles do not cover the frame
    assert reduced.spacing == (2.0, 2.0)
    means = by_reshape(frames, 2)
    height, width = reduced.tile
    for tile, (row, column) in zip(reduced.frames, reduced.corners, strict=True):
        assert tile + reduced.level == pytest.approx(means[:, row : row + height, column : column + width])
    whole = reduce_film(film(frames, times), "no-flux", CONTINUOUS, factor=2, pixels=150)
    assert whole.boundary == "no-flux"
    assert whole.frames.mean() == pytest.approx(0, abs=1e-12)
    assert whole.contrast == pytest.approx(max(means.var((1, 2))), rel=1e-2)


def test_of_many_tiles_those_with_most_contrast_are_used() -> None:
    times = np.arange(5.0)
    frames = hole(1.0, times, (40, 40), centre=(0.25, 0.75))
    reduced = reduce_film(film(frames, times), "open", CONTINUOUS, factor=1, pixels=400, most=1)
    assert reduced.corners == [(0, 20)]


def test_a_bin_is_a_gap_when_most_of_it_is() -> None:
    times = np.arange(4.0)
    frames = np.random.default_rng(1).normal(size=(4, 8, 8))
    missing = np.zeros(frames.shape, dtype=bool)
    missing[1, :2, :2] = True
    missing[2, 4, 4] = True
    reduced = reduce_film(replace(film(frames, times), missing=missing), "open", CONTINUOUS, factor=2, pixels=100)
    assert reduced.gaps is not None
    assert np.argwhere(reduced.gaps).tolist() == [[0, 1, 0, 0]]


@pytest.mark.parametrize("pixels", [1600, 300])
def test_quadrants_are_the_quarters_of_the_frame(pixels: int) -> None:
    times = np.arange(3.0)
    frames = np.broadcast_to(np.arange(1600.0).reshape(40, 40), (3, 40, 40))
    reduced = reduce_film(film(frames, times), "no-flux", CONTINUOUS, factor=1, pixels=pixels, most=100)
    found = dict(quadrants(reduced))
    assert list(found) == ["top left", "top right", "bottom left", "bottom right"]
    seen = {name: np.unique(part.frames + reduced.level) for name, part in found.items()}
    for first in seen:
        assert found[first].boundary == "open"
        assert all(not len(np.intersect1d(seen[first], seen[other])) for other in seen if other != first)
    rows, columns = np.divmod(np.round(seen["bottom left"]).astype(int), 40)
    assert rows.min() >= 20 > columns.max()
    assert sum(len(each) for each in seen.values()) > 0.8 * 1600


def test_quadrants_of_a_tiny_tile_are_none() -> None:
    times = np.arange(3.0)
    assert quadrants(reduce_film(film(hole(1, times, (10, 10)), times), "open", CONTINUOUS, factor=1, pixels=100)) == []


def test_roughness_is_the_share_of_change_that_bins_would_lose() -> None:
    times = np.array([0.0, 1.0, 8.0])
    random = np.random.default_rng(4)
    smooth = hole(2.0, times, (48, 48), width=8.0)
    noise = 0.01 * random.normal(size=smooth.shape)
    assert roughness(film(smooth + noise, times), 4) < 1e-3
    # A wave of a known power that is gone in the last frame, finer than bins of 4 pixels and coarser than bins of 2.
    wave = 0.05 * np.cos(np.pi * 16.0 * (np.arange(48) + 0.5) / 48)
    rough = smooth + noise + wave * np.exp(-8 * times)[:, None, None]
    power = wave.var()
    share = power / (power + (smooth[0] - smooth[-1]).var())
    assert roughness(film(rough, times), 4) == pytest.approx(share, rel=0.1)
    assert roughness(film(rough, times), 2) < 0.05 * share


def test_a_field_rough_to_the_last_pixel_is_rough() -> None:
    times = np.array([0.0, 1.0, 8.0])
    random = np.random.default_rng(4)
    field = random.normal(size=(32, 32))
    late = 1e-3 * random.normal(size=(2, 32, 32))
    assert roughness(film(np.concatenate([field[None], late]), times), 2) == 1.0
