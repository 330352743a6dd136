"""Integrate a parent simulation by forward Euler (§2.1, A.2)."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.stability import limited_step_reduction
from safe_pit_cm.equations.terms import TRANSPORT


def forward_euler(
    field: NDArray[np.float64],
    alpha: float,
    *,
    spacing: float,
    step: float,
    steps: int,
    save_interval: int,
) -> NDArray[np.float32]:
    """Integrate ``∂φ/∂t = −α ∇²φ`` on a periodic grid: ``φ ← φ − α Δt ∇²φ``.

    Works in float64 and in place: memory is the saved frames and two fields, whatever the number of steps.

    Parameters
    ----------
    field
        φ at t = 0, shape ``(y, x)``.
    alpha
        Transport coefficient α, length²/time; negative for diffusion.
    spacing
        Grid spacing Δx, length units.
    step
        Time step Δt, time units; stable for ``|α| Δt · 8/Δx² ≤ 2``, which is not checked here.
    steps
        Number of steps; a multiple of ``save_interval``.
    save_interval
        Steps k between saved frames.

    Returns
    -------
    NDArray
        Frames ``(steps // save_interval + 1, y, x)``, float32, the first at t = 0.
    """
    frames = np.empty((steps // save_interval + 1, *field.shape), dtype=np.float32)
    frames[0] = field
    # With a halo of periodic neighbours on all sides, a step is a few passes over contiguous views.
    halo = TRANSPORT.halo
    padded = np.pad(field, halo, mode="wrap")
    centre = padded[halo:-halo, halo:-halo]
    theta = {"alpha": alpha * step}
    for frame in range(1, len(frames)):
        for _ in range(save_interval):
            padded[:halo], padded[-halo:] = padded[-2 * halo : -halo], padded[halo : 2 * halo]
            padded[:, :halo], padded[:, -halo:] = padded[:, -2 * halo : -halo], padded[:, halo : 2 * halo]
            centre += TRANSPORT.right_hand_side(padded, theta, spacing)
        frames[frame] = centre
    return frames


def draw_magnitude(seed: int, parent: int, magnitude_min: float, magnitude_max: float) -> float:
    """Draw |α| of a parent simulation, uniform in [``magnitude_min``, ``magnitude_max``] (§2.2)."""
    return float(randomness.generator(seed, parent, "transport").uniform(magnitude_min, magnitude_max))


def simulate(
    initial_condition: xr.Dataset,
    *,
    magnitude_min: float,
    magnitude_max: float,
    step: float,
    steps: int,
    save_interval: int,
    largest_step_reduction: int,
) -> xr.Dataset:
    """Integrate the diffusion video of one parent simulation.

    The von Neumann condition is checked first; where it fails, Δt is divided by a whole number (A.2), so that the
    frames keep their times.

    Parameters
    ----------
    initial_condition
        As :func:`safe_pit_cm.simulation.microstructure.initial_condition` returns it.
    magnitude_min, magnitude_max
        Range of |α|, length²/time.
    step, steps, save_interval
        Time step Δt, number of steps N_t, and steps k between frames.
    largest_step_reduction
        Largest whole number by which Δt may be divided.

    Returns
    -------
    xr.Dataset
        ``field(time, y, x)``, float32, with α and the numerical settings as attributes.

    Raises
    ------
    UserError
        If Δt would have to be divided by more than ``largest_step_reduction``.
    """
    attrs = initial_condition.attrs
    spacing = float(attrs["grid_spacing"])
    alpha = -draw_magnitude(int(attrs["seed"]), int(attrs["parent"]), magnitude_min, magnitude_max)
    reduction = limited_step_reduction(alpha, step, spacing, largest_step_reduction)
    frames = forward_euler(
        initial_condition["field"].to_numpy(),
        alpha,
        spacing=spacing,
        step=step / reduction,
        steps=steps * reduction,
        save_interval=save_interval * reduction,
    )
    time = np.arange(len(frames)) * (step * save_interval)
    return xr.Dataset(
        {"field": (("time", "y", "x"), frames, initial_condition["field"].attrs)},
        coords={
            "time": ("time", time, {"long_name": "time", "units": "1"}),
            "y": initial_condition["y"],
            "x": initial_condition["x"],
        },
        attrs={
            **attrs,
            "process": "diffusion",
            "transport_coefficient": alpha,
            "diffusivity": -alpha,
            "time_step": step / reduction,
            "save_interval": save_interval * reduction,
        },
    )
