"""Frames that do not belong: black, blurred or displaced ones, found before a fit."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.reduction import binned
from safe_pit_cm.numerics.arrays import Array

# Bins of a frame that is compared with its neighbours, at most.
_BINS = 1024
# A frame is left out if it departs from its neighbours by so many times the power of what frames about it do, and by
# more than this share of their contrast.
_EXCESS, _SHARE = 25.0, 0.02
_WINDOW = 6
_LEAST_FRAMES = 7


def _departures(frames: Array, times: Array) -> tuple[Array, Array]:
    """Power by which each frame departs from the line through its neighbours, over their contrast; by its own noise."""
    count = len(times)
    before = np.clip(np.arange(count) - 1, 0, count - 3)
    after = np.where(np.arange(count) == 0, 2, np.clip(np.arange(count) + 1, 2, count - 1))
    before[0], before[-1], after[-1] = 1, count - 3, count - 2
    weight = (times - times[before]) / (times[after] - times[before])
    line = frames[before] + weight[:, None, None] * (frames[after] - frames[before])
    rest = frames - line
    rest -= rest.mean((1, 2), keepdims=True)
    scale = 1 + weight**2 + (1 - weight) ** 2
    contrast = np.maximum(frames[before].var((1, 2)), frames[after].var((1, 2)))
    return np.square(rest).mean((1, 2)) / scale, contrast


def outlying(film: Film) -> NDArray[np.intp]:
    """Indices of the frames that depart from their neighbours as no diffusing field does.

    The first frame and the last are not judged: there, a departure may be a fast decay.
    """
    count = len(film.times)
    if count < _LEAST_FRAMES:
        return np.zeros(0, dtype=np.intp)
    factor = max(1, int(np.ceil(np.sqrt(film.shape[0] * film.shape[1] / _BINS))))
    frames = np.stack([binned(frame, factor) for frame in film.frames])
    kept = np.arange(count)
    while len(kept) > max(_LEAST_FRAMES - 1, 0.8 * count):
        power, contrast = _departures(frames[kept], film.times[kept])
        inner = np.arange(1, len(kept) - 1)
        usual = np.array([_usual(power, int(index)) for index in inner])
        excess = np.where(power[inner] > _SHARE * contrast[inner], power[inner] / np.maximum(usual, 1e-300), 0.0)
        worst = int(np.argmax(excess))
        if excess[worst] < _EXCESS:
            break
        kept = np.delete(kept, inner[worst])
    return np.setdiff1d(np.arange(count), kept)


def _usual(power: Array, index: int) -> float:
    """Median power of the frames about one; its own and its next neighbours' are touched by it."""
    near = np.arange(max(1, index - _WINDOW), min(len(power) - 1, index + _WINDOW + 1))
    near = near[np.abs(near - index) > 1]
    return float(np.median(power[near])) if len(near) else float(np.median(power))


def without(film: Film, frames: NDArray[np.intp]) -> Film:
    """The film without some of its frames."""
    kept = np.setdiff1d(np.arange(len(film.times)), frames)
    missing = None if film.missing is None else film.missing[kept]
    return replace(film, frames=film.frames[kept], times=film.times[kept] - film.times[kept[0]], missing=missing)
