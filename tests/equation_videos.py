"""Videos of equations with known coefficients, from a grid twice as fine and steps a quarter as long as a fit has."""

from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.fine_solver import FineSolver
from safe_pit_cm.models import catalogue

SPACING, INTERVAL = 0.5, 0.25
TRUTH = {
    "fisher-kpp": (0.3, 0.2),
    "allen-cahn": (0.5, 0.8),
    "cahn-hilliard": (0.3, 0.5),
    "nonlinear-diffusion": (0.2, 0.2),
    "advection-diffusion-decay": (0.3, 3.1, -4.3, 0.05),
    "diffusion-source": (0.3, 0.05, 0.02),
    "swift-hohenberg": (-0.3, 0.6, 0.25, 0.3),
    "gray-scott": (0.16, 0.08, 0.035, 0.06),
}
_LEVELS = {"fisher-kpp": (0.35, 0.22), "allen-cahn": (0.0, 0.6), "cahn-hilliard": (0.05, 0.5)}


@cache
def clean(name: str, seed: int = 0, size: int = 32, frames: int = 41) -> NDArray[np.float64]:
    """Frames ``(time, field, y, x)`` without noise."""
    model = catalogue.named(name)
    draw = np.random.default_rng(seed)
    middle, contrast = _LEVELS.get(name, (0.5, 0.2))
    fields = []
    for _ in model.fields:
        drawn = gaussian_filter(draw.standard_normal((2 * size, 2 * size)), 5.0, mode="wrap")
        fields.append(middle + contrast * drawn / drawn.std())
    grid = Grid((2 * size, 2 * size), (SPACING / 2, SPACING / 2))
    solver = FineSolver(Compiled(model, grid), np.arange(frames) * INTERVAL, 4)
    start = torch.from_numpy(np.stack(fields))
    solver.stabilise(TRUTH[name], start[None])
    return solver.solve(TRUTH[name], start)[..., ::2, ::2].numpy()


def noisy(name: str, noise: float = 0.05, seed: int = 0, **shape: Any) -> xr.DataArray:
    """Video with white noise."""
    frames = clean(name, seed, **shape)
    frames = frames + noise * np.random.default_rng(1000 + seed).standard_normal(frames.shape)
    if frames.shape[1] == 1:
        return xr.DataArray(frames[:, 0], dims=("time", "y", "x"))
    return xr.DataArray(frames, dims=("time", "field", "y", "x"))
