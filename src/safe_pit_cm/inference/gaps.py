"""Videos with missing pixels: an initial guess, and a fit that fills them by the model (expectation–maximisation)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray

from safe_pit_cm.inference.likelihood import Fit, fit_modes
from safe_pit_cm.inference.mode_fields import predict
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.inference.sandwich import sensitivity

# Largest number of passes that fill missing pixels.
_FILLS = 150


def guess_gaps(pixels: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Frames with an initial guess in the gaps: the mean of the observed neighbourhood."""
    frames = pixels.astype(np.float64)
    for frame, gaps in zip(frames, missing, strict=True):
        if not gaps.any():
            continue
        values = np.where(gaps, 0.0, frame)
        guess = np.full(frame.shape, values.sum() / (~gaps).sum())
        for width in (16.0, 4.0, 1.0):
            weight = scipy.ndimage.gaussian_filter((~gaps).astype(float), width)
            near = scipy.ndimage.gaussian_filter(values, width)
            guess = np.where(weight > 0.02, near / np.maximum(weight, 1e-12), guess)
        frame[gaps] = guess[gaps]
    return frames


def fill_gaps(
    frames: NDArray[Any], missing: NDArray[np.bool_], reduce: Callable[[NDArray[Any]], Modes], floor: float
) -> tuple[Modes, Fit]:
    """Fit a video with gaps, which the model fills until D is stationary (expectation–maximisation).

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, with an initial guess in the gaps; they are filled in place.
    missing
        True in the gaps.
    reduce
        :func:`reduce_video` for these frames.
    floor
        As for :func:`fit_modes`.
    """
    every = np.arange(len(frames))
    fit: Fit | None = None
    settled = 0
    for _ in range(_FILLS):
        modes = replace(reduce(frames), missing=int(missing.sum()))
        last, fit = fit, fit_modes(modes, floor=floor, start=None if fit is None else fit.theta)
        constant = frames.mean(0) - predict(modes, fit.theta, every).mean(0) if modes.background else 0.0
        for part in np.array_split(every, -(-len(every) // 16)):
            rest = predict(modes, fit.theta, part)
            gaps = missing[part]
            if modes.boundary != "dirichlet" and not modes.background:
                # The mean of a frame is free: it is determined by the observed pixels.
                known = ~gaps
                rest += ((frames[part] - rest) * known).sum((1, 2), keepdims=True) / known.sum((1, 2), keepdims=True)
            if modes.background:
                rest += constant
            frames[part] = np.where(gaps, rest, frames[part])
        settled = settled + 1 if last is not None and abs(fit.diffusivity - last.diffusivity) < 2e-3 * fit.stderr else 0
        if settled == 3:
            break
    assert fit is not None
    # Filled pixels count as observed: their share of the information is removed.
    lost, total = 0.0, 0.0
    for part in np.array_split(every, -(-len(every) // 16)):
        power = np.square(sensitivity(modes, fit, part))
        total += float(power.sum())
        lost += float(power[missing[part]].sum())
    widening = 1 / np.sqrt(max(1 - lost / total, 1e-6))
    wider = replace(
        fit, covariance=fit.covariance * widening**2, bound=fit.bound * widening, inflation=fit.inflation * widening**2
    )
    return modes, wider
