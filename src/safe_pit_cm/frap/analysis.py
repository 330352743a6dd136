"""All of a FRAP film but the maximum-likelihood estimate: spot, recovery curve, widths, and the classical estimates.

Everything is computed from means over rings around the spot, cut into eight sectors. Standard errors come from leaving
out one sector after another (the jackknife), which includes the noise of the pixels, dirt, a spot that is not round and
illumination that is not even. Three things that all sectors share add to the variance: what the curve scatters in time
beyond the noise of the pixels, such as a lamp that flickers; what it matters whether the inner or the outer half of the
reference region is taken; and what it matters whether its changes are divided out, as bleaching is, or subtracted, as
stray light is.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import t as student

from safe_pit_cm.errors import UserError
from safe_pit_cm.frap import classical, rings, spot
from safe_pit_cm.frap.classical import Number
from safe_pit_cm.frap.evaluation import Evaluation, Plan, attempt, evaluate, expected
from safe_pit_cm.frap.spot import Spot
from safe_pit_cm.numerics.arrays import Array

# Fewest pixels of the radius of a spot whose rings can be told apart, and fewest frames of a curve.
_FEWEST_PIXELS, _FEWEST_FRAMES = 2.0, 3
_ELONGATED = 1.25

Normalisation = Literal["double", "reference", "before", "surroundings"]


@dataclass(frozen=True)
class Analysis:
    """What was found.

    Attributes
    ----------
    found
        The spot, in pixels of the frames analysed.
    origin
        Row and column of the whole frame at which these begin.
    spacing
        Pixel size (Δy, Δx).
    radius
        Distance from the centre at which the depth of the first frame is half that of the middle.
    region
        Radius of the disc over which the recovery curve is the mean.
    reference
        Distance at which the reference region begins; None if there is none.
    normalisation
        ``double``: by the pre-bleach image and the reference region; ``reference``, ``before``: by one of them;
        ``surroundings``: by the level around the spot in the first frame.
    mobile, half_time
        Mobile fraction, and time from the first frame to half of the recovery.
    times
        From the first frame, ``(time,)``.
    whole
        Shape, curve and widths of the whole film.
    estimates
        The classical estimates of D.
    warnings
        Doubts, sentences without full stop.
    """

    found: Spot
    origin: tuple[int, int]
    spacing: tuple[float, float]
    radius: Number
    region: float
    reference: float | None
    normalisation: Normalisation
    mobile: Number
    half_time: Number
    times: Array
    whole: Evaluation
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
        If there are too few frames, there is no spot, or it does not recover.
    """
    if chosen is not None:
        chosen = (chosen[0] - origin[0], chosen[1] - origin[1], chosen[2])
    video = video[np.isfinite(video.to_numpy()).any((1, 2))]
    _check_count(len(video))
    frames, times = video.to_numpy(), video["time"].to_numpy().astype(np.float64)
    spacing = (_step(video, "y"), _step(video, "x"))
    found = _locate(frames, spacing, corrected, chosen)
    film = rings.reduce(frames, found.centre, spacing)
    if found.radius < _FEWEST_PIXELS * film.pixel:
        raise UserError(
            f"the spot has a radius of {found.radius / film.pixel:.1f} pixels, and {_FEWEST_PIXELS:g} are needed to "
            "see its shape"
        )
    plan = Plan.of(film, times - times[0], found, corrected=corrected, fixed=chosen is not None)
    # A frame in which the spot or the reference region is masked has no point on the curve.
    seen = film.counts.sum(1)
    whole_frames = seen[:, : plan.inner].any(1) & (plan.far is None or seen[:, plan.far].any(1))
    _check_count(int(whole_frames.sum()))
    film, times = film.frames(whole_frames), times[whole_frames] - times[whole_frames][0]
    whole = evaluate(film, times, plan)
    parts = [attempt(film.without(sector), times, plan) for sector in range(rings.SECTORS)]
    halves = [attempt(film, times, half) for half in plan.halves(film)]
    additive = None if plan.far is None else attempt(film, times, replace(plan, additive=True))

    def number(name: str, positive: bool = True) -> Number:
        value = whole.numbers[name]
        spread = _jackknife([part.numbers[name] for part in parts if part is not None and name in part.numbers])
        inner_or_outer = float(np.var([half.numbers.get(name, value) for half in halves if half is not None] or [0.0]))
        # Any share of the loss may be stray light: an even distribution, from none to all.
        light = 0.0 if additive is None else (additive.numbers.get(name, value) - value) ** 2 / 3
        return _number(value, spread + inner_or_outer + light + whole.variances.get(name, 0.0), positive)

    mobile, half_time = number("mobile", positive=False), number("half_time")
    # Of an immobile share that cannot be told from none, nothing is made.
    told = mobile.ci95 is None or mobile.ci95[1] < 1
    model = expected(film, times, plan, whole, mobile.value if told else 1.0)
    estimates = tuple(
        classical.Estimate(method, number(method.name), model.get(method.name, np.nan) / whole.fitted.diffusivity - 1)
        for method in classical.METHODS
        if method.name in whole.numbers
    )
    kinds: dict[tuple[bool, bool], Normalisation] = {
        (True, True): "double",
        (False, True): "reference",
        (True, False): "before",
        (False, False): "surroundings",
    }
    return Analysis(
        found=found,
        origin=origin,
        spacing=spacing,
        radius=number("radius"),
        region=film.radius(plan.inner),
        reference=None if plan.far is None else float(film.distance[plan.far.start]),
        normalisation=kinds[corrected, plan.far is not None],
        mobile=mobile,
        half_time=half_time,
        times=times,
        whole=whole,
        estimates=estimates,
        warnings=(
            *_doubts_of_place(frames.shape[1:], spacing, found, plan),
            *_doubts_of_curve(mobile, half_time, float(times[-1])),
        ),
    )


def _step(video: xr.DataArray, axis: str) -> float:
    positions = video[axis].to_numpy().astype(np.float64)
    return float(abs(positions[-1] - positions[0]) / (len(positions) - 1))


def _check_count(frames: int) -> None:
    if frames < _FEWEST_FRAMES:
        raise UserError(
            f"the film shows the spot in {frames} frames after bleaching; a recovery curve needs at least "
            f"{_FEWEST_FRAMES}"
        )


def _locate(
    frames: NDArray[Any], spacing: tuple[float, float], corrected: bool, chosen: tuple[float, float, float] | None
) -> Spot:
    if chosen is not None:
        y, x, radius = chosen
        rows, columns = frames.shape[1:]
        if not (0 <= y < rows and 0 <= x < columns and radius > 0):
            raise UserError(
                f"the centre of --spot is not in the region of {rows} × {columns} pixels that was read, or its radius "
                "is not positive; give row, column and radius in pixels"
            )
        return Spot((y, x), float(radius * np.sqrt(spacing[0] * spacing[1])))
    first, last = (frames[index].astype(np.float64) for index in (0, -1))
    # What recovers is what was bleached; illumination that is not even stays the same and drops out.
    depth = 1 - first if corrected else last / np.nanmedian(last) - first / np.nanmedian(first)
    if spot.is_bright(depth):
        raise UserError(
            "the spot of the first frame is brighter than its surroundings, as after photoactivation, and this command "
            "is for bleached spots; give the film to safe-pit-cm fit, which finds D from either"
        )
    return spot.find(depth, spacing)


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


def _doubts_of_place(shape: tuple[int, ...], spacing: tuple[float, float], found: Spot, plan: Plan) -> list[str]:
    doubts = []
    if found.is_cut(shape, spacing):
        doubts.append("the spot reaches the edge of the frame, and the means are over the part in view")
    elif found.elongation > _ELONGATED:
        doubts.append(
            f"the spot is {found.elongation:.2f} times as long as wide, and the classical estimates assume a round one"
        )
    if plan.far is None:
        doubts.append(
            "the spot fills the frame, so that bleaching by the exposures is not corrected in the recovery curve"
        )
    elif plan.reached:
        doubts.append(
            "the spot spreads into the whole frame, so that the reference region, its outermost part, is corrected for "
            "what the fitted curve expects there"
        )
    if not plan.corrected:
        doubts.append(
            "without an image from before bleaching (--prebleach) uneven illumination enters the mobile fraction"
        )
    return doubts


def _doubts_of_curve(mobile: Number, half_time: Number, duration: float) -> list[str]:
    doubts = []
    if half_time.value > duration:
        doubts.append(
            "the film ends before half of the recovery, so that mobile fraction and half time are extrapolated"
        )
    if mobile.ci95 is not None and mobile.ci95[0] > 1:
        doubts.append(
            f"the mobile fraction, {mobile.value:.2f}, is above 1, which cannot be; check --prebleach and --dark"
        )
    return doubts
