"""Frames that do not belong: black, blurred or displaced ones, found before a fit."""

from dataclasses import replace

import numpy as np
import scipy  # its parts are imported where they are first used
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


def _departures(frames: Array) -> tuple[Array, Array]:
    """Power by which each frame departs from all that lies between its neighbours, and their contrast.

    The modes of a diffusing field decay, however fast, and so lie between those of the frames before and after. A line
    through the neighbours would blame the frames of a fast decay.
    """
    count = len(frames)
    modes = scipy.fft.dctn(frames, axes=(1, 2), norm="ortho")
    # The mean of a frame, which a lamp may change.
    modes[:, 0, 0] = 0.0
    index = np.arange(count)
    before, after = modes[np.maximum(index - 1, 0)], modes[np.minimum(index + 1, count - 1)]
    rest = modes - np.clip(modes, np.minimum(before, after), np.maximum(before, after))
    contrast = np.maximum(np.square(before).mean((1, 2)), np.square(after).mean((1, 2)))
    return np.square(rest).mean((1, 2)), contrast


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
        power, contrast = _departures(frames[kept])
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
