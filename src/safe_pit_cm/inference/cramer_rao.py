"""Cramér–Rao bounds: the smallest standard deviation of an unbiased estimate of D."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.reduction import Tiles
from safe_pit_cm.inference.tiles import Model
from safe_pit_cm.numerics.arrays import Array


def cramer_rao_bound(
    field: NDArray[Any],
    times: Array,
    diffusivity: float,
    noise: float,
    spacing: tuple[float, float],
    boundary: Boundary = "periodic",
    discretisation: Discretisation | None = None,
) -> float:
    """Smallest standard deviation that an unbiased estimate of D can have when the initial field is unknown.

        Var D ≥ σ² / Σ_k a_k² |u_k|²,   u_k = ∂g_k/∂D less its projection on g_k

    Parameters
    ----------
    field
        True field at the first frame, shape ``(y, x)``.
    times
        Of the frames.
    diffusivity, noise
        True D and σ.
    spacing, boundary, discretisation
        The model; not ``open``.
    """
    discretisation = discretisation or Discretisation()
    shape = (field.shape[0], field.shape[1])
    symbol = symbols(shape, spacing, boundary, discretisation).ravel()
    times = np.asarray(times, dtype=np.float64) - times[0]
    course = np.exp(-np.outer(times, discretisation.rate(diffusivity, symbol)))
    slope = -times[:, None] * discretisation.rate_slope(diffusivity, symbol) * course
    normal = slope - course * (slope * course).sum(0) / (course**2).sum(0)
    amplitude = to_modes(np.asarray(field, dtype=np.float64), boundary).ravel()
    return float(noise / np.sqrt((amplitude**2 * (normal**2).sum(0)).sum()))


def open_bound(
    fields: NDArray[Any],
    slopes: NDArray[Any],
    times: Array,
    diffusivity: float,
    noise: float,
    spacing: tuple[float, float],
    discretisation: Discretisation | None = None,
) -> float:
    """Cramér–Rao bound on the standard deviation of D for an open crop.

    Known: the field diffuses with one D in the crop and beyond. Unknown: D and the initial field, in the crop and
    beyond, apart from a ridge that keeps invisible components finite.

        Var D ≥ σ² / |(I − H) ∂μ/∂D|²_(I−H)

    Parameters
    ----------
    fields, slopes
        True field μ and ∂μ/∂D of the crop at all times, each ``(time, y, x)``.
    times, diffusivity, noise, spacing, discretisation
        The truth.
    """
    truth = np.asarray(fields, dtype=np.float64)[None]
    shape = (fields.shape[1], fields.shape[2])
    tiles = Tiles(
        frames=truth,
        gaps=None,
        corners=[(0, 0)],
        shape=shape,
        level=0.0,
        times=times - times[0],
        counts=np.ones(len(times)),
        exposures=np.arange(len(times), dtype=np.float64),
        interval=None,
        factor=1,
        spacing=spacing,
        boundary="open",
        discretisation=discretisation or Discretisation(),
    )
    system = Model.near(tiles, diffusivity, noise**2).at(diffusivity)
    slope = system.weighted(np.asarray(slopes, dtype=np.float64)[None])
    rest = slope - system.fit(slope).fitted
    return float(noise / np.sqrt((slope * rest).sum()))
