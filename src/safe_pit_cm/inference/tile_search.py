"""Where to look: a first D over all that a film can resolve, and the size of bin at which to fit it.

The criterion is scanned from coarse to fine. A coarse scan of the whole frame covers every D from a spread of a third
of a bin over the film to one of the whole frame between two frames. Where the lowest point lies at a spread of a few
bins, the bins are made smaller and the scan goes on around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.axes import fold
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.intervals import hull
from safe_pit_cm.inference.nuisances import Nuisance
from safe_pit_cm.inference.reduction import Tiles, bins, reduce_film, roughness
from safe_pit_cm.inference.tile_fit import TileFit, noise_of
from safe_pit_cm.inference.tiles import Model
from safe_pit_cm.numerics.arrays import Array

# Bins of a tile of the scan and of the fit.
_SCAN_BINS = 700
FIT_BINS = 1600
# Numbers, over all tiles and frames, that a fit uses at most.
_FIT_NUMBERS = 800_000
# Ratio of successive D of the scan, and of a scan of films that hardly tell D.
_RATIO, _WIDE_RATIO = 1.7, 2.5
# Spread √(2 D T), in bins, from which on smaller bins tell nothing that the scan needs, and the one that is aimed at.
_WIDE, _WANTED = 8.0, 14.0
# Least spread that is considered, in bins.
_LEAST_SPREAD = 0.1
# Draws of white noise by which the criterion's own noise is measured.
_PROBES = 8
# Above this relative standard error noise may have moved the minimum, and the bins are chosen by scans of all D.
_WEAK = 0.1
# Below this relative standard error noise has not moved the minimum.
CLEAR = 0.03
# A D whose standard error is a larger share of it is no value.
_USELESS = 0.5
# Structure finer than a bin, as a share of the contrast, that may be binned away where the spread is below a bin.
_ROUGH = 1e-3


@dataclass(frozen=True)
class Scan:
    """The criterion over a grid of D.

    Attributes
    ----------
    tiles, noise_power
        The data, and σ² of a bin.
    diffusivity, height
        Grid and criterion in units of σ², shape ``(point,)``.
    noise
        What probes of white noise add to the criterion of a tile, in units of σ², shape ``(point, probe)``.
    """

    tiles: Tiles
    noise_power: float
    diffusivity: Array
    height: Array
    noise: Array

    @property
    def lowest(self) -> int:
        """Index of the lowest point."""
        return int(np.argmin(self.height))

    @property
    def best(self) -> float:
        """D of the lowest point."""
        return float(self.diffusivity[self.lowest])

    @property
    def scatter(self) -> Array:
        """Standard deviation of what noise alone adds to ``height`` less its lowest value, shape ``(point,)``."""
        apart = self.noise - self.noise[self.lowest]
        return np.asarray(np.sqrt(len(self.tiles.frames) * np.square(apart).mean(1)))


def probes(tiles: Tiles) -> Array:
    """White noise of variance 1 in place of tiles, folded, shape ``(probe, time, y, x)``."""
    return fold(np.random.default_rng(0).standard_normal((_PROBES, *tiles.frames.shape[1:])))


def scan(
    tiles: Tiles,
    grid: Array,
    nuisances: frozenset[Nuisance],
    noise_power: float | None = None,
    *,
    probed: bool = False,
) -> Scan:
    """Evaluate the criterion at the D of a grid, without gains, for the film and, if ``probed``, for white noise."""
    variance = noise_of(tiles) if noise_power is None else noise_power
    simple = nuisances - {"gain", "bleaching"}
    height = np.empty(len(grid))
    white = probes(tiles) if probed else np.empty((0, *tiles.frames.shape[1:]))
    noise = np.empty((len(grid), len(white)))
    for index, each in enumerate(grid):
        model = Model.near(tiles, float(each), variance, simple)
        system = model.at(float(each))
        height[index] = system.criterion(system.weighted(tiles.frames)) / variance
        if probed:
            noise[index] = system.powers(system.free(white)) + system.field_trace
    return Scan(tiles, variance, grid, height, noise)


def spread(tiles: Tiles, diffusivity: float) -> float:
    """√(2 D T) in bins."""
    return float(np.sqrt(2 * diffusivity * tiles.times[-1]) / min(tiles.spacing))


def limits(tiles: Tiles) -> tuple[float, float]:
    """Least and largest D that tiles may tell."""
    low = (_LEAST_SPREAD * min(tiles.spacing)) ** 2 / 2 / tiles.times[-1]
    frame = max(size * pixel for size, pixel in zip(tiles.shape, tiles.spacing, strict=True))
    high = frame**2 / 2 / float(np.diff(tiles.times).min())
    largest = 0.9 * tiles.discretisation.largest_diffusivity(tiles.discretisation.largest_symbol(tiles.spacing))
    return low, min(high, largest)


def _grid(low: float, high: float, ratio: float = _RATIO) -> Array:
    count = int(np.ceil(np.log(max(high / low, 1.01)) / np.log(ratio)))
    return np.geomspace(low, max(high, 1.01 * low), max(4, count))


def search(
    film: Film, boundary: Boundary, discretisation: Discretisation, nuisances: frozenset[Nuisance]
) -> Iterator[Scan]:
    """Scan from coarse to fine; the last scan holds the lowest point in bins that resolve it."""
    factor = max(1, int(np.ceil(np.sqrt(film.shape[0] * film.shape[1] / _SCAN_BINS))))
    factor = min(factor, max(1, min(film.shape) // 6)) if discretisation.scheme == "continuous" else 1
    around: float | None = None
    while True:
        tiles = reduce_film(film, boundary, discretisation, factor=factor, pixels=_SCAN_BINS, most=3)
        low, high = limits(tiles)
        if around is not None:
            low, high = max(low, around / 20) if around > 4 * low else low, min(high, 6 * around)
        found = scan(tiles, _grid(low, high), nuisances)
        yield found
        wide = spread(tiles, found.best)
        if factor == 1 or wide >= _WIDE:
            return
        # At the lower end of the scan D may be far below.
        finer = factor * wide / _WANTED if found.lowest > 0 else factor / 6
        factor, around = max(1, min(int(finer), factor - 1)), found.best


def resolutions(film: Film, discretisation: Discretisation, diffusivity: float) -> list[int]:
    """Pixels along a side of a bin at which D may be fitted, from the finest that is worth its cost."""
    if discretisation.scheme != "continuous":
        return [1]
    wide = np.sqrt(2 * diffusivity * film.times[-1]) / min(film.spacing)
    whole = int(np.ceil(np.sqrt(film.shape[0] * film.shape[1] / FIT_BINS)))
    found = [max(1, min(round(wide / _WANTED), whole))]
    while True:
        factor = 2 * found[-1]
        if min(bins(film.shape, factor)) < 8 or factor > 2 * whole:
            return found
        if wide / factor < _WIDE and roughness(film, factor) > _ROUGH:
            return found
        found.append(factor)


def honest_interval(fit: TileFit, found: Scan) -> tuple[float, float] | None:
    """The 95 % interval of D: by its curvature; by a scan where noise may have moved the minimum.

    Parameters
    ----------
    fit
        The fit.
    found
        A probed scan about it.

    Returns
    -------
    tuple or None
        What neither the curvature nor the scan excludes; None where that is too wide to call it a value.
    """
    if fit.stderr < CLEAR * fit.diffusivity:
        return fit.interval
    inflation = max((fit.stderr / fit.bound) ** 2, 1.0)
    low, high = hull(found.diffusivity, found.height / inflation, found.scatter / inflation)
    interval = min(low, fit.interval[0]), max(high, fit.interval[1])
    return interval if interval[1] - interval[0] < 4 * _USELESS * fit.diffusivity else None


@dataclass(frozen=True)
class Start:
    """Where a fit starts: the tiles, D, and the relative standard error that is expected."""

    tiles: Tiles
    diffusivity: float
    error: float


def starts(
    film: Film, boundary: Boundary, discretisation: Discretisation, nuisances: frozenset[Nuisance]
) -> list[Start]:
    """A start for every size of bin that the scans suggest, the one with the least relative standard error first."""
    suggested: dict[int, list[float]] = {}
    for each in search(film, boundary, discretisation, nuisances):
        for factor in resolutions(film, discretisation, each.best):
            suggested.setdefault(factor, []).append(each.best)
    tiles = {factor: tiles_at(film, boundary, discretisation, factor) for factor in suggested}
    found = [_start(tiles[factor], np.array(grid), nuisances) for factor, grid in suggested.items()]
    if min(start.error for start in found) > _WEAK:
        found = [_wide_start(each, nuisances) for each in tiles.values()]
    return sorted(found, key=lambda start: start.error)


def _start(tiles: Tiles, grid: Array, nuisances: frozenset[Nuisance]) -> Start:
    """Start from the best of a few D; the error by the curvature of the criterion there."""
    best = scan(tiles, grid, nuisances).best if len(grid) > 1 else float(grid[0])
    return Start(tiles, best, _expected_error(tiles, best, nuisances))


def _wide_start(tiles: Tiles, nuisances: frozenset[Nuisance]) -> Start:
    """Start from a scan of every D that tiles may tell; the error by the interval that it leaves."""
    found = scan(tiles, _grid(*limits(tiles), _WIDE_RATIO), nuisances, probed=True)
    low, high = hull(found.diffusivity, found.height, found.scatter)
    return Start(tiles, found.best, float(np.log(high / low)) / 4)


def tiles_at(film: Film, boundary: Boundary, discretisation: Discretisation, factor: int) -> Tiles:
    """Tiles of a fit at a size of bin."""
    most = max(1, _FIT_NUMBERS // (FIT_BINS * min(len(film.times), 60)))
    return reduce_film(film, boundary, discretisation, factor=factor, pixels=FIT_BINS, most=most)


def _expected_error(tiles: Tiles, diffusivity: float, nuisances: frozenset[Nuisance]) -> float:
    """Relative standard error that a fit near D would have, by the curvature of the criterion without gains.

    What noise adds to the curvature is measured with probes, and so much is not counted.
    """
    variance, step = noise_of(tiles), 0.1
    model = Model.near(tiles, diffusivity, variance, nuisances - {"gain", "bleaching"})
    behind, here, ahead = (model.at(diffusivity * (1 + shift * step)) for shift in (-1, 0, 1))
    rows = here.weighted(tiles.frames)
    bend = behind.criterion(rows) + ahead.criterion(rows) - 2 * here.criterion(rows)
    white = here.free(probes(tiles))
    by_noise = behind.powers(white) + ahead.powers(white) - 2 * here.powers(white)
    by_noise += behind.field_trace + ahead.field_trace - 2 * here.field_trace
    bend -= 2 * variance * np.sqrt(len(tiles.frames) * np.square(by_noise).mean())
    if bend <= 0:
        return float("inf")
    fitted = here.fit(rows).fitted
    slope = np.square(ahead.fit(fitted).fitted - behind.fit(fitted).fitted).sum() / 4
    # Half the curvature is the information; the variance of the slope holds what noisy fields add to it.
    return float(step * np.sqrt(variance * slope) / (bend / 2))
