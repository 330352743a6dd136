"""Open boundary: a crop of a larger field, with no boundary condition known.

What is known is that the field diffuses beyond the frame as within it. So the unknown is the initial field on the frame
*and* on a margin as wide as anything can diffuse into view; the rim of the frame is then data like every other pixel,
noise included, and no noisy rim drives the model (which would bias D: errors in variables). The field of a tile is
``y = A a + ε`` (:mod:`~safe_pit_cm.inference.tiles`). Eliminating a by least squares, with a ridge ρ a hundredth of σ²
over the field's variance (a larger one biases D measurably), leaves

    C(D) = yᵀ (I − H) y + σ² tr H,   H = A (AᵀA + ρ)⁻¹ Aᵀ

The second term cancels what the noise adds to the first, so that the minimum is unbiased; its curvature is twice the
information, and ``4 σ² |∂H/∂D ŷ|²`` the variance of its slope, ŷ = H y (as in :mod:`safe_pit_cm.inference.likelihood`).

Large frames are cut into tiles, each with a margin of its own, whose criteria add up: pixels of different tiles have
independent noise, so the error bar remains valid, and one factorisation serves all tiles. What tiles reveal about each
other is not used. Forward Euler is split by axes, which differs by D² δ² λ_y λ_x per sub-step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.stats
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import wavenumbers
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.likelihood import CONFIDENCE
from safe_pit_cm.inference.residuals import ResidualCheck, compare_bands
from safe_pit_cm.inference.tiles import RIDGE, Model, System, criterion, cut, noise_power_of
from safe_pit_cm.inference.time_courses import TimeCourses
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import scan_then_brent

# Pixels along a side of a tile: its cost grows with the sixth power, its information with less than the second.
TILE = 32
_PILOT_TILE = 16
# Tiles times frames that are used at most; the tiles with most contrast are taken.
_LARGEST_WORK = 8000
_NODES = 7
# Passes that fill missing pixels at one D, and how often D is fitted anew after them.
_FILLS = 25
_ROUNDS = 6


@dataclass(frozen=True)
class OpenFit:
    """Fit with an open boundary; as :class:`~safe_pit_cm.inference.likelihood.Fit`.

    Attributes
    ----------
    diffusivity, stderr, noise, bound, interval
        D, its standard error, σ, the Cramér–Rao bound on the standard deviation, and the 95 % interval.
    profile
        D and the calibrated logarithm of the likelihood, relative to its maximum.
    check
        Of the residuals.
    predicted
        Fitted frames at the frames asked for; NaN outside the tiles.
    notes
        Remarks for the reader.
    """

    diffusivity: float
    stderr: float
    noise: float
    bound: float
    interval: tuple[float, float]
    profile: tuple[Array, Array]
    check: ResidualCheck
    predicted: Array
    notes: str


@dataclass(frozen=True)
class Crop:
    """An open crop, cut into tiles.

    Attributes
    ----------
    tiles
        Shape ``(tile, time, y, x)``, less ``offset`` and ``level``; gaps are filled in place.
    gaps
        True where a pixel of the tiles is not known, same shape; None when all are.
    corners, shape
        First row and column of each tile, and the shape of a frame.
    offset, level
        Mean of all tiles, and the mean over time of every pixel where a background is estimated.
    notes
        Remarks for the reader.
    """

    tiles: Array
    gaps: NDArray[np.bool_] | None
    corners: list[tuple[int, int]]
    shape: tuple[int, int]
    offset: float
    level: Array | None
    notes: str

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile."""
        return self.tiles.shape[2], self.tiles.shape[3]

    def on_frames(self, fitted: Array, shown: NDArray[np.intp]) -> Array:
        """Frames ``(frame, y, x)`` of fitted tiles; NaN outside the tiles."""
        predicted = np.full((len(shown), *self.shape), np.nan)
        rows, columns = self.tile
        for index, ((row, column), each) in enumerate(zip(self.corners, fitted, strict=True)):
            patch = each[shown] + self.offset + (0.0 if self.level is None else self.level[index])
            predicted[:, row : row + rows, column : column + columns] = patch
        return predicted


@dataclass(frozen=True)
class Setting:
    """All of the model but D: scales, discretisation, background, σ² as first measured, and the ridge."""

    times: Array
    spacing: tuple[float, float]
    discretisation: Discretisation
    background: bool
    noise_power: float
    ridge: float

    def near(self, shape: tuple[int, int], diffusivity: float) -> Model:
        """Model of tiles of a shape for D within some ten per cent of ``diffusivity``."""
        return Model.near(
            shape, self.spacing, self.times, self.discretisation, diffusivity, self.ridge, self.background
        )

    @property
    def largest(self) -> float:
        """Largest D for which every mode decays without changing sign."""
        return self.discretisation.largest_diffusivity(self.discretisation.largest_symbol(self.spacing))


def _cut_crop(frames: NDArray[Any], missing: NDArray[np.bool_] | None, background: bool) -> Crop:
    shape = (frames.shape[1], frames.shape[2])
    corners, tile = cut(shape, TILE)
    most = max(1, _LARGEST_WORK // len(frames))
    notes = ""
    if len(corners) > most:
        contrast = [
            float(frames[0, row : row + tile[0], column : column + tile[1]].var(dtype=np.float64))
            for row, column in corners
        ]
        order = sorted(np.argsort(contrast)[::-1][:most])
        notes = f"{most} of {len(corners)} tiles of {tile[0]} × {tile[1]} pixels were used, those with most contrast."
        corners = [corners[index] for index in order]
    tiles = np.stack(
        [frames[:, row : row + tile[0], column : column + tile[1]].astype(np.float64) for row, column in corners]
    )
    offset = tiles.mean()
    tiles -= offset
    level = tiles.mean(1, keepdims=True) if background else None
    if level is not None:
        tiles -= level
    gaps = None
    if missing is not None:
        gaps = np.stack([missing[:, row : row + tile[0], column : column + tile[1]] for row, column in corners])
    return Crop(tiles, gaps, corners, shape, offset, level, notes)


def _noise_and_ridge(tiles: Array, courses: TimeCourses, floor: float) -> tuple[float, float]:
    """σ² before any fit, and the ridge."""
    noise_power = noise_power_of(tiles, courses)
    variance = float(np.square(tiles[:, 0]).mean())
    noise_power = max(1e-4 * variance if noise_power is None else noise_power, floor**2, 1e-14 * variance)
    return noise_power, RIDGE * noise_power / max(variance, noise_power)


def _pilot(tiles: Array, setting: Setting) -> tuple[float, float]:
    """D and its standard error from the middle of the tile with most contrast."""
    contrast = tiles[:, 0].var((1, 2))
    chosen = tiles[int(np.argmax(contrast))]
    rows, columns = (min(_PILOT_TILE, size) for size in chosen.shape[1:])
    top, left = (chosen.shape[1] - rows) // 2, (chosen.shape[2] - columns) // 2
    piece = chosen[None, :, top : top + rows, left : left + columns]
    shape = (rows, columns)

    def value(diffusivity: float, model: Model | None = None) -> float:
        model = model or setting.near(shape, diffusivity)
        return criterion(model.at(diffusivity), piece, setting.noise_power)

    smallest = min(setting.spacing)
    # From a quarter of a pixel in the whole video to a frame's width in one interval.
    low = 0.03 * smallest**2 / setting.times[-1]
    high = 0.1 * (min(shape) * smallest) ** 2 / np.diff(setting.times).min()
    high = min(high, 10 * (min(shape) * smallest) ** 2 / setting.times[-1])
    if setting.discretisation.substep is not None:
        high = min(high, 0.9 * setting.largest)
    grid = np.geomspace(low, high, 15)
    found = scan_then_brent(value, grid, logarithmic=True, tolerance=1e-3).position
    model = setting.near(shape, found)
    step = 0.02 * found
    curvature = (value(found - step, model) - 2 * value(found, model) + value(found + step, model)) / step**2
    stderr = np.sqrt(2 * setting.noise_power / curvature) if curvature > 0 else 0.3 * found
    return float(found), float(stderr)


@dataclass(frozen=True)
class Minimum:
    """Minimum of C(D), and the polynomial through its values at Chebyshev nodes about it."""

    best: float
    information: float
    centre: float
    half: float
    curve: Any
    model: Model


def _minimise(
    model_near: Callable[[float], Model],
    tiles: Array,
    noise_power: float,
    start: float,
    spread: float,
    largest: float,
) -> Minimum:
    """Minimise C(D) by a polynomial through a few of its values, moved until the minimum is well inside."""
    for _ in range(8):
        half = float(np.clip(4 * spread, 0.004 * start, 0.3 * start))
        centre = min(start, largest - half)
        model = model_near(centre)
        nodes = centre + half * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        values = np.array([criterion(model.at(node), tiles, noise_power) for node in nodes])
        curve = np.polynomial.Chebyshev.fit(nodes, values, _NODES - 1, domain=[centre - half, centre + half])
        dense = np.linspace(centre - half, centre + half, 2001)
        best = float(dense[np.argmin(curve(dense))])
        slope, bend = curve.deriv(), curve.deriv(2)
        if abs(best - centre) < 0.9 * half and bend(best) > 0:
            for _ in range(5):
                best = float(np.clip(best - slope(best) / bend(best), centre - half, centre + half))
            break
        start, spread = best, max(spread, half / 4)
    if not bend(best) > 0:
        raise UserError(
            "no diffusion coefficient fits the open crop better than its neighbours; use more frames, a larger "
            "region, or a boundary that is known"
        )
    return Minimum(best, float(bend(best)) / 2, centre, half, curve, model)


def _fill(system: System, tiles: Array, gaps: NDArray[np.bool_]) -> None:
    """Fill the gaps of the tiles by what the model makes of the rest, until they move no more."""
    for _ in range(_FILLS):
        tiles[gaps] = system.smooth(tiles)[gaps]


def _fit_and_fill(crop: Crop, setting: Setting, start: float, spread: float) -> Minimum:
    """Minimum of C(D); where pixels are missing, in turns with filling them by the model, until D settles."""
    largest = 0.999 * setting.largest
    for _ in range(_ROUNDS if crop.gaps is not None else 1):
        if crop.gaps is not None:
            _fill(setting.near(crop.tile, min(start, largest)).at(start), crop.tiles, crop.gaps)
        before = start
        minimum = _minimise(
            lambda centre: setting.near(crop.tile, centre), crop.tiles, setting.noise_power, start, spread, largest
        )
        start = minimum.best
        if abs(start - before) < 0.02 * np.sqrt(setting.noise_power / minimum.information):
            break
        spread = max(spread / 4, abs(start - before))
    return minimum


@dataclass(frozen=True)
class Errors:
    """How far D can be trusted.

    Attributes
    ----------
    noise_power
        σ² by the residuals.
    degrees_of_freedom
        Of the residuals.
    information, inflation
        Half the curvature of C(D), and the variance of its slope relative to it, over σ².
    stderr, bound
        Standard error of D, and the Cramér–Rao bound on it.
    """

    noise_power: float
    degrees_of_freedom: float
    information: float
    inflation: float
    stderr: float
    bound: float


def _errors(crop: Crop, setting: Setting, minimum: Minimum, system: System, fitted: Array, floor: float) -> Errors:
    tiles, gaps, best, model = crop.tiles, crop.gaps, minimum.best, minimum.model
    unknowns = len(tiles) * system.degrees_of_freedom
    samples = tiles.size - (tiles[:, 0].size if setting.background else 0) - (0 if gaps is None else int(gaps.sum()))
    pooled = float(np.square(tiles - fitted).sum()) / max(samples - unknowns, 1.0)
    pooled = max(pooled, floor**2)
    information = minimum.information
    step = min(0.25 * minimum.half, 0.01 * best)
    # ∂H/∂D ŷ
    response = (model.at(best + step).smooth(fitted) - model.at(best - step).smooth(fitted)) / (2 * step)
    variance_of_slope = float(np.square(response).sum())
    inflation = variance_of_slope / information
    if gaps is not None:
        # Filled pixels look as if they had been seen: take their share of the information back.
        seen = 1 - float(np.square(response[gaps]).sum()) / variance_of_slope
        information, variance_of_slope = information * seen, variance_of_slope * seen
    stderr = float(np.sqrt(pooled * variance_of_slope) / information)
    bound = float(np.sqrt(pooled / information))
    return Errors(pooled, max(samples - unknowns, 1.0), information, inflation, stderr, bound)


def _profile(minimum: Minimum, errors: Errors) -> tuple[Array, Array, tuple[float, float]]:
    """D, the calibrated logarithm of the likelihood, and the 95 % interval."""
    best, half, centre, curve = minimum.best, minimum.half, minimum.centre, minimum.curve
    stderr, pooled = errors.stderr, errors.noise_power
    drop = scipy.stats.f.ppf(CONFIDENCE, 1, errors.degrees_of_freedom) / 2
    grid = np.linspace(max(best - 4 * stderr, 0.0), best + 4 * stderr, 61)
    within = np.clip(grid, centre - half, centre + half)
    lowest = float(curve(best))
    beyond = minimum.information * ((grid - best) ** 2 - (within - best) ** 2)
    profile = (
        -(curve(within) - lowest + beyond)
        / (2 * pooled * errors.inflation)
        * (errors.information / minimum.information)
    )
    low, high = (
        float(np.interp(0, *_rising(grid[side], profile[side] + drop))) for side in (grid <= best, grid >= best)
    )
    return grid, profile, (low, high)


def _rising(grid: Array, values: Array) -> tuple[Array, Array]:
    order = np.argsort(values)
    return values[order], grid[order]


def _check(
    system: System,
    tiles: Array,
    residual: Array,
    courses: TimeCourses,
    setting: Setting,
    floor: float,
    seed: int,
) -> ResidualCheck:
    """Residuals by band of cosine modes of the tiles; degrees of freedom by smoothing white noise."""
    frames = tiles.shape[1]
    smooth = min(courses.smooth, frames - 1)
    basis = courses.basis[:, :smooth]

    def power(values: Array) -> Array:
        inside = np.einsum("ts,ntyx->nsyx", basis, values, optimize=True)
        return np.asarray(np.square(scipy.fft.dctn(inside, axes=(-2, -1), norm="ortho")).sum((0, 1)).ravel())

    shape = (tiles.shape[2], tiles.shape[3])
    along = [wavenumbers(size, pixel, "no-flux") ** 2 for size, pixel in zip(shape, setting.spacing, strict=True)]
    symbol = (along[0][:, None] + along[1][None, :]).ravel()
    random = np.random.default_rng(seed)
    probes = random.standard_normal((8, *tiles.shape[1:]))
    if setting.background:
        probes -= probes.mean(1, keepdims=True)
    degrees_of_freedom = power(probes - system.smooth(probes)) * (len(tiles) / len(probes))
    observed = power(residual)
    outside = float(np.square(residual).sum()) - float(observed.sum())
    spare = tiles[:, 0].size * (frames - smooth)
    reference = outside / spare
    chosen = symbol > 0
    return compare_bands(
        symbol[chosen], observed[chosen], degrees_of_freedom[chosen], reference, spare, floor, len(probes)
    )


def fit_open(
    frames: NDArray[Any],
    times: Array,
    spacing: tuple[float, float],
    discretisation: Discretisation,
    shown: NDArray[np.intp],
    *,
    floor: float = 0.0,
    missing: NDArray[np.bool_] | None = None,
    background: bool = False,
    seed: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> OpenFit:
    """Fit D to a crop of a larger field.

    Parameters
    ----------
    frames
        Shape ``(time, y, x)``, finite.
    times, spacing, discretisation
        The model.
    shown
        Indices of the frames to predict.
    floor
        Smallest σ that is accepted.
    missing
        True where a pixel is not known and ``frames`` holds a guess, same shape.
    background
        Whether a constant background of every pixel is estimated.
    seed
        Of the probes by which the degrees of freedom of the residuals are measured.
    progress
        Called with the share done.
    """
    crop, courses = _cut_crop(frames, missing, background), TimeCourses.of(times)
    setting = Setting(times, spacing, discretisation, background, *_noise_and_ridge(crop.tiles, courses, floor))
    progress(0.05)
    pilot = _pilot(crop.tiles, setting)
    progress(0.3)
    minimum = _fit_and_fill(crop, setting, *pilot)
    progress(0.7)
    system = minimum.model.at(minimum.best)
    fitted = system.smooth(crop.tiles)
    errors = _errors(crop, setting, minimum, system, fitted, floor)
    grid, profile, interval = _profile(minimum, errors)
    check = _check(system, crop.tiles, crop.tiles - fitted, courses, setting, floor, seed)
    predicted, noise = crop.on_frames(fitted, shown), float(np.sqrt(errors.noise_power))
    progress(1.0)
    return OpenFit(
        minimum.best, errors.stderr, noise, errors.bound, interval, (grid, profile), check, predicted, crop.notes
    )
