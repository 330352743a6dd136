"""Fit of a film as a laboratory records it: search, fit, whether D is determined at all, splits, effects and check.

The estimator is the same for every boundary (:mod:`~.tiles`). A boundary that is known counts where the whole frame
fits into one tile; otherwise every tile is open.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from safe_pit_cm.equations.boundaries import Boundary, wavenumbers
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.axes import fold, unfold
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.drift import AtRest, Drift, at_rest
from safe_pit_cm.inference.effects import Effect, effects
from safe_pit_cm.inference.intervals import one_sided
from safe_pit_cm.inference.nuisances import Nuisance
from safe_pit_cm.inference.reduction import Tiles, binned
from safe_pit_cm.inference.report import Alternative, Courses, Outcome, shown_frames
from safe_pit_cm.inference.residuals import ResidualCheck, compare_bands
from safe_pit_cm.inference.splits import Part, parts, systematic
from safe_pit_cm.inference.tile_fit import TileFit, fit_tiles
from safe_pit_cm.inference.tile_search import CLEAR, Scan, honest_interval, limits, scan, starts
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.rounding import plus_minus

# Starts that are tried, the most promising first.
_STARTS = 3
_PROBES = 8
# Half of a 95 % interval, in standard errors.
_HALF_WIDTH = 1.96
_PROFILE_POINTS = 61


@dataclass(frozen=True)
class Limits:
    """What a film tells of D.

    Attributes
    ----------
    low, high
        One-sided 95 % bounds; None where the film gives none.
    interval
        The 95 % interval where the film excludes both a D too small and a D too large to be seen, else None.
    """

    low: float | None
    high: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Measured:
    """Fit of a measured film.

    Attributes
    ----------
    fit
        The fit; None where none was found.
    limits
        Whether D is determined, and its bounds.
    check
        Of the residuals.
    parts, systematic
        D of the parts of the film, and the systematic standard deviation of D by kind of split.
    effects
        What else the film may hold.
    misfit
        Structure in the residuals over the contrast.
    alternative
        What the film tells without a background and bleaching, where it does not determine D with them.
    moved
        The film moved back, if it was.
    """

    fit: TileFit | None
    scan: Scan
    limits: Limits
    check: ResidualCheck | None
    parts: list[Part]
    systematic: dict[str, float]
    effects: list[Effect]
    misfit: float
    alternative: Alternative | None = None
    moved: AtRest | None = None


def fit_measured(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    nuisances: frozenset[Nuisance],
    *,
    examine: bool = True,
    seed: int = 0,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> Measured:
    """Fit D to a film.

    Parameters
    ----------
    film
        The film; gaps hold a guess.
    boundary, discretisation, nuisances
        The model.
    examine
        Whether to look for the systematic error.
    seed
        Of the probes by which the degrees of freedom of the residuals are measured.
    progress
        Called with what is being done, and the share of it that is done.
    """
    # Many small matrices: threads of linear algebra would wait for each other most of the time.
    with threadpool_limits(1):
        progress("searching", 0.0)
        fit, profile, limits = _estimate(film, boundary, discretisation, nuisances, progress)
        beside: list[Effect] = []
        moved: AtRest | None = None
        if examine and fit is not None and limits.interval is not None:
            beside = effects(fit)
            moved = at_rest(film, fit, beside, boundary)
        if moved is not None:
            film, beside = moved.film, moved.effects
            fit, profile, limits = _judged(moved.fit, moved.fit.tiles, nuisances)
        if fit is None or limits.interval is None:
            simpler = nuisances - {"background", "bleaching"}
            alternative = None
            if "background" in nuisances:
                alternative = _alternative(_estimate(film, boundary, discretisation, simpler, progress), simpler)
            return Measured(fit, profile, limits, None, [], {}, [], float("nan"), alternative, moved)
        check, structure = _check(fit, film.floor / fit.tiles.factor, seed)
        misfit = float(np.sqrt(max(structure, 0.0) / fit.tiles.contrast))
        if not examine:
            return Measured(fit, profile, limits, check, [], {}, [], misfit)
        progress("splitting", 0.0)
        pieces = parts(film, boundary, fit, film.floor)
        progress("splitting", 1.0)
        beyond = systematic(pieces, fit.diffusivity, fit.stderr)
        return Measured(fit, profile, limits, check, pieces, beyond, beside, misfit, moved=moved)


def _estimate(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    nuisances: frozenset[Nuisance],
    progress: Callable[[str, float], None],
) -> tuple[TileFit | None, Scan, Limits]:
    """The best fit, the criterion over every D that the film may tell, and what it tells."""
    found = starts(film, boundary, discretisation, nuisances)
    progress("fitting", 0.0)
    fit: TileFit | None = None
    for start in found[:_STARTS]:
        floor = film.floor / start.tiles.factor
        try:
            fit = fit_tiles(start.tiles, start.diffusivity, nuisances, floor=floor)
        except (UserError, np.linalg.LinAlgError):
            continue
        if fit.settled:
            break
    progress("fitting", 0.5)
    return _judged(fit, found[0].tiles if fit is None else fit.tiles, nuisances)


def _judged(fit: TileFit | None, tiles: Tiles, nuisances: frozenset[Nuisance]) -> tuple[TileFit | None, Scan, Limits]:
    """A fit with the error that all D allow for, the criterion over them, and what it tells."""
    profile = _wide_scan(tiles, nuisances, fit)
    limits = _limits(profile, fit)
    if fit is not None and limits.interval is not None:
        # Where noise may have moved the minimum, its curvature does not tell the error.
        fit = replace(fit, stderr=max(fit.stderr, (limits.interval[1] - limits.interval[0]) / (2 * _HALF_WIDTH)))
    return fit, profile, limits


def _alternative(found: tuple[TileFit | None, Scan, Limits], nuisances: frozenset[Nuisance]) -> Alternative:
    fit, _, limits = found
    if fit is None or limits.interval is None:
        return Alternative(nuisances, None, None, limits.low, limits.high)
    return Alternative(nuisances, fit.diffusivity, fit.stderr, limits.low, limits.high)


def _wide_scan(tiles: Tiles, nuisances: frozenset[Nuisance], fit: TileFit | None) -> Scan:
    """The criterion over every D that the tiles may tell, at the bins and the noise of the fit."""
    low, high = limits(tiles)
    # A clear minimum has been searched for over every D already: both ends are excluded, or they are not.
    clear = fit is not None and fit.settled and fit.stderr < CLEAR * fit.diffusivity
    grid = np.geomspace(low, high, 2 if clear else 15)
    if fit is None:
        return scan(tiles, grid, nuisances, probed=True)
    near = fit.diffusivity * np.geomspace(0.25, 4, 9)
    grid = np.unique(np.concatenate([grid, near[(near > low) & (near < high)], [fit.diffusivity]]))
    return scan(tiles, grid, nuisances, fit.noise_power, probed=True)


def _limits(profile: Scan, fit: TileFit | None) -> Limits:
    inflation = 1.0 if fit is None else max((fit.stderr / fit.bound) ** 2, 1.0)
    low, high, closed = one_sided(profile.diffusivity, profile.height / inflation, profile.scatter / inflation)
    if not closed or fit is None or not fit.settled:
        return Limits(low, high, None)
    return Limits(low, high, honest_interval(fit, profile))


def _check(fit: TileFit, floor: float, seed: int) -> tuple[ResidualCheck, float]:
    """Residuals by band of cosine modes of the tiles, and the power of structure in them.

    The degrees of freedom of each mode are measured by smoothing white noise.
    """
    tiles, system = fit.tiles, fit.system
    frames = len(tiles.times)
    courses = TimeCourses.of(tiles.times)
    smooth = min(courses.smooth, frames - 1)
    weighted = courses.basis[:, :smooth] * np.sqrt(tiles.counts)[:, None]
    basis, _ = np.linalg.qr(weighted)
    spare = frames - smooth - (1 if "background" in fit.model.nuisances else 0)

    def power(values: Array) -> Array:
        inside = np.einsum("ts,ntyx->nsyx", basis, values, optimize=True)
        return np.asarray(np.square(scipy.fft.dctn(inside, axes=(-2, -1), norm="ortho")).sum((0, 1)).ravel())

    along = [wavenumbers(size, pixel, "no-flux") ** 2 for size, pixel in zip(tiles.tile, tiles.spacing, strict=True)]
    symbol = (along[0][:, None] + along[1][None, :]).ravel()
    random = np.random.default_rng(seed)
    count = -(-_PROBES // len(tiles.frames))
    degrees_of_freedom = np.zeros(len(symbol))
    for _ in range(count):
        rows = system.free(fold(random.standard_normal(tiles.frames.shape)))
        degrees_of_freedom += power(unfold(rows - system.fit(rows, penalised=False).fitted)) / count
    residual = fit.residual
    if tiles.gaps is not None:
        residual = np.where(tiles.gaps, 0.0, residual)
        degrees_of_freedom *= 1 - tiles.gaps.mean()
    observed = power(residual)
    samples = len(tiles.frames) * len(symbol)
    total, inside = float(np.square(residual).sum()), float(observed.sum())
    if spare >= 1:
        reference, freedom = (total - inside) / (samples * spare), samples * spare
    else:
        # Too few frames to recognise noise by its time course: the finest half of the modes is used.
        fine = symbol > np.median(symbol)
        freedom = max(int(degrees_of_freedom[fine].sum()), 1)
        reference = float(observed[fine].sum()) / freedom
    chosen = symbol > 0
    check = compare_bands(
        symbol[chosen],
        observed[chosen],
        degrees_of_freedom[chosen],
        reference,
        freedom,
        floor,
        count * len(tiles.frames),
    )
    structure = inside - check.noise_power * float(degrees_of_freedom.sum())
    return check, structure / (samples * frames)


def _predicted(fit: TileFit, film: Film, shown: NDArray[np.intp]) -> Array:
    """What the fit makes of frames of the film, ``(frame, y, x)`` in bins; NaN outside the tiles."""
    tiles = fit.tiles
    values = tiles.frames - fit.residual / np.sqrt(tiles.counts)[:, None, None]
    group = [int(np.argmin(np.abs(tiles.times - film.times[index]))) for index in shown]
    result = np.full((len(shown), *tiles.shape), np.nan)
    height, width = tiles.tile
    for tile, (row, column) in enumerate(tiles.corners):
        result[:, row : row + height, column : column + width] = values[tile, group] + tiles.level
    return result


def _courses(fit: TileFit) -> Courses:
    tiles = fit.tiles
    roots = np.sqrt(tiles.counts)[:, None, None]
    fitted = tiles.frames - fit.residual / roots
    return Courses(
        tiles.times,
        tiles.counts,
        tiles.frames.std((0, 2, 3)),
        fitted.std((0, 2, 3)),
        np.square(fit.residual).mean((0, 2, 3)) / fit.noise_power,
    )


def _worst(fit: TileFit) -> tuple[float, int, int]:
    """Time, row and column where the residuals are largest."""
    tiles = fit.tiles
    power = np.square(fit.residual)
    time = float(tiles.times[int(np.argmax(power.mean((0, 2, 3))))])
    place = power.mean(1)
    tile, row, column = np.unravel_index(int(np.argmax(scipy.ndimage.uniform_filter(place, (0, 3, 3)))), place.shape)
    y, x = (tiles.corners[tile][0] + row) * tiles.factor, (tiles.corners[tile][1] + column) * tiles.factor
    return time, int(y), int(x)


def _nuisances(fit: TileFit) -> dict[str, dict[str, Any]]:
    """Value of everything that was estimated along with D."""
    model, system = fit.model, fit.system
    frames = len(fit.tiles.times)
    found: dict[str, dict[str, Any]] = {}
    if "offset" in model.nuisances:
        offset = fit.smooth.nuisance[:frames]
        found["offset"] = {"standard deviation over frames": float(np.std(offset))}
    if model.gains is not None:
        covariance = system.nuisance_covariance[-frames:, -frames:]
        if "gain" in model.nuisances:
            found["gain"] = {"flicker": model.gains.flicker}
        if "bleaching" in model.nuisances:
            weight = model.gains.slope
            found["bleaching"] = {
                "loss of contrast over the film": float(1 - np.exp(-model.gains.decay)),
                "stderr": float(np.sqrt(max(float(weight @ covariance @ weight), 0.0))),
            }
    if "background" in model.nuisances:
        mobile = unfold(system.field(fit.smooth.unknown) / system.scale[:, None, None])[:, 0]
        still = fit.signal[:, 0] - mobile
        mobile, still = mobile - mobile.mean(), still - still.mean()
        ratio = float((mobile * still).sum() / max(np.square(mobile).sum(), 1e-300))
        found["background"] = {
            "standard deviation over the frame": float(still.std()),
            # What of the background looks like the first frame: immobile, or an illumination of the same shape.
            "immobile share of the contrast of the first frame": ratio / (1 + ratio) if ratio > 0 else 0.0,
        }
    return found


def _moved(drift: Drift) -> str:
    down, right = (plus_minus(*each) for each in zip(drift.pixels, drift.stderr, strict=True))
    return (
        f"The picture moves by {down} pixels along y and {right} along x over the film, as by a drift of the stage or "
        "a uniform flow; the frames were moved back."
    )


def outcome_of(found: Measured, film: Film, notes: tuple[str, ...]) -> Outcome:
    """What a fit of a measured film comes to."""
    shown = shown_frames(len(film.times))
    fit = found.fit
    tiles = found.scan.tiles
    if found.moved is not None:
        film = found.moved.film
        notes = (*notes, _moved(found.moved.drift))
    observed = binned(film.frames[shown], tiles.factor)
    if film.missing is not None:
        observed = np.where(binned(film.missing[shown], tiles.factor) > 0.5, np.nan, observed)
    predicted = np.full(observed.shape, np.nan) if fit is None else _predicted(fit, film, shown)
    pixels = tiles.frames[:, 0].size
    every = tiles.shape[0] * tiles.shape[1]
    if pixels < 0.9 * every:
        notes = (*notes, f"{len(tiles.corners)} tiles with most contrast were used, {pixels / every:.0%} of the frame.")
    profile: tuple[Array, Array]
    if found.limits.interval is not None and fit is not None:
        grid: Array = fit.diffusivity + np.linspace(-4, 4, _PROFILE_POINTS) * fit.stderr
        grid = grid[grid > 0]
        profile = grid, fit.profile(grid)
    else:
        profile = found.scan.diffusivity, -(found.scan.height - found.scan.height.min()) / 2
    shared: dict[str, Any] = {
        "check": found.check,
        "profile": profile,
        "frames": shown,
        "observed": observed,
        "predicted": predicted,
        "binning": tiles.factor,
        "notes": notes,
    }
    if fit is None or found.limits.interval is None:
        noise = None if fit is None else float(np.sqrt(fit.noise_power)) * tiles.factor
        limits = found.limits
        return Outcome(
            None, None, None, noise, None, low=limits.low, high=limits.high, alternative=found.alternative, **shared
        )
    return Outcome(
        fit.diffusivity,
        fit.stderr,
        found.limits.interval,
        float(np.sqrt(fit.noise_power)) * tiles.factor,
        fit.bound,
        misfit=found.misfit,
        systematic=found.systematic,
        parts=found.parts,
        effects=found.effects,
        nuisances=_nuisances(fit) | ({} if found.moved is None else {"drift": vars(found.moved.drift)}),
        worst=_worst(fit),
        courses=_courses(fit),
        **shared,
    )
