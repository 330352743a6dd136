"""Initial conditions: a periodic Voronoi tessellation with smooth, rough interfaces (§2.2, A.1)."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.data import randomness


def voronoi_field(
    centres: NDArray[np.float64],
    size: int,
    spacing: float,
    interface_width: float,
    perturbation: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Smooth profile across the boundaries of a periodic Voronoi tessellation (Eq. 13).

        φ₀(x) = clip(tanh((d₂ − d₁)/w + η(x)), 0, 1)

    with d₁ ≤ d₂ the periodic distances to the two nearest grain centres: near 1 inside a grain, 0 on a boundary.

    Parameters
    ----------
    centres
        Grain centres ``(grain, 2)`` as (y, x) in [0, N Δx), at least two.
    size
        Grid points N along each axis.
    spacing
        Grid spacing Δx, length units.
    interface_width
        w, length units.
    perturbation
        η(x), dimensionless; a number or shape ``(y, x)``.

    Returns
    -------
    NDArray
        φ₀, shape ``(y, x)``, between 0 and 1.
    """
    return np.clip(np.tanh(centre_distance_gap(centres, size, spacing) / interface_width + perturbation), 0.0, 1.0)


def centre_distance_gap(centres: NDArray[np.float64], size: int, spacing: float) -> NDArray[np.float64]:
    """d₂ − d₁ at every grid point, shape ``(y, x)``, length units: 0 on a boundary, and greatest inside a grain.

    d₁ ≤ d₂ are the periodic distances to the two nearest of the ``centres``; arguments as in :func:`voronoi_field`.
    """
    away = np.abs(np.arange(size) * spacing - centres[..., None])
    away = np.square(np.minimum(away, size * spacing - away))
    nearest, second = np.full((2, size, size), np.inf)
    # Grains are few: a tree of them takes longer to import than this loop.
    for along_y, along_x in away:
        distance = np.add.outer(along_y, along_x)
        np.minimum(second, np.maximum(nearest, distance), out=second)
        np.minimum(nearest, distance, out=nearest)
    return np.asarray(np.sqrt(second) - np.sqrt(nearest))


def draw_centres(
    random: np.random.Generator, size: int, spacing: float, grains_min: int, grains_max: int
) -> NDArray[np.float64]:
    """Draw grain centres ``(grain, 2)``: their number uniform in the range, their places uniform in the square."""
    n_grains = int(random.integers(grains_min, grains_max, endpoint=True))
    return random.uniform(0.0, size * spacing, (n_grains, 2))


def initial_condition(
    *,
    seed: int,
    parent: str,
    size: int,
    spacing: float,
    grains_min: int,
    grains_max: int,
    interface_width: float,
    roughness: float,
) -> xr.Dataset:
    """Draw the initial condition of one parent simulation.

    The number of grains is uniform in [``grains_min``, ``grains_max``], the centres are uniform in the periodic
    square, and η(x) is white: independent and uniform in [−``roughness``, ``roughness``] at every grid point.
    ``parent`` is the name of the parent simulation, such as ``007``.

    Returns
    -------
    xr.Dataset
        ``field(y, x)``, float64, with ``n_grains``, ``parent``, ``seed``, ``grid_spacing`` and
        ``boundary`` as attributes.
    """
    random = randomness.generator(seed, int(parent), "microstructure")
    centres = draw_centres(random, size, spacing, grains_min, grains_max)
    perturbation = random.uniform(-roughness, roughness, (size, size))
    axis = np.arange(size) * spacing
    return xr.Dataset(
        {
            "field": (
                ("y", "x"),
                voronoi_field(centres, size, spacing, interface_width, perturbation),
                {"long_name": "field φ", "units": "1"},
            )
        },
        coords={
            "y": ("y", axis, {"long_name": "y position", "units": "1"}),
            "x": ("x", axis, {"long_name": "x position", "units": "1"}),
        },
        attrs={
            "parent": parent,
            "seed": seed,
            "n_grains": len(centres),
            "grid_spacing": spacing,
            "boundary": "periodic",
        },
    )
