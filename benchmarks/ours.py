"""Our methods, in the shape in which a user writes them.

Each takes the :class:`~benchmarks.videos.Grid` of its videos, imports and prepares what it needs, and returns a
function from frames ``(time, y, x)``, float32, to D. The lines of each are counted.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.videos import Grid

Frames = NDArray[np.float32]
Fit = Callable[[Frames], float]


def maximum_likelihood(grid: Grid) -> Fit:
    """``safe_pit_cm.fit`` as documented, with error bar, interval and residual check."""
    import xarray as xr

    from safe_pit_cm import fit as fit_video

    def fit(frames: Frames) -> float:
        video = xr.DataArray(frames, dims=("time", "y", "x"))
        found = fit_video(video, dx=grid.spacing, dt=grid.interval, boundary="periodic")
        return float(found.attrs["diffusivity"])

    return fit


def likelihood_core(grid: Grid) -> Fit:
    """Maximum likelihood with its error bar, without interval and check."""
    from safe_pit_cm.equations.discretisation import Discretisation
    from safe_pit_cm.inference.likelihood import fit_modes
    from safe_pit_cm.inference.mode_fields import reduce_video

    def fit(frames: Frames) -> float:
        spacing = (grid.spacing, grid.spacing)
        modes = reduce_video(frames, grid.times, spacing, "periodic", Discretisation())
        return fit_modes(modes).diffusivity

    return fit


def direct(grid: Grid) -> Fit:
    """Minimum of the SAFE loss, with the exact decay of the modes."""
    from safe_pit_cm.equations.discretisation import Discretisation
    from safe_pit_cm.inference.safe_fits import safe_minimum

    def fit(frames: Frames) -> float:
        return safe_minimum(frames, grid.times, (grid.spacing, grid.spacing), "periodic", Discretisation())

    return fit


def _zero_shot(grid: Grid, path: Any) -> Fit:
    import xarray as xr

    from safe_pit_cm.inference.safe_fits import ZERO_SHOT
    from safe_pit_cm.safe import zero_shot

    def fit(frames: Frames) -> float:
        video = xr.Dataset(
            {"field": (("time", "y", "x"), frames)},
            coords={"time": grid.times},
            attrs={
                "process": "diffusion",
                "parent": 0,
                "seed": 0,
                "transport_coefficient": np.nan,
                "diffusivity": np.nan,
                "grid_spacing": grid.spacing,
                "time_step": grid.interval,
                "save_interval": 1,
            },
        )
        found = zero_shot.fit(video, propagation="signed", seed=0, path=path, **ZERO_SHOT)
        return abs(float(found.attrs["alpha"]))

    return fit


def zero_shot_spectral(grid: Grid) -> Fit:
    """The paper's zero-shot estimator, with the spectral form of the SAFE loss."""
    return _zero_shot(grid, "fourier")


def zero_shot_stencil(grid: Grid) -> Fit:
    """The same with S stencils, as in the paper, and their own adjoint."""
    return _zero_shot(grid, "stencil")
