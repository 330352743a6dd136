"""Fit D to the tiles of a reduced film, with the nuisances of the detector.

D, the gains and the noise are found in turns: C(D) at a few D about the last (:mod:`~safe_pit_cm.inference.tiles`), its
minimum by a polynomial in log D, and there the gains and the residuals. The curvature of C(D) is twice the information;
the variance of its slope, ``4 Σ σ² |∂H/∂D ŷ|²``, takes σ² of every pixel from the residuals of pixels as bright, so
that shot noise widens the error bar where the contrast is.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.axes import fold, unfold
from safe_pit_cm.inference.intervals import CONFIDENCE
from safe_pit_cm.inference.nuisances import Gains, Nuisance
from safe_pit_cm.inference.reduction import Tiles
from safe_pit_cm.inference.sandwich import power_by_brightness
from safe_pit_cm.inference.tiles import Model, Smooth, System
from safe_pit_cm.numerics.arrays import Array

# Points of C(D) about the last D; fewer where they are this close in log D.
_NODES, _CLOSE_NODES, _CLOSE = 5, 3, 0.1
_TURNS = 24
# Least share of a step that is taken.
_LEAST_SHARE = 0.25
# Largest step of log D in a turn, and the least half-width of the nodes about it.
_REACH = 0.3
_LEAST_REACH = 3e-3
# The visible fields are chosen anew when log D has moved by this much; at every turn, their number would move D.
_NEAR = 0.05
# Tolerance of the turns, as a share of the standard error of D.
_SETTLED = 0.03
# Likewise the gains, over theirs.
_QUIET = 0.2
# Gains are estimated in frames whose fitted contrast has this many times the power of its noise.
_ABOVE_NOISE = 10.0
# Share of the frames that must tell their gain; with fewer, all gains are 1.
_TOLD = 0.75
_FILLS = 60


@dataclass(frozen=True)
class TileFit:
    """Fit of D to tiles.

    Attributes
    ----------
    tiles, model, system, smooth
        The data, the model, and both at the estimate.
    diffusivity, stderr, bound
        D, its standard error, and the Cramér–Rao bound on it.
    noise_power, degrees_of_freedom
        σ² of a bin of one frame, and the degrees of freedom of the residuals.
    curve, reach
        C(D) about the estimate, a polynomial in log(D/estimate), and how far it reaches to either side.
    response
        ∂H/∂D ŷ: how the estimate answers to every datum, shape of the tiles.
    settled
        Whether the turns came to an end.
    """

    tiles: Tiles
    model: Model
    system: System
    smooth: Smooth
    diffusivity: float
    stderr: float
    bound: float
    noise_power: float
    degrees_of_freedom: float
    curve: np.polynomial.Polynomial
    reach: float
    response: Array
    settled: bool

    @cached_property
    def residual(self) -> Array:
        """What the model leaves, weighted by the root of the frames in a group; shape of the tiles."""
        return unfold(self.system.weighted(self.tiles.frames) - self.smooth.fitted)

    @cached_property
    def signal(self) -> Array:
        """Field and background without gain and offset, less their mean in every frame; shape of the tiles."""
        return unfold(signal_of(self.system, self.smooth, self.tiles))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of D by the profile of C(D), calibrated by the standard error."""
        half = float(scipy.special.stdtrit(max(self.degrees_of_freedom, 1.0), 0.5 + CONFIDENCE / 2))
        drop = half**2 / 2
        # Beyond the nodes the profile is continued as a parabola in log D.
        grid = np.linspace(-1, 1, 4001) * max(2.5 * half * self.stderr / self.diffusivity, 1e-12)
        height = self.profile(self.diffusivity * np.exp(grid))
        inside = grid[height >= -drop]
        return float(self.diffusivity * np.exp(inside[0])), float(self.diffusivity * np.exp(inside[-1]))

    def profile(self, diffusivity: Array) -> Array:
        """Calibrated log-likelihood of D, relative to its maximum."""
        position = np.log(np.asarray(diffusivity) / self.diffusivity)
        within = np.clip(position, -self.reach, self.reach)
        bend = float(self.curve.deriv(2)(0.0))
        rise = self.curve(within) - self.curve(0.0) + bend / 2 * (position**2 - within**2)
        relative = self.stderr / self.diffusivity
        return np.asarray(-rise / (bend * relative**2))


def signal_of(system: System, smooth: Smooth, tiles: Tiles) -> Array:
    """Field and background without gain and offset, less their mean in every frame; folded."""
    field = system.field(smooth.unknown)
    signal = field / system.scale[:, None, None]
    if "background" in system.model.nuisances:
        rest = fold(tiles.frames) * np.sqrt(tiles.counts)[:, None, None] - field - system.shared(smooth.nuisance)
        background = np.tensordot(rest, system.direction, axes=(1, 0)) / np.linalg.norm(system.scale)
        signal = signal + background[:, None]
    # The mean of a frame over all tiles, as a folded picture.
    even = fold(np.ones(signal.shape[2:]))
    mean = np.tensordot(signal, even, axes=2).mean(0) / even.size
    return np.asarray(signal - mean[:, None, None] * even)


def _above_noise(signal: Array, system: System) -> Array:
    """The part of a signal that stands above its own noise, folded: modes first, then frames.

    A noisy picture tells no gain: it holds the noise of the very frames that it is compared with.
    """
    noise = system.model.noise_power / float(np.square(system.scale).sum())
    modes = scipy.fft.dctn(unfold(signal), axes=(-2, -1), norm="ortho")
    clear = np.square(modes).mean(1, keepdims=True) > _ABOVE_NOISE * noise
    kept = scipy.fft.idctn(np.where(clear, modes, 0.0), axes=(-2, -1), norm="ortho")
    told = np.square(kept).mean((0, 2, 3)) > _ABOVE_NOISE * noise * clear.mean()
    # A field that is gone after the first frames cannot be told from one that was bleached.
    return fold(kept * (told & (told.mean() >= _TOLD))[:, None, None])


def noise_of(tiles: Tiles) -> float:
    """A first guess of σ²: second differences in time of what is left of the finest structure."""
    frames = tiles.frames
    fine = frames[..., 1:, 1:] - frames[..., 1:, :-1] - frames[..., :-1, 1:] + frames[..., :-1, :-1]
    late = np.diff(fine, axis=1) * np.sqrt(1 / (1 / tiles.counts[1:] + 1 / tiles.counts[:-1]))[:, None, None]
    return max(float(np.median(np.square(late[:, len(tiles.times) // 2 :]))) / 4 / 0.4549, 1e-12 * tiles.contrast)


def fit_tiles(
    tiles: Tiles,
    start: float,
    nuisances: frozenset[Nuisance],
    *,
    gains: Gains | None = None,
    floor: float = 0.0,
    turns: int = _TURNS,
    tolerance: float = _SETTLED,
) -> TileFit:
    """Fit D near a start.

    Parameters
    ----------
    tiles
        The data; gaps are filled in place.
    start
        D to start from, within a factor of some ten.
    nuisances
        What is estimated along.
    gains
        Of every frame, to start from; None: all are 1.
    floor
        Smallest σ of a bin that is accepted.
    turns
        At most.
    tolerance
        D has settled when a turn moves it by less than this share of its standard error.

    Raises
    ------
    UserError
        If C(D) has no minimum near the start.
    """
    variance = max(noise_of(tiles), floor**2)
    if gains is None or not nuisances & {"gain", "bleaching"}:
        gains = Gains.before(nuisances, tiles.exposures)
    largest = _largest(tiles)
    best, half, stderr, signal = min(start, 0.99 * largest), _REACH, np.inf, None
    settled, steady, share, last = False, 0, 1.0, 0.0
    model = Model.near(tiles, best, variance, nuisances, gains, signal)
    centre = best
    for _ in range(turns):
        if abs(np.log(best / centre)) > _NEAR:
            model, centre = Model.near(tiles, best, variance, nuisances, gains, signal), best
        else:
            model = replace(model, noise_power=variance, gains=gains, signal=signal)
        if tiles.gaps is not None:
            _fill(model.at(best), tiles)
        top = min(half, np.log(largest / best))
        rows = model.at(best).weighted(tiles.frames)
        curve, move = _curve(model, rows, best, (-half, top), _NODES if half > _CLOSE else _CLOSE_NODES)
        bend = float(curve.deriv(2)(move))
        if move * last < 0 and abs(move) > abs(last) / 3:
            # D and the gains answer to each other: without this they may swing for ever.
            share = max(share / 2, _LEAST_SHARE)
        elif move * last > 0:
            share = min(1.5 * share, 1.0)
        last = move
        best *= float(np.exp(share * move))
        system = model.at(best)
        smooth = system.fit(rows)
        freedom = _freedom(tiles, system)
        residual = rows - smooth.fitted
        variance = max(float(np.square(residual).sum()) / freedom, floor**2, 1e-14 * tiles.contrast)
        inside = abs(move) < 0.9 * half and bend > 0
        stderr = best * float(np.sqrt(2 * variance / bend)) if bend > 0 else np.inf
        signal = _above_noise(signal_of(system, smooth, tiles), system)
        quiet = True
        if gains is not None and model.signal is None:
            gains = replace(gains, told=np.square(signal).sum((0, 2, 3)) > 0)
        elif gains is not None:
            frames = len(tiles.times)
            step = np.clip(smooth.nuisance[-frames:], -0.3, 0.3)
            variances = np.maximum(np.diag(system.nuisance_covariance)[-frames:], 0.0)
            quiet = bool((np.abs(step) < np.maximum(1e-3, _QUIET * np.sqrt(variances))).all())
            gains = gains.moved(share * step, variances, np.square(signal).sum((0, 2, 3)) > 0)
        steady = steady + 1 if inside and quiet and abs(move) * best < tolerance * stderr else 0
        narrow = half < 5 * stderr / best
        if steady == 2 or (steady == 1 and narrow and (gains is None or tolerance > _SETTLED)):
            settled = True
            break
        half = float(np.clip(3 * max(stderr / best, abs(move)), _LEAST_REACH, _REACH)) if inside else _REACH
    return _finish(tiles, model, best, variance, freedom, half, settled)


def _largest(tiles: Tiles) -> float:
    """Largest D at which the time steps of a simulation are stable."""
    return 0.999 * tiles.discretisation.largest_diffusivity(tiles.discretisation.largest_symbol(tiles.spacing))


def _curve(
    model: Model, rows: Array, diffusivity: float, reach: tuple[float, float], nodes: int
) -> tuple[np.polynomial.Polynomial, float]:
    """C(D) over a range of log D about a D, as a polynomial, and where it is lowest."""
    place = np.linspace(*reach, nodes)
    values = np.array([model.at(diffusivity * np.exp(each)).criterion(rows) for each in place])
    curve = np.polynomial.Polynomial.fit(place, values, nodes - 1)
    dense = np.linspace(*reach, 801)
    return curve, float(dense[np.argmin(curve(dense))])


def _freedom(tiles: Tiles, system: System) -> float:
    """Degrees of freedom of the residuals."""
    samples = tiles.frames.size - (tiles.frames[:, 0].size if "background" in system.model.nuisances else 0)
    missing = 0 if tiles.gaps is None else int(tiles.gaps.sum())
    return max(samples - missing - system.degrees_of_freedom, 1.0)


def _finish(
    tiles: Tiles,
    model: Model,
    best: float,
    variance: float,
    freedom: float,
    half: float,
    settled: bool,
) -> TileFit:
    largest = np.log(_largest(tiles) / best)
    rows = model.at(best).weighted(tiles.frames)
    curve, move = _curve(model, rows, best, (-half, min(half, largest)), _NODES)
    best *= float(np.exp(move))
    system = model.at(best)
    smooth = system.fit(rows)
    information = float(curve.deriv(2)(move)) / 2 / best**2
    if not information > 0:
        raise UserError(
            "no diffusion coefficient fits the film better than its neighbours; use more frames, a larger region, or a "
            "boundary that is known"
        )
    step = 0.01 * min(1.0, half / _LEAST_REACH / 10)
    # ∂H/∂D ŷ
    response = (
        model.at(best * (1 + step)).fit(smooth.fitted, penalised=False).fitted
        - model.at(best * (1 - step)).fit(smooth.fitted, penalised=False).fitted
    ) / (2 * step * best)
    response = unfold(response)
    residual = unfold(rows - smooth.fitted)
    brightness = tiles.frames - residual / np.sqrt(tiles.counts)[:, None, None]
    power = power_by_brightness(brightness, residual) * (residual.size / freedom)
    variance_of_slope = np.square(response) * power
    total = float(variance_of_slope.sum())
    if tiles.gaps is not None:
        # Filled pixels look as if they had been seen: take their share of the information back.
        seen = 1 - float(variance_of_slope[tiles.gaps].sum()) / total
        information, total = information * seen, total * seen
    shifted = np.polynomial.Polynomial(curve.convert().coef)(np.polynomial.Polynomial([move, 1.0]))
    return TileFit(
        tiles=tiles,
        model=model,
        system=system,
        smooth=smooth,
        diffusivity=best,
        stderr=float(np.sqrt(total) / information),
        bound=float(np.sqrt(variance / information)),
        noise_power=variance,
        degrees_of_freedom=freedom,
        curve=shifted,
        reach=max(half - abs(move), _LEAST_REACH / 2),
        response=response,
        settled=settled,
    )


def _fill(system: System, tiles: Tiles) -> None:
    """Fill the gaps with what the model makes of the rest: the least squares of (I − H) y over the gaps."""
    gaps: NDArray[np.bool_] = tiles.gaps if tiles.gaps is not None else np.zeros(tiles.frames.shape, dtype=bool)
    roots = np.broadcast_to(np.sqrt(tiles.counts)[:, None, None], tiles.frames.shape)

    def rest(values: Array) -> Array:
        rows = system.weighted(values)
        return np.asarray(unfold(rows - system.fit(rows, penalised=False).fitted)[gaps] * roots[gaps])

    def apply(inside: Array) -> Array:
        values = np.zeros_like(tiles.frames)
        values[gaps] = inside
        return rest(values)

    known = np.where(gaps, 0.0, tiles.frames)
    operator = scipy.sparse.linalg.LinearOperator((int(gaps.sum()),) * 2, matvec=apply, dtype=np.float64)
    filled, _ = scipy.sparse.linalg.cg(operator, -rest(known), x0=tiles.frames[gaps], rtol=1e-6, maxiter=_FILLS)
    tiles.frames[gaps] = filled
