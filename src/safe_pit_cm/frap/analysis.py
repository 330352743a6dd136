"""All of a FRAP film but the maximum-likelihood estimate: spot, recovery curve, widths, and the classical estimates.

Everything is computed from means over rings around the spot, cut into eight sectors. Standard errors come from leaving
out one sector after another (the jackknife), which includes the noise of the pixels, dirt, a spot that is not round and
illumination that is not even. Two things that all sectors share add to the variance: what the curve scatters in time
beyond the noise of the pixels, such as a lamp that flickers, and what it matters whether the inner or the outer half of
the reference region is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

from safe_pit_cm.errors import UserError
from safe_pit_cm.frap import classical, recovery, rings, shapes, spot, widths
from safe_pit_cm.frap.classical import Number
from safe_pit_cm.frap.recovery import Course, Recovery
from safe_pit_cm.frap.rings import Rings
from safe_pit_cm.numerics.arrays import Array

# Profiles are fitted up to this many radii: beyond, uneven illumination weighs more than the spot.
_REACH = 3.0
# The reference region begins where the spot ends, after so many Gaussian widths in the last frame, and counts if it is
# this share of the frame.
_SPREAD, _FAR = 3.0, 0.05
# Fewest pixels of the radius of a spot whose rings can be told apart.
_FEWEST = 2.0
# Sharpest edge of a disc that pixels show, in pixels.
_SHARPEST = 0.3
_ELONGATED = 1.25

Normalisation = Literal["double", "reference", "before", "surroundings"]


@dataclass(frozen=True)
class Analysis:
    """What was found.

    Attributes
    ----------
    centre, origin
        Row and column of the spot, pixels of the frames analysed, and of the whole frame at which these begin.
    spacing
        Pixel size (Δy, Δx).
    radius
        Distance from the centre at which the depth of the first frame is half that of the middle.
    width, edge
        Radius of the disc and standard deviation of the Gaussian that, convolved, fit the first frame.
    gaussian_radius
        Distance at which a Gaussian fitted to the first frame has fallen to exp(−2): Kang's effective radius.
    depth
        Share bleached in the middle of the first frame.
    elongation
        Length over width of the spot.
    region
        Radius of the disc over which the recovery curve is the mean.
    reference
        Distance at which the reference region begins; None if there is none.
    normalisation
        ``double``: by the pre-bleach image and the reference region; ``reference``, ``before``: by one of them;
        ``surroundings``: by the level around the spot in the first frame.
    lost
        Share of its brightness that the reference region lost from the first to the last frame; None without one.
    mobile, half_time
        Mobile fraction, and time from the first frame to half of the recovery.
    times, values, errors
        Of the recovery curve; times from the first frame; standard errors from the noise of the pixels, multiplied by
        the factor by which the points scatter more about the fit.
    fitted
        The curve fitted to it.
    variance, variance_error, line
        σ² of the Gaussian fitted to every frame, its standard error, and the straight line through it.
    estimates
        The classical estimates of D.
    warnings
        Doubts, sentences without full stop.
    """

    centre: tuple[float, float]
    origin: tuple[int, int]
    spacing: tuple[float, float]
    radius: Number
    width: float
    edge: float
    gaussian_radius: float
    depth: float
    elongation: float
    region: float
    reference: float | None
    normalisation: Normalisation
    lost: float | None
    mobile: Number
    half_time: Number
    times: Array
    values: Array
    errors: Array
    fitted: Recovery
    variance: Array
    variance_error: Array
    line: widths.Line | None
    estimates: tuple[classical.Estimate, ...]
    warnings: tuple[str, ...]


def analyse(
    video: xr.DataArray,
    *,
    corrected: bool,
    chosen: tuple[float, float, float] | None = None,
    origin: tuple[int, int] = (0, 0),
) -> Analysis:
    """Analyse a film of the recovery.

    Parameters
    ----------
    video
        ``(time, y, x)`` from the first frame after bleaching, with coordinates; NaN marks missing pixels.
    corrected
        Whether the frames are relative to an image from before bleaching.
    chosen
        Row, column and radius of the spot, pixels of the whole frame; found if None.
    origin
        Row and column of the whole frame at which ``video`` begins.

    Raises
    ------
    UserError
        If there is no spot, or it does not recover.
    """
    if chosen is not None:
        chosen = (chosen[0] - origin[0], chosen[1] - origin[1], chosen[2])
    frames = video.to_numpy()
    times = video["time"].to_numpy().astype(np.float64)
    times = times - times[0]
    spacing = (_step(video, "y"), _step(video, "x"))
    pixel = float(np.sqrt(spacing[0] * spacing[1]))
    found = _locate(frames, spacing, corrected, chosen)
    if found.radius < _FEWEST * pixel:
        raise UserError(
            f"the spot has a radius of {found.radius / pixel:.1f} pixels, and {_FEWEST:g} are needed to see its shape"
        )
    film = rings.reduce(frames, found.centre, spacing)
    plan = _plan(film, times, found, corrected, chosen is not None)
    whole = _evaluate(film, times, plan)
    parts = [_numbers_or_none(film.without(sector), times, plan) for sector in range(rings.SECTORS)]
    halves = [_numbers_or_none(film, times, half) for half in _halves(film, plan)]

    def number(name: str, positive: bool = True) -> Number:
        spread = _jackknife([part[name] for part in parts if part is not None])
        choice = np.var([half[name] for half in halves if half is not None]) if halves else 0.0
        return _number(whole.numbers[name], spread + float(choice) + whole.excess.get(name, 0.0), positive)

    mobile = number("mobile", positive=False)
    estimates = tuple(
        classical.Estimate(method, number(method.name), classical.doubt(method.name, whole.width, whole.edge, mobile))
        for method in classical.METHODS
        if np.isfinite(whole.numbers[method.name])
    )
    reference = None if plan.far is None else float(film.distance[plan.far.start])
    return Analysis(
        found.centre,
        origin,
        spacing,
        number("radius"),
        whole.width,
        whole.edge,
        whole.gaussian_radius,
        whole.depth,
        found.elongation,
        plan.region,
        reference,
        plan.normalisation,
        whole.lost,
        mobile,
        number("half_time"),
        times,
        whole.values,
        whole.errors * np.nan_to_num(max(whole.fitted.scatter, 1.0), nan=1.0),
        whole.fitted,
        whole.measured.variance,
        whole.measured.error,
        whole.line,
        estimates,
        tuple(_warnings(frames.shape[1:], spacing, found, plan, chosen is not None)),
    )


def _step(video: xr.DataArray, axis: str) -> float:
    positions = video[axis].to_numpy().astype(np.float64)
    return float(abs(positions[-1] - positions[0]) / (len(positions) - 1))


def _locate(
    frames: NDArray[Any], spacing: tuple[float, float], corrected: bool, chosen: tuple[float, float, float] | None
) -> spot.Spot:
    if chosen is not None:
        y, x, radius = chosen
        rows, columns = frames.shape[1:]
        if not (0 <= y < rows and 0 <= x < columns and radius > 0):
            raise UserError(
                f"the centre of --spot is not in the region of {rows} × {columns} pixels that was read, or its radius "
                "is not positive; give row, column and radius in pixels"
            )
        return spot.Spot((y, x), float(radius * np.sqrt(spacing[0] * spacing[1])))
    first = frames[0].astype(np.float64)
    if corrected:
        return spot.find(1 - first, spacing)
    # What recovers is what was bleached; illumination that is not even stays the same and drops out.
    last = frames[-1].astype(np.float64)
    return spot.find(last / np.nanmedian(last) - first / np.nanmedian(first), spacing)


@dataclass(frozen=True)
class _Plan:
    """What is the same for the whole film and for the film without a sector.

    Attributes
    ----------
    inner
        Number of rings in the spot.
    far
        Rings of the reference region, None if there is none.
    reach
        Distance up to which profiles are fitted.
    """

    radius: float
    fixed: bool
    inner: int
    region: float
    far: slice | None
    reach: float
    normalisation: Normalisation


def _plan(film: Rings, times: Array, found: spot.Spot, corrected: bool, fixed: bool) -> _Plan:
    reach = _REACH * found.radius
    inner = max(1, round(found.radius / film.pixel))
    line = widths.line(times, widths.measure(film, reach))
    last = 0.0 if line is None else np.sqrt(max(line.start + 2 * line.diffusivity * times[-1], 0.0))
    pixels = film.counts[0].sum(0)
    first = int(np.searchsorted(film.distance, max(_REACH * found.radius, _SPREAD * last)))
    far = slice(first, len(pixels)) if pixels[first:].sum() >= _FAR * pixels.sum() else None
    normalisation: Normalisation
    if far is not None:
        normalisation = "double" if corrected else "reference"
    else:
        normalisation = "before" if corrected else "surroundings"
    return _Plan(found.radius, fixed, inner, film.radius(inner), far, reach, normalisation)


def _halves(film: Rings, plan: _Plan) -> list[_Plan]:
    """The same with the inner and with the outer half of the reference region; nothing if there is none."""
    if plan.far is None:
        return []
    pixels = np.cumsum(film.counts[0].sum(0)[plan.far])
    middle = plan.far.start + int(np.searchsorted(pixels, pixels[-1] / 2))
    return [replace(plan, far=half) for half in (slice(plan.far.start, middle), slice(middle, plan.far.stop))]


@dataclass(frozen=True)
class _Found:
    """What one pass over the rings gives; ``numbers`` are those that get an error bar, ``excess`` adds to variances."""

    width: float
    edge: float
    gaussian_radius: float
    depth: float
    lost: float | None
    values: Array
    errors: Array
    fitted: Recovery
    measured: widths.Widths
    line: widths.Line | None
    numbers: dict[str, float]
    excess: dict[str, float]


def _evaluate(film: Rings, times: Array, plan: _Plan) -> _Found:
    width, edge, level, depth = _shape(film, plan)
    radius = plan.radius if plan.fixed else shapes.half_depth_radius(width, edge**2)
    values, errors = film.mean(slice(0, plan.inner))
    lost = None
    if plan.far is not None:
        around, around_error = film.mean(plan.far)
        errors = np.hypot(errors / around, values * around_error / around**2)
        values = values / around
        lost = float(1 - around[-1] / around[0])
    elif plan.normalisation == "surroundings":
        values, errors = values / level, errors / level
    disc = recovery.fit(
        times, values, errors, _course(film, plan, lambda r, variance: shapes.disc(r, width, variance), edge**2)
    )
    measured = widths.measure(film, plan.reach)
    line = widths.line(times, measured)
    start = float(measured.variance[0])
    if not np.isfinite(start):
        start = width**2 / 4 + edge**2
    gaussian = recovery.fit(
        times, values, errors, _course(film, plan, lambda r, variance: shapes.gaussian(r, start, variance), start)
    )
    numbers = {
        "radius": radius,
        "mobile": disc.mobile,
        "half_time": disc.half_time,
        "disc_curve": disc.diffusivity,
        "disc_half_time": classical.soumpasis(radius, disc.half_time),
        "gaussian_curve": gaussian.diffusivity,
        "gaussian_half_time": classical.kang(2 * np.sqrt(start), plan.region, gaussian.half_time),
        "width": line.diffusivity if line is not None else np.nan,
    }
    excess = {
        "mobile": disc.variances[1],
        "half_time": disc.variances[0] * disc.half_time**2,
        "width": line.variance if line is not None else np.nan,
    }
    for name, fitted in (
        ("disc_curve", disc),
        ("disc_half_time", disc),
        ("gaussian_curve", gaussian),
        ("gaussian_half_time", gaussian),
    ):
        excess[name] = fitted.variances[0] * numbers[name] ** 2
    return _Found(
        width, edge, 2 * np.sqrt(start), depth / level, lost, values, errors, disc, measured, line, numbers, excess
    )


def _numbers_or_none(film: Rings, times: Array, plan: _Plan) -> dict[str, float] | None:
    """The numbers of a part of the film; None if they cannot be had from it."""
    seen = film.counts[0].sum(0)
    if not seen[: plan.inner].any() or (plan.far is not None and not seen[plan.far].any()):
        return None
    try:
        return _evaluate(film, times, plan).numbers
    except UserError:
        return None


def _shape(film: Rings, plan: _Plan) -> tuple[float, float, float, float]:
    """Radius and edge of the disc, level and depth of the middle, by least squares over rings of the first frame."""
    profile, counts = film.profile()
    used = (film.distance <= plan.reach) & (counts[0] > 0)
    distance, values, root = film.distance[used], profile[0, used], np.sqrt(counts[0, used])

    def shape(parameters: Array) -> tuple[float, float]:
        edge = float(np.exp(parameters[0]))
        return (plan.radius if plan.fixed else float(np.exp(parameters[1]))), edge

    def solve(parameters: Array) -> tuple[Array, Array]:
        radius, edge = shape(parameters)
        design = np.stack([np.ones_like(distance), -shapes.disc(distance, radius, edge**2)], axis=1)
        found, *_ = np.linalg.lstsq(design * root[:, None], values * root)
        return found, root * (values - design @ found)

    lowest = [_SHARPEST * film.pixel, 0.05 * plan.radius]
    count = 1 if plan.fixed else 2
    start = np.maximum([plan.radius / 4, plan.radius], np.multiply(lowest, 1.01))[:count]
    bounds = np.log([lowest[:count], [2 * plan.radius] * count])
    best = least_squares(lambda parameters: solve(parameters)[1], np.log(start), bounds=tuple(bounds), x_scale=0.1)
    radius, edge = shape(best.x)
    level, depth = solve(best.x)[0]
    return radius, edge, float(level), float(depth * shapes.disc(np.array(0.0), radius, edge**2))


def _course(film: Rings, plan: _Plan, shape: Callable[[Array, float], Array], start: float) -> Course:
    """Recovery of a shape, averaged over the same rings as the curve: a circle of pixels is not quite a circle."""
    counts = film.counts[0].sum(0)[: plan.inner]
    distance = film.distance[: plan.inner]
    return Course.of(lambda variance: float(counts @ shape(distance, variance) / counts.sum()), start, plan.region)


def _jackknife(values: list[float]) -> float:
    """Variance of an estimate from its values with one part left out at a time; NaN from fewer than four parts."""
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < rings.SECTORS // 2:
        return float("nan")
    return float((len(known) - 1) * known.var())


def _number(value: float, variance: float, positive: bool) -> Number:
    if not np.isfinite(variance):
        return Number(value, None, None)
    stderr = float(np.sqrt(variance))
    reach = float(student.ppf(0.975, rings.SECTORS - 1)) * stderr
    if positive and value > 0:
        # What is positive and poorly known is known to a factor.
        factor = float(np.exp(min(reach / value, 700.0)))
        return Number(value, stderr, (value / factor, value * factor))
    return Number(value, stderr, (value - reach, value + reach))


def _warnings(
    shape: tuple[int, ...], spacing: tuple[float, float], found: spot.Spot, plan: _Plan, chosen: bool
) -> list[str]:
    doubts = []
    rows, columns = (found.radius / size for size in spacing)
    (y, x), (height, width) = found.centre, shape
    cut = y - rows < 0 or x - columns < 0 or y + rows > height - 1 or x + columns > width - 1
    if cut:
        doubts.append("the spot reaches the edge of the frame, and the means are over the part in view")
    elif found.elongation > _ELONGATED and not chosen:
        doubts.append(
            f"the spot is {found.elongation:.2f} times as long as wide, and the classical estimates assume a round one"
        )
    if plan.far is None:
        doubts.append(
            "no part of the frame is out of reach of the spot, so that bleaching by the exposures is not corrected in "
            "the recovery curve"
        )
    if plan.normalisation in ("reference", "surroundings"):
        doubts.append(
            "without an image from before bleaching (--prebleach) uneven illumination enters the mobile fraction"
        )
    return doubts
