"""Error bars under noise that grows with the brightness, as of photons that are counted.

The estimate answers to every datum by its sensitivity r_i = ∂D/∂y_i, so its variance is Σ r_i² σ_i², whatever the σ_i
(Huber 1967). They are taken from the residuals of data that are as bright.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.inference.likelihood import Fit
from safe_pit_cm.inference.mode_fields import to_frames
from safe_pit_cm.inference.modes import Modes
from safe_pit_cm.numerics.arrays import Array

# Groups of equal brightness, of at least so many data.
_GROUPS = 8
_LEAST = 200
# The groups are bounded by quantiles of about so many data.
_SAMPLED = 2**12
# Frames that are looked at, over the whole film: as many as hold so many data, between these numbers.
_DATA, _FRAMES = 2**15, (12, 40)


def power_by_brightness(brightness: Array, residual: Array) -> Array:
    """Mean square of the residuals of data as bright, same shape."""
    count = min(_GROUPS, brightness.size // _LEAST)
    if count < 2:
        return np.full(residual.shape, float(np.square(residual).mean()))
    every = max(1, brightness.size // _SAMPLED)
    edges = np.quantile(brightness.ravel()[::every], np.linspace(0, 1, count + 1)[1:-1])
    # As np.searchsorted gives it, which takes ten times as long for few edges.
    above = np.zeros(brightness.size, dtype=np.uint8)
    for edge in edges:
        above += brightness.ravel() > edge
    group = above.astype(np.intp)
    members = np.maximum(np.bincount(group, minlength=count), 1)
    mean = np.bincount(group, np.square(residual).ravel(), count) / members
    return np.asarray(mean[group].reshape(residual.shape))


def _coefficients(modes: Modes, fit: Fit) -> tuple[Array, Array]:
    """Coefficients ``(mode, course)`` of the fitted model, and of what D moves and no amplitude can make up for."""
    projection = modes.at(fit.theta)
    (normal, *_) = projection.normal(modes.time_courses(fit.theta, slopes=True)[1])
    return projection.fitted, projection.spread(normal, fit.weights * projection.amplitude)


def sensitivity(modes: Modes, fit: Fit, frames: NDArray[np.intp]) -> Array:
    """What D moves in frames ``(frame, y, x)`` and no amplitude can make up for: u_k â_k."""
    return to_frames(modes, _coefficients(modes, fit)[1], frames)


def widened(modes: Modes, fit: Fit, frames: NDArray[Any]) -> Fit:
    """The fit with the error bar that the noise of pixels as bright asks for.

    Parameters
    ----------
    modes, fit
        The video and its fit.
    frames
        Shape ``(time, y, x)``.
    """
    count = min(int(np.clip(_DATA // frames[0].size, *_FRAMES)), len(frames))
    # The middle frame of each of so many stretches: the first frame of all follows the noise most closely.
    chosen = ((np.arange(count) + 0.5) * len(frames) / count).astype(np.intp)
    fitted, moved = _coefficients(modes, fit)
    rest = frames[chosen] - to_frames(modes, fitted, chosen)
    if modes.background:
        rest = rest - rest.mean(0)
    if modes.boundary != "dirichlet":
        rest = rest - rest.mean((1, 2), keepdims=True)
    weight = np.square(to_frames(modes, moved, chosen))
    total = float(weight.sum())
    overall = float(np.square(rest).mean())
    if total <= 0 or overall <= 0:
        return fit
    ratio = float((weight * power_by_brightness(frames[chosen] - rest, rest)).sum()) / total / overall
    return replace(fit, covariance=fit.covariance * ratio, inflation=fit.inflation * ratio)
