"""Open boundary: a crop of a larger field, with no boundary condition known.

What is known is that the field diffuses beyond the frame as within it. So the unknown is the initial field on the frame
*and* on a margin as wide as anything can diffuse into view; the rim of the frame is then data like every other pixel,
noise included, and no noisy rim drives the model (which would bias D: errors in variables). With the frame cut out of
the padded field by C, and modes that decay along each axis by exp(−D λ t),

    y(t) = A_t a + ε,   A_t = A_t^y ⊗ A_t^x,   A_t^x = C Q exp(−D λ t) Qᵀ V

where V keeps, along each axis, the fields that can be seen at all. Eliminating a by least squares, with a ridge
ρ a hundredth of σ² over the field's variance (a larger one biases D measurably), leaves

    C(D) = yᵀ (I − H) y + σ² tr H,   H = A (AᵀA + ρ)⁻¹ Aᵀ

The second term cancels what the noise adds to the first, so that the minimum is unbiased; its curvature is twice the
information, and ``4 σ² |∂H/∂D ŷ|²`` the variance of its slope, ŷ = H y (as in :mod:`safe_pit_cm.inference.likelihood`).

Large frames are cut into tiles, each with a margin of its own, whose criteria add up: pixels of different tiles have
independent noise, so the error bar stays honest, and one factorisation serves all tiles. What tiles know of each other
is not used. Forward Euler is split by axes, which differs by D² δ² λ_y λ_x a sub-step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.stats
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import wavenumbers
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.likelihood import CONFIDENCE, Array, TimeCourses
from safe_pit_cm.inference.residuals import ResidualCheck, compare_bands
from safe_pit_cm.numerics.search import scan_then_brent

# Pixels along a side of a tile: its cost grows with the sixth power, its information with less than the second.
TILE = 32
_PILOT_TILE = 16
# A margin this many diffusion lengths √(2 D T) wide; what lies beyond moves no pixel by a thousandth of its contrast.
_MARGIN = 3.3
# Fields whose visible part is less than this share of the most visible, or than this share of the noise, are left out
# along each axis.
_VISIBLE = 2e-3
_AUDIBLE = 0.3
# Ridge over the ratio of noise to field variance.
_RIDGE = 0.01
# Tiles times frames that are used at most; the tiles with most contrast are taken.
_LARGEST_WORK = 8000
_NODES = 7
# Passes that fill missing pixels at one D, and how often D is fitted anew after them.
_FILLS = 25
_ROUNDS = 6


def _axis(
    size: int,
    spacing: float,
    times: Array,
    diffusivity: float,
    discretisation: Discretisation,
    margin: int,
    ridge: float,
) -> Array:
    """Visible initial fields V along an axis, ``(padded, visible)``, for D near ``diffusivity``."""
    courses = _seen(size, spacing, times, diffusivity, discretisation, margin)
    gram = np.einsum("tip,tiq->pq", courses, courses)
    power, fields = np.linalg.eigh(gram)
    chosen = power > min(_VISIBLE, _AUDIBLE * np.sqrt(ridge)) ** 2 * power[-1]
    return np.asarray(fields[:, chosen])


def _seen(
    size: int, spacing: float, times: Array, diffusivity: float, discretisation: Discretisation, margin: int
) -> Array:
    """What the frame sees of each initial pixel of the padded axis, shape ``(time, size, padded)``."""
    padded = size + 2 * margin
    symbol = discretisation.symbol(wavenumbers(padded, spacing, "insulated"), spacing)
    modes = scipy.fft.idct(np.eye(padded), axis=0, norm="ortho")
    decay = np.exp(-np.outer(times, discretisation.rate(diffusivity, symbol)))
    return np.asarray((modes[margin : margin + size] * decay[:, None, :]) @ modes.T)


@dataclass
class System:
    """Model of a tile at one D: forward, adjoint, and the solution of the normal equations.

    Attributes
    ----------
    along_y, along_x
        A_t of each axis, shape ``(time, pixel, visible)``.
    ridge
        ρ.
    background
        Whether a constant background of every pixel is eliminated as well.
    """

    along_y: Array
    along_x: Array
    ridge: float
    background: bool
    factor: Any = field(init=False)
    freedom: float = field(init=False)
    mean: Array | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        frames, _, rows = self.along_y.shape
        columns = self.along_x.shape[2]
        gram_y = (self.along_y.transpose(0, 2, 1) @ self.along_y).reshape(frames, -1)
        gram_x = (self.along_x.transpose(0, 2, 1) @ self.along_x).reshape(frames, -1)
        blocks = (gram_y.T @ gram_x).reshape(rows, rows, columns, columns).transpose(0, 2, 1, 3)
        normal: Array = np.ascontiguousarray(blocks).reshape(rows * columns, rows * columns)
        if self.background:
            product = self.along_y.reshape(frames, -1).T @ self.along_x.reshape(frames, -1) / frames
            size_y, size_x = self.along_y.shape[1], self.along_x.shape[1]
            mean = product.reshape(size_y, rows, size_x, columns).transpose(0, 2, 1, 3)
            self.mean = np.ascontiguousarray(mean).reshape(size_y * size_x, rows * columns)
            normal -= frames * (self.mean.T @ self.mean)
        normal.flat[:: len(normal) + 1] += self.ridge
        self.factor = scipy.linalg.cholesky(normal, lower=True, overwrite_a=True, check_finite=False)
        # tr H = unknowns − ρ tr (AᵀA + ρ)⁻¹, and the trace of the inverse is the power of the inverse factor.
        inverse, _ = scipy.linalg.lapack.dtrtri(self.factor, lower=1)
        self.freedom = len(normal) - self.ridge * float(np.square(np.tril(inverse)).sum())

    def adjoint(self, frames: Array) -> Array:
        """Aᵀ y of tiles ``(tile, time, y, x)``, shape ``(unknown, tile)``."""
        tiles = [np.tensordot(self.along_y, each @ self.along_x, axes=([0, 1], [0, 1])) for each in frames]
        result = np.stack([each.ravel() for each in tiles], axis=1)
        if self.mean is not None:
            result -= self.mean.T @ frames.sum(1).reshape(len(frames), -1).T
        return result

    def solve(self, right: Array) -> Array:
        """(AᵀA + ρ)⁻¹ b."""
        return np.asarray(scipy.linalg.cho_solve((self.factor, True), right, check_finite=False))

    def forward(self, unknown: Array) -> Array:
        """A a, tiles ``(tile, time, y, x)``."""
        rows, columns = self.along_y.shape[2], self.along_x.shape[2]
        tiles = [self.along_y @ each.reshape(rows, columns) @ self.along_x.transpose(0, 2, 1) for each in unknown.T]
        result = np.stack(tiles)
        return result - result.mean(1, keepdims=True) if self.mean is not None else result

    def smooth(self, frames: Array) -> Array:
        """H y."""
        return self.forward(self.solve(self.adjoint(frames)))


@dataclass(frozen=True)
class Model:
    """What does not depend on D: the visible fields of each axis near a pilot D, and the ridge."""

    shape: tuple[int, int]
    spacing: tuple[float, float]
    times: Array
    discretisation: Discretisation
    margins: tuple[int, int]
    visible: tuple[Array, Array]
    ridge: float
    background: bool

    @classmethod
    def near(
        cls,
        shape: tuple[int, int],
        spacing: tuple[float, float],
        times: Array,
        discretisation: Discretisation,
        diffusivity: float,
        ridge: float,
        background: bool = False,
    ) -> "Model":
        """Model for D within some ten per cent of ``diffusivity``."""
        length = np.sqrt(2 * diffusivity * times[-1])
        margins = tuple(
            int(np.clip(np.ceil(_MARGIN * length / pixel), 2, 3 * size))
            for size, pixel in zip(shape, spacing, strict=True)
        )
        visible = tuple(
            _axis(size, pixel, times, diffusivity, discretisation, margin, ridge)
            for size, pixel, margin in zip(shape, spacing, margins, strict=True)
        )
        return cls(
            shape,
            spacing,
            times,
            discretisation,
            (margins[0], margins[1]),
            (visible[0], visible[1]),
            ridge,
            background,
        )

    def at(self, diffusivity: float) -> System:
        """The system at D."""
        along_y, along_x = (
            _seen(size, pixel, self.times, diffusivity, self.discretisation, margin) @ fields
            for size, pixel, margin, fields in zip(self.shape, self.spacing, self.margins, self.visible, strict=True)
        )
        return System(along_y, along_x, self.ridge, self.background)


def criterion(system: System, tiles: Array, noise_power: float) -> float:
    """C(D), summed over tiles ``(tile, time, y, x)``."""
    right = system.adjoint(tiles)
    explained = float((right * system.solve(right)).sum())
    return float(np.square(tiles).sum()) - explained + noise_power * len(tiles) * system.freedom


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
        What a reader should know.
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


def noise_power_of(tiles: Array, courses: TimeCourses) -> float | None:
    """σ² by what no sum of decaying exponentials can follow; None where the frames are too few."""
    smooth = courses.smooth
    frames = tiles.shape[1]
    if frames - smooth < 2:
        return None
    basis = courses.basis[:, :smooth]
    series = tiles.swapaxes(0, 1).reshape(frames, -1)
    inside = float(np.square(basis.T @ series).sum())
    return (float(np.square(series).sum()) - inside) / (series.shape[1] * (frames - smooth))


def cut(shape: tuple[int, int], side: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Corners of equal tiles of at most ``side`` pixels a side, and their shape; the last rows may be left over."""
    counts = [-(-size // side) for size in shape]
    tile = (shape[0] // counts[0], shape[1] // counts[1])
    corners = [(row * tile[0], column * tile[1]) for row in range(counts[0]) for column in range(counts[1])]
    return corners, tile


def _pilot(
    tiles: Array,
    spacing: tuple[float, float],
    times: Array,
    discretisation: Discretisation,
    noise_power: float,
    ridge: float,
    background: bool,
) -> tuple[float, float]:
    """D and its standard error from the middle of the tile with most contrast."""
    contrast = tiles[:, 0].var((1, 2))
    chosen = tiles[int(np.argmax(contrast))]
    rows, columns = (min(_PILOT_TILE, size) for size in chosen.shape[1:])
    top, left = (chosen.shape[1] - rows) // 2, (chosen.shape[2] - columns) // 2
    piece = chosen[None, :, top : top + rows, left : left + columns]
    shape = (rows, columns)

    def value(diffusivity: float, model: Model | None = None) -> float:
        model = model or Model.near(shape, spacing, times, discretisation, diffusivity, ridge, background)
        return criterion(model.at(diffusivity), piece, noise_power)

    smallest = min(spacing)
    # From a quarter of a pixel in the whole video to a frame's width in one interval.
    low = 0.03 * smallest**2 / times[-1]
    high = 0.1 * (min(shape) * smallest) ** 2 / np.diff(times).min()
    high = min(high, 10 * (min(shape) * smallest) ** 2 / times[-1])
    if discretisation.substep is not None:
        high = min(high, 0.9 * discretisation.largest_diffusivity(4 / spacing[0] ** 2 + 4 / spacing[1] ** 2))
    grid = np.geomspace(low, high, 15)
    found = scan_then_brent(value, grid, logarithmic=True, tolerance=1e-3).position
    model = Model.near(shape, spacing, times, discretisation, found, ridge, background)
    step = 0.02 * found
    curvature = (value(found - step, model) - 2 * value(found, model) + value(found + step, model)) / step**2
    stderr = np.sqrt(2 * noise_power / curvature) if curvature > 0 else 0.3 * found
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
    start: float | None = None,
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
        Smallest σ to believe in.
    missing
        True where a pixel is not known and ``frames`` holds a guess, same shape.
    background
        Whether a constant background of every pixel is estimated.
    start
        D near the maximum, instead of a search.
    seed
        Of the probes by which the freedom of the residuals is measured.
    progress
        Called with the share done.
    """
    shape = (frames.shape[1], frames.shape[2])
    corners, tile = cut(shape, TILE)
    most = max(1, _LARGEST_WORK // len(times))
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
    if background:
        level = tiles.mean(1, keepdims=True)
        tiles -= level
    courses = TimeCourses.of(times)
    noise_power = noise_power_of(tiles, courses)
    variance = float(np.square(tiles[:, 0]).mean())
    noise_power = max(1e-4 * variance if noise_power is None else noise_power, floor**2, 1e-14 * variance)
    ridge = _RIDGE * noise_power / max(variance, noise_power)
    progress(0.05)
    if start is None:
        start, spread = _pilot(tiles, spacing, times, discretisation, noise_power, ridge, background)
    else:
        spread = 0.03 * start
    progress(0.3)
    largest = 0.999 * discretisation.largest_diffusivity(4 / spacing[0] ** 2 + 4 / spacing[1] ** 2)
    gaps = None
    if missing is not None:
        gaps = np.stack([missing[:, row : row + tile[0], column : column + tile[1]] for row, column in corners])
    for _ in range(_ROUNDS if gaps is not None else 1):
        if gaps is not None:
            _fill(
                Model.near(tile, spacing, times, discretisation, min(start, largest), ridge, background).at(start),
                tiles,
                gaps,
            )
        before = start
        minimum = _minimise(
            lambda centre: Model.near(tile, spacing, times, discretisation, centre, ridge, background),
            tiles,
            noise_power,
            start,
            spread,
            largest,
        )
        start = minimum.best
        if abs(start - before) < 0.02 * np.sqrt(noise_power / minimum.information):
            break
        spread = max(spread / 4, abs(start - before))
    best, half, centre, curve, model = minimum.best, minimum.half, minimum.centre, minimum.curve, minimum.model
    progress(0.7)
    system = model.at(best)
    fitted = system.smooth(tiles)
    residual = tiles - fitted
    unknowns = len(tiles) * system.freedom
    samples = tiles.size - (tiles[:, 0].size if background else 0) - (0 if gaps is None else int(gaps.sum()))
    pooled = float(np.square(residual).sum()) / max(samples - unknowns, 1.0)
    pooled = max(pooled, floor**2)
    information = minimum.information
    step = min(0.25 * half, 0.01 * best)
    turned = (model.at(best + step).smooth(fitted) - model.at(best - step).smooth(fitted)) / (2 * step)
    variance_of_slope = float(np.square(turned).sum())
    inflation = variance_of_slope / information
    if gaps is not None:
        # Filled pixels look as if they had been seen: take their share of the information back.
        seen = 1 - float(np.square(turned[gaps]).sum()) / variance_of_slope
        information, variance_of_slope = information * seen, variance_of_slope * seen
    stderr = float(np.sqrt(pooled * variance_of_slope) / information)
    bound = float(np.sqrt(pooled / information))
    drop = scipy.stats.f.ppf(CONFIDENCE, 1, max(samples - unknowns, 1.0)) / 2
    profile_grid = np.linspace(max(best - 4 * stderr, 0.0), best + 4 * stderr, 61)
    within = np.clip(profile_grid, centre - half, centre + half)
    lowest = float(curve(best))
    beyond = minimum.information * ((profile_grid - best) ** 2 - (within - best) ** 2)
    profile = -(curve(within) - lowest + beyond) / (2 * pooled * inflation) * (information / minimum.information)
    interval = tuple(
        float(np.interp(0, *_rising(profile_grid[side], profile[side] + drop)))
        for side in (profile_grid <= best, profile_grid >= best)
    )
    check = _check(system, tiles, residual, courses, spacing, floor, background, seed)
    predicted = np.full((len(shown), *shape), np.nan)
    for (row, column), each, raw in zip(corners, fitted, range(len(tiles)), strict=True):
        patch = each[shown] + offset + (level[raw] if background else 0.0)
        predicted[:, row : row + tile[0], column : column + tile[1]] = patch
    progress(1.0)
    return OpenFit(
        best,
        stderr,
        float(np.sqrt(pooled)),
        bound,
        (interval[0], interval[1]),
        (profile_grid, profile),
        check,
        predicted,
        notes,
    )


def _rising(grid: Array, values: Array) -> tuple[Array, Array]:
    order = np.argsort(values)
    return values[order], grid[order]


def _check(
    system: System,
    tiles: Array,
    residual: Array,
    courses: TimeCourses,
    spacing: tuple[float, float],
    floor: float,
    background: bool,
    seed: int,
) -> ResidualCheck:
    """Residuals by band of cosine modes of the tiles; their freedom is measured by smoothing white noise."""
    frames = tiles.shape[1]
    smooth = min(courses.smooth, frames - 1)
    basis = courses.basis[:, :smooth]

    def power(values: Array) -> Array:
        inside = np.einsum("ts,ntyx->nsyx", basis, values, optimize=True)
        return np.asarray(np.square(scipy.fft.dctn(inside, axes=(-2, -1), norm="ortho")).sum((0, 1)).ravel())

    shape = (tiles.shape[2], tiles.shape[3])
    along = [wavenumbers(size, pixel, "insulated") ** 2 for size, pixel in zip(shape, spacing, strict=True)]
    symbol = (along[0][:, None] + along[1][None, :]).ravel()
    random = np.random.default_rng(seed)
    probes = random.standard_normal((8, *tiles.shape[1:]))
    if background:
        probes -= probes.mean(1, keepdims=True)
    freedom = power(probes - system.smooth(probes)) * (len(tiles) / len(probes))
    observed = power(residual)
    outside = float(np.square(residual).sum()) - float(observed.sum())
    spare = tiles[:, 0].size * (frames - smooth)
    reference = outside / spare
    chosen = symbol > 0
    return compare_bands(symbol[chosen], observed[chosen], freedom[chosen], reference, spare, floor, len(probes))


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
    beyond, but for a ridge that only keeps what cannot be seen finite.

        Var D ≥ σ² / |(I − H) ∂μ/∂D|²_(I−H)

    Parameters
    ----------
    fields, slopes
        True field μ and ∂μ/∂D of the crop at all times, each ``(time, y, x)``.
    times, diffusivity, noise, spacing, discretisation
        The truth.
    """
    shape = (fields.shape[1], fields.shape[2])
    ridge = _RIDGE * noise**2 / float(fields[0].var())
    model = Model.near(shape, spacing, times, discretisation or Discretisation(), diffusivity, ridge)
    slope = np.asarray(slopes, dtype=np.float64)[None]
    rest = slope - model.at(diffusivity).smooth(slope)
    return float(noise / np.sqrt((slope * rest).sum()))
