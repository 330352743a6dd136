"""Linear model of the tiles of a film at one D, with the nuisances of the detector.

A tile is an initial field on the tile and a margin, propagated along each axis, and multiplied by the gains:

    y(t) = g(t) (A_t a + b) + o(t) + ε,   A_t = A_t^y ⊗ A_t^x

where A_t^y and A_t^x are what the pixels see of the fields that can be seen at all (:mod:`~.axes`). The background b is
eliminated by a projection, the field a by least squares with a small ridge ρ, and then the offsets o and the steps of
log g, which all tiles share. What is left of the criterion is

    C(D) = min |y − model|² + ρ|a|² + σ² (log g)ᵀ Λ log g + σ² tr H

where H maps the data to the fit. The trace cancels what the noise adds to the rest, so that the minimum is unbiased.

All arrays here are folded (:func:`~.axes.fold`): the four quarters of a tile, of either parity along either axis, are
independent in a.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray

from safe_pit_cm.inference.axes import Axis, fold, halves
from safe_pit_cm.inference.nuisances import Gains, Nuisance
from safe_pit_cm.inference.reduction import Tiles
from safe_pit_cm.numerics.arrays import Array

# Fields are left out whose power in the film, were they as strong as the strongest frame, is less than this share of
# the noise of a pixel.
_VISIBLE = 0.01
# Ridge over the ratio of noise to field variance, and the least ratio that is taken: below it, rounding rules.
RIDGE = 1e-4
_LEAST_NOISE = 1e-9
# Directions of the nuisances that carry less than this share of the strongest cannot be told from the field.
_DISTINCT = 1e-10


@dataclass(frozen=True)
class Model:
    """What does not depend on D: the visible fields near a D, the nuisances, and the ridge.

    Attributes
    ----------
    tiles
        The data.
    axes
        Of y and x.
    visible
        Of y and x, of either parity: the visible fields, shape ``(unknown, field)``.
    kept
        Of each quarter: products of visible fields that are used.
    ridge, noise_power
        ρ and σ².
    nuisances, gains
        Which nuisances are estimated, and the gains so far.
    signal
        What a gain multiplies: the fitted field with its background, less its mean in every frame; folded, shape of the
        tiles. None before a first fit.
    """

    tiles: Tiles
    axes: tuple[Axis, Axis]
    visible: tuple[tuple[Array, Array], tuple[Array, Array]]
    kept: dict[tuple[int, int], NDArray[np.intp]]
    ridge: float
    noise_power: float
    nuisances: frozenset[Nuisance]
    gains: Gains | None
    signal: Array | None

    @classmethod
    def near(
        cls,
        tiles: Tiles,
        diffusivity: float,
        noise_power: float,
        nuisances: frozenset[Nuisance] = frozenset(),
        gains: Gains | None = None,
        signal: Array | None = None,
    ) -> "Model":
        """Model for D within some tens of per cent of ``diffusivity``."""
        ratio = max(noise_power / tiles.contrast, _LEAST_NOISE)
        axes = tuple(
            Axis.of(size, pixel, tiles.boundary, tiles.discretisation, diffusivity, float(tiles.times[-1]))
            for size, pixel in zip(tiles.tile, tiles.spacing, strict=True)
        )
        found = [_visible(axis.seen(tiles.times, diffusivity), tiles.counts, ratio) for axis in axes]
        kept = {}
        for rows in (0, 1):
            for columns in (0, 1):
                power_y, power_x = found[0][rows][1], found[1][columns][1]
                together = np.einsum("t,ti,tj->ij", tiles.counts, power_y, power_x).ravel()
                kept[rows, columns] = np.flatnonzero(together > _VISIBLE * ratio)
        visible = tuple((even[0], odd[0]) for even, odd in found)
        return cls(
            tiles,
            (axes[0], axes[1]),
            (visible[0], visible[1]),
            kept,
            RIDGE * ratio,
            noise_power,
            nuisances,
            gains,
            signal,
        )

    def at(self, diffusivity: float) -> "System":
        """The system at D."""
        return System(self, diffusivity)


def _visible(seen: tuple[Array, Array], counts: Array, ratio: float) -> list[tuple[Array, Array]]:
    """Of either parity: visible fields, ``(unknown, field)``, and their power at every time, ``(time, field)``."""
    found = []
    for each in seen:
        weighted = (each * np.sqrt(counts)[:, None, None]).reshape(-1, each.shape[2])
        power, fields = np.linalg.eigh(weighted.T @ weighted)
        # Along the other axis at most the whole power is seen.
        fields = fields[:, power > _VISIBLE * ratio]
        found.append((fields, np.square(each @ fields).sum(1)))
    return found


@dataclass(frozen=True)
class Smooth:
    """Fit of the tiles at one D.

    Attributes
    ----------
    fitted
        H y, shape of the tiles, in units of ``System.weighted``.
    unknown
        a, shape ``(unknown, tile)``.
    nuisance
        Offsets and steps of log g, shape ``(column,)``; empty where none is estimated.
    power
        The minimum: residual power and penalties.
    """

    fitted: Array
    unknown: Array
    nuisance: Array
    power: float


@dataclass(frozen=True)
class _Quarter:
    """Fields of one parity along y and one along x, in the folded tile and among the unknowns."""

    rows: slice
    columns: slice
    along_y: Array
    along_x: Array
    kept: NDArray[np.intp]
    unknowns: slice
    factor: Array
    mean: Array | None

    def solve(self, right: Array) -> Array:
        return np.asarray(scipy.linalg.cho_solve((self.factor, True), right, check_finite=False))


@dataclass
class System:
    """The model at one D, ready to fit folded tiles ``(tile, time, y, x)``; rows weigh √(frames in their group).

    Attributes
    ----------
    model, diffusivity
        What it is the system of.
    """

    model: Model
    diffusivity: float

    @cached_property
    def scale(self) -> Array:
        """Gain of every row with its weight, shape ``(time,)``."""
        gains, counts = self.model.gains, self.model.tiles.counts
        return np.asarray(np.sqrt(counts) * (1.0 if gains is None else np.exp(gains.logarithm)))

    @cached_property
    def quarters(self) -> list[_Quarter]:
        """The four quarters, those without a visible field left out."""
        model, tiles = self.model, self.model.tiles
        along_y, along_x = (
            [each @ fields for each, fields in zip(axis.seen(tiles.times, self.diffusivity), visible, strict=True)]
            for axis, visible in zip(model.axes, model.visible, strict=True)
        )
        found: list[_Quarter] = []
        rows, columns = (halves(size) for size in tiles.tile)
        start = 0
        for (i, j), kept in model.kept.items():
            if len(kept):
                place = slice(start, start + len(kept))
                found.append(
                    self._quarter(rows[i], columns[j], along_y[i] * self.scale[:, None, None], along_x[j], kept, place)
                )
                start += len(kept)
        return found

    def _quarter(
        self, rows: slice, columns: slice, along_y: Array, along_x: Array, kept: NDArray[np.intp], place: slice
    ) -> _Quarter:
        frames, size_y, fields_y = along_y.shape
        _, size_x, fields_x = along_x.shape
        gram_y = (along_y.transpose(0, 2, 1) @ along_y).reshape(frames, -1)
        gram_x = (along_x.transpose(0, 2, 1) @ along_x).reshape(frames, -1)
        blocks = (gram_y.T @ gram_x).reshape(fields_y, fields_y, fields_x, fields_x).transpose(0, 2, 1, 3)
        normal: Array = blocks.reshape(fields_y * fields_x, fields_y * fields_x)[np.ix_(kept, kept)]
        mean: Array | None = None
        if "background" in self.model.nuisances:
            weighted = (along_y * self.direction[:, None, None]).reshape(frames, -1)
            product = weighted.T @ along_x.reshape(frames, -1)
            mean = product.reshape(size_y, fields_y, size_x, fields_x).transpose(0, 2, 1, 3)
            mean = np.ascontiguousarray(mean.reshape(size_y * size_x, fields_y * fields_x)[:, kept])
            normal -= mean.T @ mean
        normal.flat[:: len(normal) + 1] += self.model.ridge
        factor = scipy.linalg.cholesky(normal, lower=True, overwrite_a=True, check_finite=False)
        return _Quarter(rows, columns, along_y, along_x, kept, place, factor, mean)

    @cached_property
    def direction(self) -> Array:
        """The time course of a background, of norm 1, shape ``(time,)``."""
        return np.asarray(self.scale / np.linalg.norm(self.scale))

    @property
    def unknowns(self) -> int:
        """Unknown fields of a tile."""
        return sum(len(quarter.kept) for quarter in self.quarters)

    def weighted(self, frames: Array) -> Array:
        """Data ``(tile, time, y, x)`` as the system sees them.

        Folded, each row by the root of its frames, less what a background can make up for.
        """
        return self.free(fold(frames) * np.sqrt(self.model.tiles.counts)[:, None, None])

    def free(self, rows: Array) -> Array:
        """Rows ``(..., time, y, x)`` less their projection on the time course of a background."""
        if "background" not in self.model.nuisances:
            return rows
        along = np.tensordot(rows, self.direction, axes=(-3, 0))
        return np.asarray(rows - along[..., None, :, :] * self.direction[:, None, None])

    def _adjoint(self, rows: Array) -> Array:
        """Aᵀ of rows that are free of a background, ``(tile, time, y, x)``; shape ``(unknown, tile)``."""
        parts = []
        for quarter in self.quarters:
            each = quarter.along_y.transpose(0, 2, 1) @ rows[:, :, quarter.rows, quarter.columns] @ quarter.along_x
            parts.append(each.sum(1).reshape(len(rows), -1)[:, quarter.kept].T)
        return np.concatenate(parts) if parts else np.zeros((0, len(rows)))

    def field(self, unknown: Array) -> Array:
        """A a with the gains, folded ``(tile, time, y, x)``; a of shape ``(unknown, tile)``."""
        return self._apply(unknown, [(quarter.along_y, quarter.along_x) for quarter in self.quarters])

    def _apply(self, unknown: Array, along: list[tuple[Array, Array]]) -> Array:
        tiles = self.model.tiles
        result = np.zeros((unknown.shape[1], *tiles.frames.shape[1:]))
        for quarter, (along_y, along_x) in zip(self.quarters, along, strict=True):
            full = np.zeros((unknown.shape[1], along_y.shape[2] * along_x.shape[2]))
            full[:, quarter.kept] = unknown[quarter.unknowns].T
            shaped = full.reshape(-1, 1, along_y.shape[2], along_x.shape[2])
            result[:, :, quarter.rows, quarter.columns] = along_y @ shaped @ along_x.transpose(0, 2, 1)
        return result

    def axis_slopes(self, unknown: Array) -> tuple[Array, Array]:
        """D ∂(A a)/∂D of the spread along y and of that along x, each folded ``(tile, time, y, x)``."""
        step = 1e-3
        tiles, model = self.model.tiles, self.model
        slopes = []
        for axis, visible in zip(model.axes, model.visible, strict=True):
            ahead, behind = (axis.seen(tiles.times, self.diffusivity * (1 + sign * step)) for sign in (1, -1))
            slopes.append([(ahead[p] - behind[p]) @ visible[p] / (2 * step) for p in (0, 1)])
        index = [pair for pair, kept in model.kept.items() if len(kept)]
        along_y = [
            (slopes[0][i] * self.scale[:, None, None], quarter.along_x)
            for (i, _), quarter in zip(index, self.quarters, strict=True)
        ]
        along_x = [(quarter.along_y, slopes[1][j]) for (_, j), quarter in zip(index, self.quarters, strict=True)]
        return self._apply(unknown, along_y), self._apply(unknown, along_x)

    def _solve(self, right: Array) -> Array:
        return np.concatenate([quarter.solve(right[quarter.unknowns]) for quarter in self.quarters] or [right])

    @cached_property
    def field_trace(self) -> float:
        """Degrees of freedom of the field of a tile: tr H without nuisances."""
        # unknowns − ρ tr (AᵀA + ρ)⁻¹, and the trace of the inverse is the power of the inverse factor.
        trace = 0.0
        for quarter in self.quarters:
            # The upper triangle of the factor is zero, and so is that of its inverse.
            inverse, _ = scipy.linalg.lapack.dtrtri(quarter.factor, lower=1)
            flat = inverse.ravel(order="K")
            trace += float(flat @ flat)
        return self.unknowns - self.model.ridge * trace

    @cached_property
    def columns(self) -> Array:
        """Nuisances that all tiles share: pictures ``(column, tile, y, x)``, folded, each of one frame."""
        model, tiles = self.model, self.model.tiles
        roots = np.sqrt(tiles.counts)
        count, _, *picture = tiles.frames.shape
        parts = []
        if "offset" in model.nuisances:
            parts.append(roots[:, None, None, None] * fold(np.ones((1, count, *picture))))
        if model.gains is not None and model.signal is not None:
            gain = roots * np.exp(model.gains.logarithm)
            parts.append((model.signal * gain[:, None, None]).transpose(1, 0, 2, 3))
        return np.concatenate(parts) if parts else np.zeros((0, count, *picture))

    def _column_adjoint(self, pictures: Array, at: NDArray[np.intp]) -> Array:
        """Aᵀ of pictures ``(column, y, x)``, each in the frame ``at``, shape ``(unknown, column)``."""
        parts = []
        for quarter in self.quarters:
            part = pictures[:, quarter.rows, quarter.columns]
            each = quarter.along_y[at].transpose(0, 2, 1) @ part @ quarter.along_x[at]
            adjoint = each.reshape(len(pictures), -1)[:, quarter.kept].T
            if quarter.mean is not None:
                adjoint = adjoint - (quarter.mean.T @ part.reshape(len(pictures), -1).T) * self.direction[at]
            parts.append(adjoint)
        return np.concatenate(parts) if parts else np.zeros((0, len(pictures)))

    @cached_property
    def _shared(self) -> tuple[Array, Array, Array, Array, float]:
        """K⁻¹Aᵀ of the columns of each tile, Aᵀ of them, the pseudo-inverse of their Schur complement, prior, trace."""
        model = self.model
        frames = len(model.tiles.times)
        columns = self.columns
        count = len(columns)
        at = np.arange(count) % frames
        normal, seen, adjoints, solved = np.zeros((count, count)), np.zeros((count, count)), [], []
        apart = np.asarray(at[:, None] == at[None, :], dtype=np.float64)
        if "background" in model.nuisances:
            apart = apart - np.outer(self.direction[at], self.direction[at])
        for tile in range(columns.shape[1]):
            adjoint = self._column_adjoint(columns[:, tile], at)
            flat = columns[:, tile].reshape(count, -1)
            inverse = self._solve(adjoint)
            rest = apart * (flat @ flat.T) - adjoint.T @ inverse
            normal += rest
            # CᵀM²C, where M takes the field away, with normal = CᵀMC: M is no projection, because of the ridge.
            seen += rest - model.ridge * inverse.T @ inverse
            adjoints.append(adjoint)
            solved.append(inverse)
        prior = np.zeros_like(normal)
        if model.gains is not None and model.signal is not None:
            prior[-frames:, -frames:] = model.noise_power * model.gains.precision
        diagonal = np.diag(normal + prior)
        scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
        strength, vectors = np.linalg.eigh((normal + prior) * np.outer(scale, scale))
        distinct = strength > _DISTINCT * strength[-1]
        inverse = (vectors[:, distinct] / strength[distinct]) @ vectors[:, distinct].T * np.outer(scale, scale)
        return np.stack(solved), np.stack(adjoints), inverse, prior, float((inverse * seen).sum())

    @property
    def nuisance_trace(self) -> float:
        """Degrees of freedom of the offsets and gains."""
        return self._shared[4] if len(self.columns) else 0.0

    @property
    def nuisance_covariance(self) -> Array:
        """Covariance of the offsets and log gains at this D, shape ``(column, column)``."""
        return self._shared[2] * self.model.noise_power

    @property
    def degrees_of_freedom(self) -> float:
        """Tr H, of all tiles."""
        return len(self.model.tiles.frames) * self.field_trace + self.nuisance_trace

    def powers(self, rows: Array) -> Array:
        """What a field alone leaves of each tile of rows that are free of a background, shape ``(tile,)``."""
        adjoint = self._adjoint(rows)
        return np.asarray(np.square(rows).sum((1, 2, 3)) - (adjoint * self._solve(adjoint)).sum(0))

    def fit(self, rows: Array, *, penalised: bool = True) -> Smooth:
        """Fit rows ``(tile, time, y, x)`` of :meth:`weighted`.

        With ``penalised`` false the gains so far are not held against their prior: the linear response to the rows.
        """
        adjoint = self._adjoint(rows)
        unknown = self._solve(adjoint)
        power = float(np.square(rows).sum()) - float((adjoint * unknown).sum())
        columns = self.columns
        if not len(columns):
            return Smooth(self.free(self.field(unknown)), unknown, np.zeros(0), power)
        frames = len(self.model.tiles.times)
        at = np.arange(len(columns)) % frames
        solved, adjoints, inverse, prior, _ = self._shared
        right = np.einsum("ckyx,kcyx->c", columns, rows[:, at]) - np.einsum("knc,nk->c", adjoints, unknown)
        if penalised and self.model.gains is not None and self.model.signal is not None:
            before = np.concatenate([np.zeros(len(columns) - frames), self.model.gains.logarithm])
            pull = prior @ before
            right = right - pull
            power += float(before @ pull)
        step = inverse @ right
        power -= float(right @ step)
        unknown = unknown - np.einsum("knc,c->nk", solved, step)
        fitted = self.free(self.field(unknown) + self.shared(step))
        return Smooth(fitted, unknown, step, power)

    def shared(self, nuisance: Array) -> Array:
        """What offsets and steps of log g add to the rows, folded ``(tile, time, y, x)``."""
        columns, frames = self.columns, len(self.model.tiles.times)
        rows = np.zeros(self.model.tiles.frames.shape)
        for part in range(0, len(columns), frames):
            pictures = columns[part : part + frames] * nuisance[part : part + frames, None, None, None]
            rows += pictures.transpose(1, 0, 2, 3)
        return rows

    def criterion(self, rows: Array) -> float:
        """C(D) of rows of :meth:`weighted`."""
        return self.fit(rows).power + self.model.noise_power * self.degrees_of_freedom
