"""Start values of the coefficients, without any guess: phase correlation, then regression in the weak form.

With ψ a bump in time and in space, a solution satisfies ``−∫ψ′u = ∫ψ F(u; θ)``, ψ′ in time, wherever the bump is. F is
a sum of factors c_n(θ) times features of the frames; their products are summed once, and θ then solves a small
nonlinear least-squares problem from several starts. The bump is wider than the smoothing of the frames: noise in the
features, which makes the coefficients too small, is averaged without blurring what a nonlinear function sees. Flow of
several pixels per frame would leave nothing after the average over time, so it is found first, from the phases of
successive frames, and the frames are moved with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import sympy
import torch
from torch import Tensor

from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.models.model import Model
from safe_pit_cm.models.operators import X, Y
from safe_pit_cm.models.pointwise import Pointwise
from safe_pit_cm.numerics.arrays import Array

# Standard deviations of the smoothing and of ψ, pixels; half the length of ψ, frames; starts of the small problem.
_SMOOTHING, _WIDTH, _HALF, _STARTS = 0.5, 3.0, 4, 24


def flow(frames: Array, times: Array, spacing: tuple[float, float]) -> tuple[float, float]:
    """Velocity (vy, vx) of a pattern, by phase correlation of successive frames ``(time, y, x)``.

    The displacement is found up to half the frame; it is zero where successive frames are not alike.
    """
    spectra = np.fft.fft2(frames - frames.mean((1, 2), keepdims=True))
    cross = spectra[1:] * spectra[:-1].conj()
    # Weights of the amplitudes themselves: modes of noise count little.
    correlation = np.fft.ifft2((cross / np.sqrt(np.abs(cross).mean((1, 2), keepdims=True) + 1e-300)).mean(0)).real
    peak = np.unravel_index(np.argmax(correlation), correlation.shape)
    velocity = []
    interval = float(np.median(np.diff(times)))
    for axis, (place, pixel) in enumerate(zip(peak, spacing, strict=True)):
        size = correlation.shape[axis]
        index = list(peak)
        around = []
        for shift in (-1, 0, 1):
            index[axis] = (place + shift) % size
            around.append(correlation[tuple(index)])
        curvature = around[0] - 2 * around[1] + around[2]
        fraction = 0.5 * (around[0] - around[2]) / curvature if curvature < 0 else 0.0
        displacement = (place + size // 2) % size - size // 2 + float(np.clip(fraction, -0.5, 0.5))
        velocity.append(displacement * pixel / interval)
    return velocity[0], velocity[1]


def moved(frames: Array, times: Array, spacing: tuple[float, float], velocity: tuple[float, float]) -> Array:
    """Frames ``(time, [field,] y, x)`` as seen by an observer who moves with a velocity (vy, vx)."""
    rows, columns = frames.shape[-2:]
    kappa_y = 2 * np.pi * np.fft.fftfreq(rows, spacing[0])[:, None]
    kappa_x = 2 * np.pi * np.fft.rfftfreq(columns, spacing[1])[None, :]
    phase = np.exp(1j * np.multiply.outer(times, velocity[0] * kappa_y + velocity[1] * kappa_x))
    phase = phase.reshape(len(times), *(1,) * (frames.ndim - 3), *phase.shape[-2:])
    return np.asarray(np.fft.irfft2(np.fft.rfft2(frames) * phase, s=(rows, columns)))


@dataclass(frozen=True)
class _Feature:
    """A factor c(θ) times something that varies: a linear operator of a field, or P of a function of atoms."""

    factor: sympy.Expr
    field: int
    operator: sympy.Expr
    function: sympy.Expr | None


def _features(model: Model) -> list[_Feature]:
    theta = [sympy.Symbol(name) for name in model.names]
    found = []
    for index, (linear, form) in enumerate(model.split):
        found += [_Feature(factor, index, operator, None) for operator, factor in linear.terms]
        for operator, expression in form.terms.items():
            for summand in sympy.Add.make_args(sympy.expand(expression)):
                factor, function = summand.as_independent(*form.atoms.within(summand) or [sympy.Symbol("none")])
                if function.free_symbols & set(theta):
                    factor, function = sympy.Integer(1), summand
                found.append(_Feature(factor, index, operator, function))
    return found


def _slopes(times: Array, weights: Array, shape: Array) -> Array:
    """Weights of a sum for ∫ψ′u dt, of about this shape; exact, beside those for ∫ψu dt, where u is a straight line.

    On a few frames the trapezoidal rule would lose 8 %, and with it 8 % of every coefficient.
    """
    basis = np.stack([shape, weights])
    moments = basis @ np.stack([np.ones_like(times), times], axis=1)
    return np.asarray(np.linalg.solve(moments.T, [0.0, -weights.sum()]) @ basis)


class _WeakForm:
    """Weak form of an equation on given frames ``(time, field, y, x)``."""

    def __init__(self, model: Model, grid: Grid, times: Array, frames: Array, margin: int) -> None:
        self.model, self.compiled, self.features = model, Compiled(model, grid), _features(model)
        (along_y, along_x), (height, width) = grid.wavenumbers(), grid.spacing
        squared = (height * along_y) ** 2 + (width * along_x) ** 2
        smoothing, self._bump = (
            torch.exp(-0.5 * deviation**2 * squared).to(grid.dtype) for deviation in (_SMOOTHING, _WIDTH)
        )
        spectra = grid.forward(torch.from_numpy(frames).to(grid.dtype)) * smoothing
        self._spectra, fields = spectra, grid.backward(spectra)
        self._atoms = self.compiled.read_atoms(spectra, fields)
        half = min(_HALF, (len(times) - 1) // 2)
        centres = range(half, len(times) - half, max(1, half))
        weights = np.zeros((len(centres), len(times)))
        slopes = np.zeros_like(weights)
        for row, centre in enumerate(centres):
            span = np.arange(centre - half, centre + half + 1)
            middle = 0.5 * (times[span[0]] + times[span[-1]])
            tau = 2 * (times[span] - middle) / (times[span[-1]] - times[span[0]])
            cell = np.gradient(times[span])
            weights[row, span] = (1 - tau**2) ** 2 * cell
            slopes[row, span] = _slopes(times[span] - middle, weights[row, span], tau * (1 - tau**2) * cell)
        self._bumps = torch.from_numpy(weights).to(grid.dtype)
        rows, columns = grid.shape
        inner = (slice(margin, rows - margin or None), slice(margin, columns - margin or None))
        self._inside = torch.zeros(grid.shape, dtype=grid.dtype)
        self._inside[inner] = 1.0
        # Every second pixel is enough after smoothing.
        self._seen = tuple(slice(along.start, along.stop, 2) for along in inner)
        steepness = torch.from_numpy(slopes).to(grid.dtype)
        self.target = torch.stack([-self._sampled(steepness, fields[:, index]) for index in range(len(model.fields))])
        self._scale = [float(part.square().mean().sqrt()) or 1.0 for part in self.target]

    def _sampled(self, bumps: Tensor, field: Tensor) -> Tensor:
        grid = self.compiled.grid
        averaged = torch.tensordot(bumps, field * self._inside, dims=1)
        return grid.backward(grid.forward(averaged) * self._bump)[(slice(None), *self._seen)].flatten().double()

    def value(self, feature: _Feature, theta: dict[sympy.Symbol, float]) -> Tensor:
        """Weak form of a feature without its factor, one number per bump and sampled pixel."""
        grid = self.compiled.grid
        symbol = grid.symbol(feature.operator)
        symbol = symbol.to(grid.complex if symbol.is_complex() else grid.dtype)
        if feature.function is None:
            return self._sampled(self._bumps, grid.backward(self._spectra[:, feature.field] * symbol))
        (value,) = Pointwise.of([feature.function])(theta | dict(zip(self.compiled.atoms, self._atoms, strict=True)))
        field = torch.as_tensor(value, dtype=grid.dtype).broadcast_to(len(self._spectra), *grid.shape)
        if feature.operator != 1:
            field = grid.backward(grid.forward(field) * symbol)
        return self._sampled(self._bumps, field)

    def scaled(self, feature: _Feature, values: Tensor) -> Tensor:
        """The values as part of one vector over all fields, each field in units of its own change."""
        out = torch.zeros(self.target.shape, dtype=torch.float64)
        out[feature.field] = values / self._scale[feature.field]
        return out.flatten()

    def scaled_target(self) -> Tensor:
        return torch.cat([part / scale for part, scale in zip(self.target, self._scale, strict=True)])


def regress(
    model: Model,
    grid: Grid,
    times: Array,
    frames: Array,
    *,
    velocity: tuple[float, float] = (0.0, 0.0),
    margin: int = 0,
) -> tuple[Array, float]:
    """Coefficients by regression in the weak form, and the share of the changes that they leave unexplained.

    Parameters
    ----------
    model, grid, times
        The equation, the grid and the times of the frames.
    frames
        ``(time, field, y, x)``, moved with the flow if a velocity is given.
    velocity
        (vy, vx) of the observer.
    margin
        Pixels at the edges that are left out.

    Returns
    -------
    tuple
        θ, within its bounds, and the sum of squares left over that of all.
    """
    weak = _WeakForm(model, grid, times, frames, margin)
    names = [sympy.Symbol(name) for name in model.names]
    fixed = [
        feature for feature in weak.features if not (feature.function and feature.function.free_symbols & set(names))
    ]
    varying = [feature for feature in weak.features if feature not in fixed]
    columns = [weak.scaled(feature, weak.value(feature, {})) for feature in fixed]
    target = weak.scaled_target()
    for axis, speed in zip((Y, X), velocity, strict=True):
        # In the frame of the observer the field changes by v·∇u less.
        for index in range(len(model.fields)):
            feature = _Feature(sympy.Integer(1), index, axis, None)
            target = target - speed * weak.scaled(feature, weak.value(feature, {}))
    design = torch.stack(columns, 1).numpy() if columns else np.zeros((len(target), 0))
    factors = Pointwise.of([feature.factor for feature in fixed])
    # All that the columns and the target have to say is in the triangle of their decomposition.
    triangle = np.linalg.qr(np.column_stack([design, target.numpy()]), mode="r")

    def misfit(theta: Array) -> Array:
        known = dict(zip(names, map(float, theta), strict=True))
        if not varying:
            return np.asarray(triangle @ np.array([*factors(known), -1.0]))
        predicted = design @ np.array(factors(known), dtype=float) if fixed else np.zeros(len(target))
        for feature in varying:
            predicted = predicted + weak.scaled(feature, weak.value(feature, known)).numpy()
        return np.asarray(predicted - target.numpy())

    best, least = _best(model, misfit, 4 if varying else _STARTS)
    return best, 2 * least / max(float(target.square().sum()), 1e-300)


def _best(model: Model, misfit: Callable[[Array], Array], count: int) -> tuple[Array, float]:
    low, high = model.bounds
    draw = np.random.default_rng(0)
    centre = np.array([each.example if each.example is not None else 0.3 for each in model.coefficients])
    best, least = np.clip(centre, low, high), np.inf
    for index in range(count):
        guess = centre * (1.0 if index == 0 else np.exp(1.5 * draw.standard_normal(len(centre))))
        guess = np.where((index % 2 == 1) & (low < 0) & (high > 0), guess * draw.choice([-1, 1], len(centre)), guess)
        guess = np.clip(guess, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
        with np.errstate(all="ignore"):
            try:
                found = scipy.optimize.least_squares(misfit, guess, bounds=(low, high), x_scale=np.abs(guess) + 1e-3)
            except ValueError:
                # Not finite there.
                continue
        if found.cost < least * (1 - 1e-9):
            best, least = found.x, found.cost
    return np.asarray(best), float(least)


def has_flow(model: Model) -> bool:
    """Whether the equation moves a pattern: a first derivative of a field stands alone."""
    return any(
        operator.coeff(axis, 1) != 0 for linear, _ in model.split for operator, _ in linear.terms for axis in (X, Y)
    )


def drift(model: Model, theta: Array) -> tuple[float, float]:
    """Velocity (vy, vx) with which the linear part moves the first field."""
    known = {sympy.Symbol(name): value for name, value in zip(model.names, theta, strict=True)}
    linear, _ = model.split[0]
    speeds = [
        -sum((factor * operator.coeff(axis, 1) for operator, factor in linear.terms), sympy.Integer(0))
        for axis in (Y, X)
    ]
    values = [speed.subs(known) for speed in speeds]
    vy, vx = (float(value) if value.is_number else 0.0 for value in values)
    return vy, vx


def spread(model: Model, theta: Array) -> float:
    """Diffusion coefficient of the linear part of the first field, the larger of both axes; at least 0."""
    known = {sympy.Symbol(name): value for name, value in zip(model.names, theta, strict=True)}
    linear, _ = model.split[0]
    found = [0.0]
    for axis in (Y, X):
        value = sum((factor * operator.coeff(axis, 2) for operator, factor in linear.terms), sympy.Integer(0)).subs(
            known
        )
        found += [float(value)] if value.is_number else []
    return max(found)


def start_values(model: Model, grid: Grid, times: Array, frames: Array, *, margin: int = 0) -> tuple[Array, float]:
    """As :func:`regress`, with the flow found first, from frames ``(time, field, y, x)`` without gaps."""
    if not has_flow(model):
        return regress(model, grid, times, frames, margin=margin)
    inner = frames[:, 0, margin or None : -margin or None, margin or None : -margin or None]
    velocity = flow(inner, times, grid.spacing)
    return regress(model, grid, times, moved(frames, times, grid.spacing, velocity), velocity=velocity, margin=margin)
