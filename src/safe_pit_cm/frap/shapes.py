"""Shapes of a bleached spot, and how they fade by diffusion.

Diffusion convolves whatever was bleached with a Gaussian of variance 2Dt per axis. A disc with a blurred edge, that is
one convolved with a Gaussian, therefore stays one, and only the variance grows. Its limits are the uniform disc
(variance 0), whose mean recovers along the curve of Soumpasis, and the Gaussian (radius 0).
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import chndtr

from safe_pit_cm.numerics.arrays import Array


def disc(distance: Array, radius: float, variance: float) -> Array:
    """Depth of a disc of unit depth that is convolved with a Gaussian.

    Parameters
    ----------
    distance
        From the centre.
    radius
        Of the disc.
    variance
        Of the Gaussian, per axis; positive.

    Returns
    -------
    Array
        The probability that a point displaced from ``distance`` by the Gaussian lies within the disc, a non-central χ²
        distribution with two degrees of freedom.
    """
    return np.asarray(chndtr(radius**2 / variance, 2.0, np.asarray(distance) ** 2 / variance), dtype=np.float64)


def gaussian(distance: Array, start: float, variance: float) -> Array:
    """Depth of a Gaussian that had unit depth in its centre at the variance ``start`` per axis."""
    return np.asarray(start / variance * np.exp(-(np.asarray(distance) ** 2) / (2 * variance)), dtype=np.float64)


def half_depth_radius(radius: float, variance: float) -> float:
    """Distance at which :func:`disc` has half the depth of its centre."""
    centre = float(disc(np.array(0.0), radius, variance))
    reach = radius + 8 * np.sqrt(variance)
    return float(brentq(lambda distance: float(disc(np.array(distance), radius, variance)) - centre / 2, 0.0, reach))
