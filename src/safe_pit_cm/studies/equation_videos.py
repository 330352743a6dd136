"""Videos of any equation of the catalogue, for the tables of the paper for another equation.

The field starts as smoothed noise. It is solved on a grid twice as fine as that of the video, with an eighth of the
frame interval as time step, so that a fit of the video does not meet its own discretisation.
"""

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from safe_pit_cm.data import randomness
from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.models import catalogue

_FINER, _STEPS = 2, 8


def simulate(
    *,
    model: str,
    parent: str,
    seed: int,
    size: int,
    spacing: float,
    interval: float,
    frames: int,
    spread: float,
    correlation: float,
    level: float,
    contrast: float,
) -> xr.Dataset:
    """Simulate one video.

    Parameters
    ----------
    model
        Name of the equation.
    parent, seed
        Number of the video, and seed of the configuration.
    size, spacing, interval, frames
        Grid points along an axis, grid spacing Δx, frame interval Δt_f and number of frames.
    spread
        Coefficients are uniform within this share of the example of the catalogue.
    correlation
        Standard deviation of the filter that smooths the noise of the first frame, grid spacings.
    level, contrast
        Mean and standard deviation of the first frame.

    Returns
    -------
    xr.Dataset
        ``field(time, component, y, x)`` without noise; true ``coefficients`` and the settings as attributes.

    Raises
    ------
    UserError
        If the solution is not finite.
    """
    equation = catalogue.named(model)
    draw = randomness.generator(seed, int(parent), "transport")
    examples = np.array([each.example for each in equation.coefficients], dtype=float)
    theta = examples * draw.uniform(1 - spread, 1 + spread, len(examples))
    fine = _FINER * size
    noise = randomness.generator(seed, int(parent), "microstructure").standard_normal(
        (len(equation.fields), fine, fine)
    )
    smooth = np.stack([gaussian_filter(each, _FINER * correlation, mode="wrap") for each in noise])
    start = level + contrast * smooth / smooth.std((1, 2), keepdims=True)
    grid = Grid((fine, fine), (spacing / _FINER, spacing / _FINER))
    times = np.arange(frames) * interval
    solver = Solver(Compiled(equation, grid), times, _STEPS)
    solver.stabilise(theta, torch.from_numpy(start)[None])
    fields = solver.solve(theta, torch.from_numpy(start)).fields[..., ::_FINER, ::_FINER].numpy()
    if not np.isfinite(fields).all():
        raise UserError(
            f"the solution of {model} grows without bound; choose another level or contrast of its first frame (model)"
        )
    return xr.Dataset(
        {"field": (("time", "component", "y", "x"), fields, {"long_name": "field", "units": "1"})},
        coords={
            "time": ("time", times, {"long_name": "time", "units": "1"}),
            "y": ("y", np.arange(size) * spacing, {"long_name": "y", "units": "1"}),
            "x": ("x", np.arange(size) * spacing, {"long_name": "x", "units": "1"}),
        },
        attrs={
            "model": model,
            "equation": equation.source,
            "coefficients": dict(zip(equation.names, map(float, theta), strict=True)),
            "parent": parent,
            "seed": seed,
            "grid_spacing": spacing,
            "frame_interval": interval,
            "boundary": "periodic",
        },
    )
