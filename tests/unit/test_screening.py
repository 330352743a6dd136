"""Frames that do not belong are found before a fit, and good ones are not."""

from dataclasses import replace

import numpy as np
import pytest

from holes import Frames, film, hole
from safe_pit_cm.inference.screening import outlying, without

TIMES: Frames = np.asarray(np.arange(15) * 2.0, dtype=np.float64)


def recovering(seed: int = 0, noise: float = 0.05, times: Frames = TIMES) -> Frames:
    frames = 10 + 5 * hole(1.2, times, centre=(0.4, 0.53))
    return np.asarray(frames + noise * np.random.default_rng(seed).normal(size=frames.shape))


@pytest.mark.parametrize("noise", [0.0, 0.05, 1.0])
def test_a_clean_film_loses_no_frame(noise: float) -> None:
    assert not len(outlying(film(recovering(noise=noise), TIMES)))


def test_uneven_times_and_a_fast_start_are_no_reason() -> None:
    times = np.cumsum([0.0, 0.2, 0.2, 0.2, 5, 0.2, 0.2, 20, 1, 1, 30, 1])
    assert not len(outlying(film(recovering(times=times), times)))
    # Nearly all of the decay between the first two frames.
    fast = 100 * np.arange(15.0)
    assert not len(outlying(film(recovering(times=fast), fast)))


def test_flicker_of_offset_is_no_reason() -> None:
    frames = recovering() + np.random.default_rng(3).normal(size=(15, 1, 1))
    assert not len(outlying(film(frames, TIMES)))


@pytest.mark.parametrize("where", [1, 6, 13])
def test_a_black_frame_is_found(where: int) -> None:
    frames = recovering()
    frames[where] = 0.05 * np.random.default_rng(1).normal(size=frames[where].shape)
    assert outlying(film(frames, TIMES)).tolist() == [where]


@pytest.mark.parametrize(
    "damage",
    [
        lambda frame: 3 * frame,
        lambda frame: np.roll(frame, 6, axis=0),
        lambda frame: frame[::-1],
        lambda frame: frame * (np.arange(40) < 20),
    ],
    ids=["bright", "displaced", "upside down", "half"],
)
def test_other_damage_is_found(damage: object) -> None:
    assert callable(damage)
    frames = recovering()
    frames[7] = damage(frames[7])
    assert outlying(film(frames, TIMES)).tolist() == [7]


def test_two_damaged_frames_are_found_and_left_out() -> None:
    frames = recovering()
    frames[4], frames[10] = 0.0, 0.0
    damaged = film(frames, TIMES)
    missing = np.zeros(frames.shape, dtype=bool)
    missing[5, 0, 0] = True
    bad = outlying(damaged)
    assert bad.tolist() == [4, 10]
    rest = without(replace(damaged, missing=missing), bad)
    assert rest.times.tolist() == np.delete(TIMES, bad).tolist()
    assert (rest.frames == np.delete(frames, bad, axis=0)).all()
    assert rest.missing is not None
    assert np.argwhere(rest.missing).tolist() == [[4, 0, 0]]


def test_the_first_and_the_last_frame_are_not_judged_nor_short_films() -> None:
    frames = recovering()
    frames[0] = frames[0] - 3 * (np.arange(40) < 20)
    assert 0 not in outlying(film(frames, TIMES))
    short = recovering()[:6]
    short[3] = 0
    assert not len(outlying(film(short, TIMES[:6])))
