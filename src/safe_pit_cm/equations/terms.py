"""Terms and equations: the one place where stencils and symbols are written down.

A term is a coefficient times a sum of derivatives ∂ᵐ/∂yᵐ ∂ⁿ/∂xⁿ. Its stencil, the symbol of that stencil, the symbol
of the continuous operator and its parity all follow from the orders (m, n), on the grid from two differences:

    first derivative    (φ₊ − φ₋)/(2Δ)           symbol  i sin(κΔ)/Δ             (continuous  iκ)
    second derivative   (φ₊ − 2φ + φ₋)/Δ²        symbol  −((2/Δ) sin(κΔ/2))²     (continuous  −κ²)

Higher orders are products of these. An equation ``∂φ/∂t = Σ sign · θ · term`` is a sum of such terms. Nothing heavy is
imported here: the workflow reads this module whenever it is parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Orders = tuple[int, int]
Offset = tuple[int, int]

_FIRST: dict[int, float] = {-1: -0.5, 1: 0.5}
_SECOND: dict[int, float] = {-1: 1.0, 0: -2.0, 1: 1.0}


def axis_stencil(order: int) -> dict[int, float]:
    """Weights of a derivative along one axis, by offset in pixels, for grid spacing 1."""
    weights: dict[int, float] = {0: 1.0}
    for factor in (order % 2) * [_FIRST] + (order // 2) * [_SECOND]:
        product: dict[int, float] = {}
        for offset, weight in weights.items():
            for shift, other in factor.items():
                product[offset + shift] = product.get(offset + shift, 0.0) + weight * other
        weights = product
    return weights


def axis_symbol(order: int, wavenumber: Any, spacing: float, *, continuous: bool = False) -> Any:
    """Symbol of the derivative of an order along one axis.

    Parameters
    ----------
    order
        Order of the derivative, at least 0.
    wavenumber
        κ, an array of NumPy or torch of any shape, 1/length.
    spacing
        Grid spacing Δ along the axis, length.
    continuous
        Whether the symbol is that of the continuous operator rather than of its stencil.

    Returns
    -------
    array
        Shape of ``wavenumber``, 1/lengthᵒʳᵈᵉʳ; complex for an odd order, else real.
    """
    from safe_pit_cm.numerics.arrays import namespace

    xp = namespace(wavenumber)
    symbol = None
    if order >= 2:
        second = wavenumber if continuous else 2.0 / spacing * xp.sin(wavenumber * spacing / 2)
        symbol = (-xp.square(second)) ** (order // 2) if order >= 4 else -xp.square(second)
    if order % 2:
        first = 1j * (wavenumber if continuous else xp.sin(wavenumber * spacing) / spacing)
        symbol = first if symbol is None else first * symbol
    return xp.ones_like(wavenumber) if symbol is None else symbol


@dataclass(frozen=True)
class Term:
    """A coefficient times a sum of derivatives of one total order.

    Attributes
    ----------
    coefficient
        Name of the parameter that multiplies it.
    derivatives
        Orders (m, n) along y and x of each derivative of the sum.
    sign
        +1 or −1: the sign with which the term enters the right-hand side.

    Raises
    ------
    ValueError
        If the derivatives differ in their total order: they would differ in unit.
    """

    coefficient: str
    derivatives: tuple[Orders, ...]
    sign: float = 1.0

    def __post_init__(self) -> None:
        if len({sum(orders) for orders in self.derivatives}) != 1:
            raise ValueError(f"the derivatives {self.derivatives} of {self.coefficient} differ in their total order")

    @property
    def order(self) -> int:
        """Total order of the derivatives."""
        return sum(self.derivatives[0])

    @property
    def parity(self) -> Literal["even", "odd"]:
        """``even`` where the symbol is real, as of diffusion; ``odd`` where it is imaginary, as of advection."""
        return "odd" if self.order % 2 else "even"

    @cached_property
    def stencil(self) -> dict[Offset, float]:
        """Weights by offset (Δrow, Δcolumn), for grid spacing 1; neighbours along y first, the centre last."""
        weights: dict[Offset, float] = {}
        for along_y, along_x in self.derivatives:
            for row, first in axis_stencil(along_y).items():
                for column, second in axis_stencil(along_x).items():
                    weights[row, column] = weights.get((row, column), 0.0) + first * second
        kept = [offset for offset, weight in weights.items() if weight]
        kept.sort(key=lambda offset: (offset == (0, 0), abs(offset[1]), offset))
        return {offset: weights[offset] for offset in kept}

    @property
    def halo(self) -> int:
        """Pixels beyond the frame that the stencil reads."""
        return max(max(map(abs, offset)) for offset in self.stencil)

    def apply(self, padded: Any, spacing: float) -> Any:
        """Stencil on a padded field, without coefficient and sign.

        Parameters
        ----------
        padded
            Shape ``(..., y + 2 halo, x + 2 halo)``, an array of NumPy or torch.
        spacing
            Grid spacing Δ, the same along y and x, length.

        Returns
        -------
        array
            Shape ``(..., y, x)``, field units per lengthᵒʳᵈᵉʳ.
        """
        halo = self.halo
        rows, columns = padded.shape[-2] - 2 * halo, padded.shape[-1] - 2 * halo
        total: Any = None
        for (row, column), weight in self.stencil.items():
            view = padded[..., halo + row : halo + row + rows, halo + column : halo + column + columns]
            part = view if weight == 1 else view * weight
            if total is None:
                total, fresh = part, weight != 1
            elif fresh:
                # The gradient of a sum does not depend on its summands, so it may be formed in place.
                total += part
            else:
                total, fresh = total + part, True
        return total / spacing**self.order

    def symbol(self, wavenumbers: tuple[Any, Any], spacing: tuple[float, float], *, continuous: bool = False) -> Any:
        """Symbol of the stencil, or of the continuous operator, without coefficient and sign.

        Parameters
        ----------
        wavenumbers
            κ along y and along x, arrays that broadcast against each other, 1/length.
        spacing
            Grid spacing (Δy, Δx), length.
        continuous
            Whether the operator is continuous in space.

        Returns
        -------
        array
            Broadcast shape, 1/lengthᵒʳᵈᵉʳ.
        """
        total = None
        for orders in self.derivatives:
            parts = [
                axis_symbol(order, wavenumber, pixel, continuous=continuous)
                for order, wavenumber, pixel in zip(orders, wavenumbers, spacing, strict=True)
                if order
            ]
            if not parts:
                from safe_pit_cm.numerics.arrays import namespace

                # A term without derivatives multiplies every wave by one.
                parts = [namespace(*wavenumbers).ones_like(wavenumbers[0] + wavenumbers[1])]
            part = parts[0] if len(parts) == 1 else parts[0] * parts[1]
            total = part if total is None else total + part
        return total

    def largest_symbol(self, spacing: float) -> float:
        """Largest modulus of an even term's symbol: that of the checkerboard, which an even grid reaches.

        Raises
        ------
        ValueError
            If the term is odd: the checkerboard is then not the extreme.
        """
        if self.parity == "odd":
            raise ValueError(f"the term of {self.coefficient} is odd; its symbol is not largest at the checkerboard")
        checkerboard = sum(weight * (-1.0) ** (row + column) for (row, column), weight in self.stencil.items())
        return abs(checkerboard) / spacing**self.order


@dataclass(frozen=True)
class Parameter:
    """A parameter of an equation: its name, symbol, unit and bounds."""

    name: str
    symbol: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Equation:
    """An evolution equation ``∂φ/∂t = Σ sign · θ · term``, linear in its parameters θ.

    Attributes
    ----------
    name
        Of the equation.
    terms
        Of its right-hand side.
    parameters
        Coefficients of the terms, with unit and bounds.

    Raises
    ------
    ValueError
        If a term's coefficient is no parameter, or a parameter has no term.
    """

    name: str
    terms: tuple[Term, ...]
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        used, known = {term.coefficient for term in self.terms}, {parameter.name for parameter in self.parameters}
        if used != known:
            raise ValueError(f"the coefficients {sorted(used)} of {self.name} are not its parameters {sorted(known)}")

    @property
    def halo(self) -> int:
        """Pixels beyond the frame that the stencils read."""
        return max(term.halo for term in self.terms)

    def right_hand_side(self, padded: Any, theta: Mapping[str, Any], spacing: float) -> Any:
        """∂φ/∂t by stencils.

        Parameters
        ----------
        padded
            Field with a halo, ``(..., y + 2 halo, x + 2 halo)``; all terms must have the same halo.
        theta
            Value of every parameter: a number, or an array that broadcasts against ``(..., y, x)``.
        spacing
            Grid spacing Δ, the same along y and x, length.

        Returns
        -------
        array
            Shape ``(..., y, x)``, field units per time.
        """
        total = None
        for term in self.terms:
            part = term.sign * theta[term.coefficient] * term.apply(padded, spacing)
            total = part if total is None else total + part
        return total

    def rates(
        self,
        theta: Mapping[str, Any],
        wavenumbers: tuple[Any, Any],
        spacing: tuple[float, float],
        *,
        continuous: bool = False,
    ) -> Any:
        """Rates s at which the modes decay, ``∂φ̂/∂t = −s φ̂``, exact in time; arguments as for :meth:`Term.symbol`."""
        total = None
        for term in self.terms:
            symbol = term.symbol(wavenumbers, spacing, continuous=continuous)
            part = -term.sign * theta[term.coefficient] * symbol
            total = part if total is None else total + part
        return total

    def stability_number(self, theta: Mapping[str, float], step: float, spacing: float) -> float:
        """Largest |s| Δτ of forward Euler with steps Δτ; an equation that decays is stable up to 2 (Eq. 4)."""
        return sum(abs(theta[term.coefficient]) * step * term.largest_symbol(spacing) for term in self.terms)


_LAPLACIAN: tuple[Orders, ...] = ((2, 0), (0, 2))
_INFINITE = float("inf")

#: ∂φ/∂t = D ∇²φ, the smoothing process of the paper: α = −D.
DIFFUSION = Equation(
    "diffusion",
    (Term("diffusivity", _LAPLACIAN),),
    (Parameter("diffusivity", "D", "length²/time", 0.0, _INFINITE),),
)
#: ∂φ/∂t = −M ∇²φ, the sharpening process: α = +M.
MOBILITY = Equation(
    "mobility",
    (Term("mobility", _LAPLACIAN, sign=-1.0),),
    (Parameter("mobility", "M", "length²/time", 0.0, _INFINITE),),
)
#: ∂φ/∂t = −α ∇²φ, both in one, with the signed coefficient of the paper (§2.1).
TRANSPORT = Equation(
    "transport",
    (Term("alpha", _LAPLACIAN, sign=-1.0),),
    (Parameter("alpha", "α", "length²/time", -_INFINITE, _INFINITE),),
)
EQUATIONS: dict[str, Equation] = {equation.name: equation for equation in (DIFFUSION, MOBILITY, TRANSPORT)}
