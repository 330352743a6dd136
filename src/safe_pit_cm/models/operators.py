"""Difference operators as polynomials: their stencils, their symbols, and the symbols of the continuous operators.

An operator is a polynomial in commuting SymPy symbols, so that applying one to another is a product:

``X``, ``Y``
    First derivatives. On the grid, as in :mod:`safe_pit_cm.equations.terms`, an even power is a product of three-point
    second differences, an odd power has one central difference more.
``XF``, ``XB``, ``XM`` (and along y)
    Forward difference, backward difference, and mean of a pixel and the next: between them a flux is evaluated halfway
    between pixels, ``XB(a(XM u) · XF u)``, where two central differences would couple every second pixel alone.
"""

from functools import cache
from typing import Any

import numpy as np
import sympy

from safe_pit_cm.equations.terms import Offset, axis_stencil, axis_symbol
from safe_pit_cm.numerics.arrays import namespace

X, Y = sympy.symbols("X Y")
FORWARD = sympy.symbols("YF XF")
BACKWARD = sympy.symbols("YB XB")
MEAN = sympy.symbols("YM XM")
IDENTITY: sympy.Expr = sympy.Integer(1)
LAPLACE: sympy.Expr = X**2 + Y**2

_CENTRED = (Y, X)
_GENERATORS = (*_CENTRED, *FORWARD, *BACKWARD, *MEAN)
# Weights by offset along an axis, and the power of the grid spacing that divides them.
_ONE_SIDED: dict[sympy.Symbol, tuple[int, dict[int, float], int]] = {
    generator: (axis, weights, order)
    for generators, weights, order in (
        (FORWARD, {0: -1.0, 1: 1.0}, 1),
        (BACKWARD, {-1: -1.0, 0: 1.0}, 1),
        (MEAN, {0: 0.5, 1: 0.5}, 0),
    )
    for axis, generator in enumerate(generators)
}


def _convolved(first: dict[int, float], second: dict[int, float]) -> dict[int, float]:
    product: dict[int, float] = {}
    for offset, weight in first.items():
        for shift, other in second.items():
            product[offset + shift] = product.get(offset + shift, 0.0) + weight * other
    return product


@cache
def monomials(operator: sympy.Expr) -> tuple[tuple[float, tuple[dict[sympy.Symbol, int], ...]], ...]:
    """Summands of an operator: the factor of each, and the powers of the generators along y and along x."""
    poly = sympy.Poly(operator, *_GENERATORS)
    found = []
    for powers, factor in poly.terms():
        axes: tuple[dict[sympy.Symbol, int], ...] = ({}, {})
        for index, power in enumerate(powers):
            if power:
                axes[index % 2][_GENERATORS[index]] = power
        found.append((float(factor), axes))
    return tuple(found)


def _axis(powers: dict[sympy.Symbol, int]) -> tuple[dict[int, float], int]:
    """Weights along one axis for grid spacing 1, and the order of the derivative."""
    weights: dict[int, float] = {0: 1.0}
    order = 0
    for generator, power in powers.items():
        if generator in _CENTRED:
            factor, rank, times = axis_stencil(power), power, 1
        else:
            _, factor, rank = _ONE_SIDED[generator]
            times = power
        for _ in range(times):
            weights = _convolved(weights, factor)
            order += rank
    return weights, order


def order(operator: sympy.Expr) -> int | None:
    """Order of the derivative; None for a sum of different orders."""
    orders = {sum(_axis(powers)[1] for powers in axes) for _, axes in monomials(operator)}
    return orders.pop() if len(orders) == 1 else None


def is_even(operator: sympy.Expr) -> bool:
    """Whether a reflection along either axis leaves the operator as it is: only then do mirrored fields stay so."""
    if not operator.free_symbols <= {X, Y}:
        return False
    return all(power % 2 == 0 for _, axes in monomials(operator) for powers in axes for power in powers.values())


def stencil(operator: sympy.Expr, spacing: tuple[float, float]) -> dict[Offset, float]:
    """Weights by offset (Δrow, Δcolumn) for pixels of size (Δy, Δx), the centre last."""
    weights: dict[Offset, float] = {}
    for factor, axes in monomials(operator):
        (rows, order_y), (columns, order_x) = (_axis(powers) for powers in axes)
        scale = factor / (spacing[0] ** order_y * spacing[1] ** order_x)
        for row, first in rows.items():
            for column, second in columns.items():
                weights[row, column] = weights.get((row, column), 0.0) + scale * first * second
    kept = sorted((offset for offset, weight in weights.items() if weight), key=lambda at: (at == (0, 0), at))
    return {offset: weights[offset] for offset in kept}


def halo(operator: sympy.Expr) -> int:
    """Pixels beyond the frame that the stencil reads."""
    return max((max(map(abs, offset)) for offset in stencil(operator, (1.0, 1.0))), default=0)


def symbol(
    operator: sympy.Expr, wavenumbers: tuple[Any, Any], spacing: tuple[float, float], *, continuous: bool = False
) -> Any:
    """Symbol of the stencil, or of the continuous operator.

    Parameters
    ----------
    operator
        Polynomial in the generators.
    wavenumbers
        κ along y and along x, arrays of NumPy or torch that broadcast against each other, 1/length.
    spacing
        Pixel size (Δy, Δx), length.
    continuous
        Whether the operator is continuous in space. One-sided differences are then derivatives, means the identity, and
        an odd derivative of the shortest wave, of which a grid shows the cosine alone, is zero.

    Returns
    -------
    array
        Broadcast shape, complex unless the operator is even.
    """
    xp = namespace(*wavenumbers)
    total: Any = xp.zeros_like(wavenumbers[0] + wavenumbers[1])
    for factor, axes in monomials(operator):
        part: Any = factor
        for kappa, pixel, powers in zip(wavenumbers, spacing, axes, strict=True):
            if powers:
                part = part * _axis_symbol(powers, kappa, pixel, continuous)
        total = total + part
    return total


def _axis_symbol(powers: dict[sympy.Symbol, int], kappa: Any, pixel: float, continuous: bool) -> Any:
    xp = namespace(kappa)
    if continuous:
        _, order = _axis(powers)
        value = axis_symbol(order, kappa, pixel, continuous=True)
        shortest = xp.abs(kappa) * pixel > np.pi * (1 - 1e-9)
        return xp.where(shortest, xp.zeros_like(value), value) if order % 2 else value
    value = xp.ones_like(kappa)
    for generator, power in powers.items():
        if generator in _CENTRED:
            value = value * axis_symbol(power, kappa, pixel)
        else:
            _, weights, order = _ONE_SIDED[generator]
            wave = sum(weight * xp.exp(1j * (offset * pixel) * kappa) for offset, weight in weights.items())
            value = value * (wave / pixel**order) ** power
    return value
