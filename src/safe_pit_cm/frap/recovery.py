"""How a bleached spot fades by diffusion, and the recovery curve of its mean brightness.

Diffusion convolves whatever was bleached with a Gaussian of variance 2Dt per axis. A disc with a blurred edge, that is
one convolved with a Gaussian, therefore stays one, and only the variance grows. Its limits are the uniform disc
(variance 0), whose mean recovers as ``exp(−2τ/t) [I₀(2τ/t) + I₁(2τ/t)]`` with τ = w²/4D (Soumpasis 1983), and the
Gaussian (radius 0), whose mean was given by Axelrod et al. (1976).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.interpolate
from scipy.optimize import brentq
from scipy.special import chndtr

from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import scan_then_brent

# Diffusion lengths considered, in units of the radius, squared: from no visible recovery to a complete one.
_REACH = (1e-3, 1e4)


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


@dataclass(frozen=True)
class Recovery:
    """A curve of diffusion fitted to the brightness of a spot.

    Attributes
    ----------
    diffusivity, half_time
        D, and the time from the first frame to half of the recovery.
    initial, plateau, mobile
        Levels at the first frame and after all time, and (plateau − initial)/(1 − initial).
    variances
        Of the logarithm of D (hence of the half time) and of the mobile fraction, from the scatter of the curve in
        time that exceeds the noise of the pixels.
    scatter
        Root of the reduced χ²: scatter of the points about the curve over what the noise of the pixels explains.
    curve
        The fitted curve.
    """

    diffusivity: float
    half_time: float
    initial: float
    plateau: float
    mobile: float
    variances: tuple[float, float]
    scatter: float
    curve: Callable[[Array], Array]


@dataclass(frozen=True)
class Course:
    """How far the recovery has come, against the variance that diffusion has added.

    Attributes
    ----------
    fraction
        φ as a function of log(2Dt): 0 at the first frame, 1 after all time.
    half
        2Dt at which it is one half.
    scale
        Radius of the spot, squared.
    """

    fraction: Callable[[Array], Array]
    half: float
    scale: float

    @classmethod
    def of(cls, mean_depth: Callable[[float], float], start: float, radius: float) -> "Course":
        """Build it from the mean depth in the spot as a function of the variance, which is ``start`` at first."""
        added = radius**2 * np.geomspace(1e-6, 1e6, 193)
        left = np.array([mean_depth(start), *(mean_depth(start + each) for each in added)])
        spline = scipy.interpolate.CubicSpline(np.log(added), 1 - left[1:] / left[0])
        ends = np.log(added[[0, -1]])
        half = np.exp(brentq(lambda logarithm: float(spline(logarithm)) - 0.5, *ends))
        return cls(lambda logarithm: spline(np.clip(logarithm, *ends)), float(half), radius**2)

    def __call__(self, diffusivity: float, times: Array) -> Array:
        """Fraction of the recovery at times from the first frame."""
        added = 2 * diffusivity * np.asarray(times, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return np.where(added > 0, self.fraction(np.log(added)), 0.0)


def fit(times: Array, values: Array, errors: Array, course: Course) -> Recovery:
    """Fit ``F(t) = F₀ + (F∞ − F₀) φ(2Dt)`` by weighted least squares.

    For given D the two levels follow in closed form, so that the search is over D alone.

    Parameters
    ----------
    times
        From the first frame, increasing, at least three.
    values, errors
        Brightness of the spot relative to its full level, and its standard errors from the noise of the pixels.
    course
        φ.

    Raises
    ------
    UserError
        If the curve does not determine D: no recovery, or all of it between the first two frames.
    """
    usable = np.isfinite(errors) & (errors > 0)
    weights = 1 / errors**2 if usable.all() else np.ones(len(times))

    def levels(diffusivity: float) -> tuple[Array, float]:
        design = np.stack([1 - course(diffusivity, times), course(diffusivity, times)], axis=1)
        root = np.sqrt(weights)[:, None]
        found, *_ = np.linalg.lstsq(design * root, values * root[:, 0])
        return np.asarray(found, dtype=np.float64), float(weights @ (values - design @ found) ** 2)

    slowest, fastest = _REACH[0] / times[-1], _REACH[1] / np.diff(times).min()
    scan = course.scale * np.geomspace(slowest, fastest, 5 * int(np.log10(fastest / slowest)))
    best = scan_then_brent(lambda diffusivity: levels(diffusivity)[1], scan, logarithmic=True)
    diffusivity = best.position
    (initial, plateau), misfit = levels(diffusivity)
    if best.at_edge or not plateau > initial:
        raise UserError(
            "the brightness of the spot does not recover as by diffusion within the film; check --spot, the order of "
            "the frames and the frame interval"
        )
    if not initial < 1:
        raise UserError(
            f"the spot has {initial:.2f} of its full brightness in the first frame, so that nothing seems to be "
            "bleached; check --prebleach and --dark"
        )
    # Derivatives by both levels and by log D.
    step = 1e-4
    slope = (course(diffusivity * np.exp(step), times) - course(diffusivity * np.exp(-step), times)) / (2 * step)
    progress = course(diffusivity, times)
    jacobian = np.stack([1 - progress, progress, (plateau - initial) * slope], axis=1)
    covariance = np.linalg.pinv(jacobian.T @ (weights[:, None] * jacobian))
    reduced = misfit / max(len(times) - 3, 1)
    mobile = (plateau - initial) / (1 - initial)
    by_levels = np.array([(plateau - 1) / (1 - initial) ** 2, 1 / (1 - initial), 0.0])
    excess = max(reduced - 1, 0.0) if usable.all() else reduced
    return Recovery(
        diffusivity,
        course.half / (2 * diffusivity),
        float(initial),
        float(plateau),
        float(mobile),
        (float(covariance[2, 2] * excess), float(by_levels @ covariance @ by_levels * excess)),
        float(np.sqrt(reduced)) if usable.all() else float("nan"),
        lambda at: initial + (plateau - initial) * course(diffusivity, at),
    )
