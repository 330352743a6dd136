"""Fits by the SAFE loss: each frame is predicted from the preceding one, including its noise (§2.5).

They are provided for comparison. Noise in the propagated frame shifts the minimum of the loss (errors in variables),
the more the noisier the video, and the loss is not a likelihood, so that there is no standard error.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import TOGETHER, Boundary, symbols, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.safe.minimum import minimise
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss

# Settings of the paper, as in config.yaml.
ZERO_SHOT: dict[str, Any] = {
    "substeps": 50,
    "steps": 200,
    "learning_rate": 0.001,
    "estimator": {
        "pooled_size": 16,
        "channels": 32,
        "stride": 2,
        "features": 64,
        "heads": 4,
        "reads": "frames",
        "standardise": True,
    },
}
# Grid of the videos of the paper, in whose units the network expects D (config.yaml).
_SPACING, _INTERVAL = 0.5, 0.25


def safe_minimum(
    frames: NDArray[Any],
    times: Array,
    spacing: tuple[float, float],
    boundary: Boundary,
    discretisation: Discretisation,
) -> float:
    """D at the minimum of the SAFE loss, ``Σ |φ̂_t exp(−s Δt) − φ̂_{t+1}|²`` over modes and pairs of frames.

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, finite.
    times, spacing, boundary, discretisation
        The model; not ``open``.
    """
    shape = (frames.shape[1], frames.shape[2])
    symbol = symbols(shape, spacing, boundary, discretisation)
    gaps = np.diff(times)
    # Intervals that differ by rounding only are treated as equal.
    distinct, kind = np.unique(np.round(gaps / gaps.min(), 9), return_inverse=True)
    if len(distinct) * symbol.size > 2**27:
        raise UserError("the SAFE loss of so many different frame intervals exceeds the memory; use method ml")

    together = max(1, TOGETHER // symbol.size)

    def pairs(chosen: int) -> Iterator[tuple[Any, Any]]:
        of_kind = np.flatnonzero(kind == chosen)
        for run in np.split(of_kind, np.flatnonzero(np.diff(of_kind) > 1) + 1):
            last: Any = None
            for start in range(run[0], run[-1] + 2, together):
                stop = min(start + together, run[-1] + 2)
                modes = to_modes(frames[start:stop].astype(np.float64), boundary)
                if last is not None:
                    yield last, modes[:1]
                yield modes[:-1], modes[1:]
                last = modes[-1:]

    losses = [
        SpectralSafeLoss.of_modes(pairs(chosen), symbol, float(ratio * gaps.min()), discretisation)
        for chosen, ratio in enumerate(distinct)
    ]
    low = 1e-3 / (symbol.max() * times[-1])
    largest = discretisation.largest_diffusivity(float(symbol.max()))
    high = max(min(10 / (symbol[symbol > 0].min() * gaps.min()), 0.999 * largest), np.e * low)
    return minimise(*losses, scan=np.geomspace(low, high, 60))[0]


def zero_shot_estimate(
    frames: NDArray[Any],
    times: Array,
    spacing: tuple[float, float],
    settings: Mapping[str, Any],
    seed: int,
) -> float:
    """D by the paper's zero-shot estimator (:mod:`~safe_pit_cm.safe.zero_shot`); intensities and units are rescaled.

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, finite, periodic.
    times, spacing
        Evenly spaced times; square pixels.
    settings
        Values that differ from :data:`ZERO_SHOT`.
    seed
        Seed of the initial weights.
    """
    # Importing torch takes seconds; no other method needs it.
    from safe_pit_cm.safe import zero_shot

    intervals = np.diff(times)
    if not np.allclose(intervals, intervals[0], rtol=1e-3):
        raise UserError("zero-shot needs evenly spaced frames; use method ml")
    if not np.isclose(*spacing, rtol=1e-3):
        raise UserError("zero-shot needs square pixels; use method ml")
    unknown = set(settings) - set(ZERO_SHOT)
    if unknown:
        raise UserError(f"zero-shot has no setting {', '.join(sorted(unknown))}; it has {', '.join(ZERO_SHOT)}")
    low, high = float(frames.min()), float(frames.max())
    video = xr.Dataset(
        {"field": (("time", "y", "x"), ((frames - low) / (high - low)).astype(np.float32))},
        coords={"time": np.arange(len(frames)) * _INTERVAL},
        attrs={
            "process": "diffusion",
            "parent": 0,
            "seed": seed,
            "transport_coefficient": np.nan,
            "diffusivity": np.nan,
            "grid_spacing": _SPACING,
            "time_step": _INTERVAL,
            "save_interval": 1,
        },
    )
    found = zero_shot.fit(video, propagation="signed", seed=seed, **{**ZERO_SHOT, **settings})
    scale = (spacing[0] / _SPACING) ** 2 / (float(intervals.mean()) / _INTERVAL)
    return abs(float(found.attrs["alpha"])) * scale
