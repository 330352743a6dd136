"""How far D depends on which part of a film is fitted, and how: the systematic error.

The film is split in time, in place and by the size of its bins, and fitted with other sets of nuisances. Where the
model holds, the estimate D_i of a part differs from D by a variance of |σ_i² − σ²| (Hausman 1978). What it differs by
beyond that is systematic,

    s² = Σ w_i max(0, (D_i − D)² − |σ_i² − σ²|)

for parts in time and place, each weighted by its share of the information, w_i = σ²/σ_i², and the mean over the other
treatments. The kinds add in quadrature.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.nuisances import Nuisance
from safe_pit_cm.inference.reduction import Tiles, bins, quadrants, reduce_film
from safe_pit_cm.inference.tile_fit import TileFit, fit_tiles
from safe_pit_cm.inference.tile_search import CLEAR, FIT_BINS, honest_interval, scan, tiles_at

_TURNS = 10
# As a share of the standard error of a part.
_TOLERANCE = 0.2
# Where a part does not tell D clearly, a scan so far to either side tells.
_SPAN = 6.0
# Nuisances whose absence raises the criterion by more than this, in units of σ², are needed.
_NEEDED = 10.8
# Frames of a half in time, at least.
_LEAST_FRAMES = 4


@dataclass(frozen=True)
class Part:
    """D of a part of a film, or by another treatment.

    Attributes
    ----------
    kind
        ``time``, ``place``, ``binning`` or ``nuisances``.
    name
        Which part.
    diffusivity, stderr
        D and its standard error.
    counted
        Whether it counts in the systematic error.
    """

    kind: str
    name: str
    diffusivity: float
    stderr: float
    counted: bool = True


@dataclass(frozen=True)
class _Task:
    """A part to fit; its tiles are made when they are needed."""

    kind: str
    name: str
    nuisances: frozenset[Nuisance]
    tiles: Callable[..., Tiles]


def _in_time(film: Film, boundary: Boundary, whole: Tiles, frames: slice) -> Tiles:
    return reduce_film(
        film,
        boundary,
        whole.discretisation,
        factor=whole.factor,
        pixels=FIT_BINS,
        most=len(whole.corners),
        frames=frames,
    )


def _copy(tiles: Tiles) -> Tiles:
    # A fit fills the gaps in place.
    return replace(tiles, frames=tiles.frames.copy())


def _attempt(tiles: Tiles, fit: TileFit, nuisances: frozenset[Nuisance], floor: float) -> tuple[TileFit, float] | None:
    """The fit of a part and its standard error; None where it does not tell D."""
    try:
        gains = fit.model.gains if len(tiles.times) == len(fit.tiles.times) else None
        found = fit_tiles(
            tiles, fit.diffusivity, nuisances, gains=gains, floor=floor, turns=_TURNS, tolerance=_TOLERANCE
        )
    except (UserError, np.linalg.LinAlgError):
        return None
    if not found.settled:
        return None
    if found.stderr < CLEAR * found.diffusivity:
        return found, found.stderr
    grid = found.diffusivity * np.geomspace(1 / _SPAN, _SPAN, 9)
    interval = honest_interval(found, scan(tiles, grid, nuisances, found.noise_power, probed=True))
    return None if interval is None else (found, max(found.stderr, (interval[1] - interval[0]) / 4))


def _halves_in_time(film: Film, fit: TileFit) -> list[tuple[str, slice]]:
    """Frames up to and after the time by which half of the information has come."""
    information = np.square(fit.response).sum((0, 2, 3))
    share = np.cumsum(information) / information.sum()
    group = int(np.searchsorted(share, 0.5))
    count = len(film.times)
    middle = int(np.clip(np.searchsorted(film.times, fit.tiles.times[min(group, len(share) - 1)]), 0, count))
    middle = int(np.clip(middle, _LEAST_FRAMES, count - _LEAST_FRAMES)) if count >= 2 * _LEAST_FRAMES else 0
    return [("early", slice(0, middle)), ("late", slice(middle, count))] if middle else []


def parts(film: Film, boundary: Boundary, fit: TileFit, floor: float) -> list[Part]:
    """Fit the parts of a film, as far as they tell D.

    Parameters
    ----------
    film, boundary
        The film, and its boundary.
    fit
        Of all of it.
    floor
        Smallest σ of a pixel that is accepted.
    """
    whole, model = fit.tiles, fit.model
    factor, discretisation = whole.factor, whole.discretisation
    nuisances = model.nuisances
    tasks = [
        _Task("time", name, nuisances, lambda frames=frames: _in_time(film, boundary, whole, frames))
        for name, frames in _halves_in_time(film, fit)
    ]
    tasks += [_Task("place", name, nuisances, lambda part=part: part) for name, part in quadrants(whole)]
    for other in sorted({factor // 2, 2 * factor} - {0}) if discretisation.scheme == "continuous" else ():
        if min(bins(film.shape, other)) >= 8 and _bins_in(whole) * (factor / other) ** 2 <= 2.5 * FIT_BINS:
            tasks.append(
                _Task(
                    "binning",
                    f"{other} × {other} pixels",
                    nuisances,
                    lambda other=other: tiles_at(film, boundary, discretisation, other),
                )
            )
    for left_out in (nuisances & {"gain", "bleaching"}, nuisances & {"background"}):
        if left_out:
            name = f"no {' and '.join(sorted(left_out))}"
            tasks.append(_Task("nuisances", name, nuisances - left_out, lambda: _copy(whole)))

    def run(task: _Task) -> Part | None:
        attempt = _attempt(task.tiles(), fit, task.nuisances, floor)
        if attempt is None:
            return None
        found, stderr = attempt
        counted = task.kind != "nuisances" or _as_good(fit, found)
        return Part(task.kind, task.name, found.diffusivity, stderr, counted)

    with ThreadPoolExecutor(2) as pool:
        return [part for part in pool.map(run, tasks) if part is not None]


def _bins_in(tiles: Tiles) -> float:
    return float(tiles.frames.shape[0] * tiles.tile[0] * tiles.tile[1])


def _as_good(fit: TileFit, other: TileFit) -> bool:
    """Whether a fit with fewer nuisances is about as good, by the criterion at the same σ²."""
    system = fit.model.at(fit.diffusivity)
    best = system.criterion(system.weighted(fit.tiles.frames))
    model = replace(other.model, noise_power=fit.noise_power)
    worse = model.at(other.diffusivity)
    return worse.criterion(worse.weighted(other.tiles.frames)) - best < _NEEDED * fit.noise_power


def systematic(found: list[Part], diffusivity: float, stderr: float) -> dict[str, float]:
    """Systematic standard deviation of D by each kind of split."""
    result = {}
    for kind in ("time", "place", "binning", "nuisances"):
        chosen = [part for part in found if part.kind == kind and part.counted]
        if not chosen:
            continue
        value = np.array([part.diffusivity for part in chosen])
        variance = np.square([part.stderr for part in chosen])
        beyond = np.maximum(np.square(value - diffusivity) - np.abs(variance - stderr**2), 0.0)
        if kind in ("time", "place"):
            weight = np.minimum(stderr**2 / variance, 1.0)
            weight /= max(float(weight.sum()), 1.0)
        else:
            weight = np.full(len(chosen), 1 / len(chosen))
        result[kind] = float(np.sqrt(weight @ beyond))
    return result
