"""One pass over the rings of a film: shape of the spot, recovery curve, width, and the classical estimates of D."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from safe_pit_cm.errors import UserError
from safe_pit_cm.frap import classical, recovery, widths
from safe_pit_cm.frap.recovery import Course, Recovery
from safe_pit_cm.frap.rings import Rings
from safe_pit_cm.frap.spot import Spot
from safe_pit_cm.numerics.arrays import Array

# Profiles are fitted up to this many radii: beyond, uneven illumination weighs more than the spot.
_REACH = 3.0
# The reference region begins where the spot ends, after so many Gaussian widths in the last frame. If that leaves less
# than this share of the frame, it is the outermost quarter of the frame, if that begins so many radii from the centre.
_SPREAD, _FAR, _OUTER, _NEAREST = 3.0, 0.05, 0.25, 1.25
# The curve tells how far the spot reaches into the reference region, which normalises the curve.
_ROUNDS, _CONVERGED = 30, 1e-5
# Sharpest edge of a disc that pixels show, in pixels.
_SHARPEST = 0.3


@dataclass(frozen=True)
class Plan:
    """What is chosen once for the whole film, and kept where a sector is left out.

    Attributes
    ----------
    radius, fixed
        Radius of the spot, length units, and whether it was given rather than found.
    inner
        Number of rings in the spot.
    far
        Rings of the reference region; None if there is none.
    reached
        Whether the spot spreads into the reference region within the film.
    reach
        Distance up to which profiles are fitted, length units.
    corrected
        Whether the frames are relative to an image from before bleaching.
    additive
        Whether changes of the reference region are subtracted, as stray light is, and not divided out as bleaching is.
    """

    radius: float
    fixed: bool
    inner: int
    far: slice | None
    reached: bool
    reach: float
    corrected: bool
    additive: bool = False

    @classmethod
    def of(cls, film: Rings, times: Array, found: Spot, *, corrected: bool, fixed: bool) -> "Plan":
        """Choose the rings of the spot and of the reference region."""
        reach = _REACH * found.radius
        line = widths.line(times, widths.measure(film, reach))
        last = 0.0 if line is None else np.sqrt(max(line.start + 2 * line.diffusivity * times[-1], 0.0))
        pixels = film.counts[0].sum(0)
        first = int(np.searchsorted(film.distance, max(reach, _SPREAD * last)))
        reached = pixels[first:].sum() < _FAR * pixels.sum()
        if reached:
            first = int(np.searchsorted(np.cumsum(pixels), (1 - _OUTER) * pixels.sum()))
        near = reached and film.distance[first] < _NEAREST * found.radius
        far = None if near else slice(first, len(pixels))
        inner = max(1, round(found.radius / film.pixel))
        return cls(found.radius, fixed, inner, far, reached, reach, corrected)

    def halves(self, film: Rings) -> list["Plan"]:
        """The same with the inner and with the outer half of the reference region; nothing if there is none."""
        if self.far is None:
            return []
        pixels = np.cumsum(film.counts[0].sum(0)[self.far])
        middle = self.far.start + int(np.searchsorted(pixels, pixels[-1] / 2))
        return [replace(self, far=half) for half in (slice(self.far.start, middle), slice(middle, self.far.stop))]


@dataclass(frozen=True)
class Disc:
    """A disc convolved with a Gaussian, as it fits the first frame.

    Attributes
    ----------
    width, edge
        Radius of the disc and standard deviation of the Gaussian, length units.
    level
        Brightness around it, in units of the frames.
    missing
        Share of the level that was bleached in the disc, before the Gaussian.
    """

    width: float
    edge: float
    level: float
    missing: float

    @property
    def depth(self) -> float:
        """Share of the level that is missing in the middle of the first frame."""
        return self.missing * float(self.spread(np.array(0.0), self.edge**2))

    def spread(self, distance: Array, variance: float) -> Array:
        """Share of what was bleached in the disc that is found at a distance, for a variance of the Gaussian."""
        return recovery.disc(distance, self.width, variance)

    def faded(self, distance: Array, times: Array, fitted: Recovery) -> Array:
        """Share of the level that is missing by a fitted curve, ``(time, distance)``."""
        variance = self.edge**2 + 2 * fitted.diffusivity * times
        left = np.stack([self.spread(distance, each) for each in variance])
        mobile = min(fitted.mobile, 1.0)
        return np.asarray(self.missing * ((1 - mobile) * left[0] + mobile * left), dtype=np.float64)


@dataclass(frozen=True)
class Evaluation:
    """What the rings of a film give.

    Attributes
    ----------
    disc
        The disc that fits the first frame.
    gaussian_radius
        Distance at which a Gaussian fitted to the first frame has fallen to exp(−2): Kang's effective radius.
    lost
        Share of its brightness that the reference region lost from the first to the last frame; None without one.
    values, errors
        Recovery curve: mean brightness of the spot, 1 before bleaching, ``(time,)``; standard errors from the noise of
        the pixels, multiplied by the factor by which the points scatter more about the fit.
    fitted
        The curve of a disc fitted to it.
    measured, line
        Gaussian width of every frame, and the straight line through σ².
    numbers
        By name, what gets an error bar: ``radius``, ``mobile``, ``half_time`` and D by every classical method that can
        be applied.
    variances
        By the same names, variance from the scatter in time that exceeds the noise of the pixels.
    """

    disc: Disc
    gaussian_radius: float
    lost: float | None
    values: Array
    errors: Array
    fitted: Recovery
    measured: widths.Widths
    line: widths.Line | None
    numbers: dict[str, float]
    variances: dict[str, float]


def evaluate(film: Rings, times: Array, plan: Plan) -> Evaluation:
    """Evaluate the rings of a film.

    Parameters
    ----------
    film
        The rings.
    times
        From the first frame, ``(time,)``.
    plan
        Which rings are what.

    Raises
    ------
    UserError
        If the spot does not recover.
    """
    disc = _shape(film, plan)
    radius = plan.radius if plan.fixed else recovery.half_depth_radius(disc.width, disc.edge**2)
    values, errors, fitted, lost = _normalised(film, times, plan, disc)
    measured = widths.measure(film, plan.reach)
    line = widths.line(times, measured)
    # Where no Gaussian fits the first frame, the variance of the blurred disc along an axis.
    start = float(measured.variance[0]) if np.isfinite(measured.variance[0]) else disc.width**2 / 4 + disc.edge**2
    numbers = {
        "radius": radius,
        "mobile": fitted.mobile,
        "half_time": fitted.half_time,
        "disc_curve": fitted.diffusivity,
        "disc_half_time": classical.soumpasis(radius, fitted.half_time),
    }
    variances = {"mobile": fitted.variances[1]}
    variances |= {
        name: fitted.variances[0] * numbers[name] ** 2 for name in ("half_time", "disc_curve", "disc_half_time")
    }
    if line is not None:
        numbers["width"], variances["width"] = line.diffusivity, line.variance
    gaussian = _gaussian(film, times, plan, (values, errors), start)
    if gaussian is not None:
        effective, nominal = 2 * np.sqrt(start), film.radius(plan.inner)
        numbers["gaussian_curve"] = gaussian.diffusivity
        numbers["gaussian_half_time"] = classical.kang(effective, nominal, gaussian.half_time)
        variances |= {
            name: gaussian.variances[0] * numbers[name] ** 2 for name in ("gaussian_curve", "gaussian_half_time")
        }
    return Evaluation(
        disc=disc,
        gaussian_radius=2 * np.sqrt(start),
        lost=lost,
        values=values,
        errors=errors * np.nan_to_num(max(fitted.scatter, 1.0), nan=1.0),
        fitted=fitted,
        measured=measured,
        line=line,
        numbers=numbers,
        variances=variances,
    )


def _normalised(film: Rings, times: Array, plan: Plan, disc: Disc) -> tuple[Array, Array, Recovery, float | None]:
    """Recovery curve, its errors, the fit to it, and the share of its brightness that the reference region lost.

    The fitted curve tells how far the spot has spread into the reference region, by which the curve is normalised: a
    few rounds agree.
    """
    spot, noise = film.mean(slice(0, plan.inner))

    def fitted(values: Array, errors: Array) -> Recovery:
        return _fit(film, times, plan, (values, errors), disc.spread, disc.edge**2)

    if plan.far is None:
        # Frames relative to the image from before bleaching are as they should be.
        level = 1.0 if plan.corrected else disc.level
        values, errors = spot / level, noise / level
        return values, errors, fitted(values, errors), None
    around, around_noise = film.mean(plan.far)
    pixels = film.counts[0].sum(0)[plan.far]
    faded = np.zeros(len(times))
    for _ in range(_ROUNDS):
        full = around / (1 - faded)
        if plan.additive:
            values, errors = 1 + (spot - full) / full[0], np.hypot(noise, around_noise) / full[0]
        else:
            values, errors = spot / full, np.hypot(noise, spot / full * around_noise) / full
        curve = fitted(values, errors)
        former, faded = faded, disc.faded(film.distance[plan.far], times, curve) @ pixels / pixels.sum()
        if np.abs(faded - former).max() < _CONVERGED:
            break
    return values, errors, curve, float(1 - full[-1] / full[0])


def _gaussian(film: Rings, times: Array, plan: Plan, points: tuple[Array, Array], start: float) -> Recovery | None:
    """The curve of a Gaussian spot; None where it cannot be fitted, though that of a disc can."""
    try:
        return _fit(film, times, plan, points, lambda distance, each: recovery.gaussian(distance, start, each), start)
    except UserError:
        return None


def _fit(
    film: Rings,
    times: Array,
    plan: Plan,
    points: tuple[Array, Array],
    shape: Callable[[Array, float], Array],
    start: float,
) -> Recovery:
    """Fit the recovery of a shape, averaged over the same rings as the curve: a circle of pixels is not quite one."""
    counts, distance = film.counts[0].sum(0)[: plan.inner], film.distance[: plan.inner]
    course = Course.of(
        lambda variance: float(counts @ shape(distance, variance) / counts.sum()), start, film.radius(plan.inner)
    )
    return recovery.fit(times, *points, course)


def attempt(film: Rings, times: Array, plan: Plan) -> Evaluation | None:
    """Evaluate a part of the film, or the film by another plan; None if it cannot be done."""
    seen = film.counts.sum(1)
    if not seen[:, : plan.inner].any(1).all() or (plan.far is not None and not seen[:, plan.far].any(1).all()):
        return None
    try:
        return evaluate(film, times, plan)
    except UserError:
        return None


def expected(film: Rings, times: Array, plan: Plan, found: Evaluation, mobile: float) -> dict[str, float]:
    """The numbers that the fitted disc would give, with some mobile fraction, the same pixels and noise, and no dirt.

    What a method makes of it tells what the shape of the spot, an immobile share, the region and the length of the film
    do to that method.
    """
    disc = found.disc
    profile = disc.level * (1 - disc.faded(film.distance, times, replace(found.fitted, mobile=mobile)))
    model = attempt(film.with_profile(profile), times, plan)
    if model is None:
        return {}
    # The weights of the real widths, whose errors are those of noise and dirt.
    told = np.isfinite(found.measured.variance)
    line = widths.line(times, replace(found.measured, variance=np.where(told, model.measured.variance, np.nan)))
    return model.numbers if line is None else {**model.numbers, "width": line.diffusivity}


def _shape(film: Rings, plan: Plan) -> Disc:
    """The disc that fits the rings of the first frame by least squares."""
    profile, counts = film.profile()
    used = (film.distance <= plan.reach) & (counts[0] > 0)
    distance, values, root = film.distance[used], profile[0, used], np.sqrt(counts[0, used])

    def shape(parameters: Array) -> tuple[float, float]:
        edge = float(np.exp(parameters[0]))
        return (plan.radius if plan.fixed else float(np.exp(parameters[1]))), edge

    def solve(parameters: Array) -> tuple[Array, Array]:
        radius, edge = shape(parameters)
        design = np.stack([np.ones_like(distance), -recovery.disc(distance, radius, edge**2)], axis=1)
        found, *_ = np.linalg.lstsq(design * root[:, None], values * root)
        return found, root * (values - design @ found)

    lowest = [_SHARPEST * film.pixel, 0.05 * plan.radius]
    count = 1 if plan.fixed else 2
    start = np.maximum([plan.radius / 4, plan.radius], np.multiply(lowest, 1.01))[:count]
    bounds = np.log([lowest[:count], [2 * plan.radius] * count])
    best = least_squares(lambda parameters: solve(parameters)[1], np.log(start), bounds=tuple(bounds), x_scale=0.1)
    radius, edge = shape(best.x)
    level, missing = solve(best.x)[0]
    return Disc(radius, edge, float(level), float(missing / level))
