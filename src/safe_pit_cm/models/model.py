"""An evolution equation with named coefficients, from a text: its normal form, coefficients and units."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import sympy

from safe_pit_cm.errors import UserError
from safe_pit_cm.models import dimensions, operators, text
from safe_pit_cm.models.forms import Form, FormError, expanded
from safe_pit_cm.models.operators import IDENTITY, LAPLACE
from safe_pit_cm.numerics.arrays import Array

Sign = Literal["positive", "negative", "any"]


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of an equation.

    Attributes
    ----------
    name
        In the text of the equation.
    low, high
        Bounds, from which its sign follows.
    example
        A value for simulations; None where none is known.
    meaning
        What it is, in a few words.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    example: float | None = None
    meaning: str = ""

    @property
    def sign(self) -> Sign:
        """The sign that the bounds declare."""
        if self.low >= 0:
            return "positive"
        return "negative" if self.high <= 0 else "any"


@dataclass(frozen=True)
class Linear:
    """Linear part of a right-hand side: operators of the field itself, each with a factor that is free of fields."""

    terms: tuple[tuple[sympy.Expr, sympy.Expr], ...]


@dataclass(frozen=True)
class Model:
    """Evolution equation ``∂u/∂t = L(θ) u + Σ Pᵢ fᵢ(Q u; θ)`` of one field or several.

    L, Pᵢ and Q are operators with constant coefficients; fᵢ act on each pixel by itself.

    Attributes
    ----------
    name
        Of the equation; the text where it has none.
    source
        Text of the equation.
    fields
        Names of the fields.
    forms
        Right-hand side of each field.
    coefficients
        That are estimated, in the order of their names in the text of a catalogue, else by name.
    fixed
        Values of the coefficients that are not.
    title, citation
        What the equation describes, and where it was first written down.
    """

    name: str
    source: str
    fields: tuple[str, ...]
    forms: tuple[Form, ...]
    coefficients: tuple[Coefficient, ...]
    fixed: Mapping[str, float]
    title: str = ""
    citation: str = ""

    @classmethod
    def of_text(
        cls,
        source: str,
        *,
        fix: Mapping[str, float] | None = None,
        bounds: Mapping[str, Sequence[float | None]] | None = None,
        name: str | None = None,
    ) -> "Model":
        """Equation from a text; without bounds, a coefficient may have either sign.

        Parameters
        ----------
        source
            Such as ``D*laplace(u) + r*u*(1 - u/K)``, see :mod:`safe_pit_cm.models.text`.
        fix
            Values of coefficients that are known.
        bounds
            (low, high) by coefficient; None for no bound.
        name
            Of the equation.

        Raises
        ------
        UserError
            If the text is no equation, or a name is none of its coefficients.
        """
        fields, forms, names, _ = text.read(source)
        ordered = sorted(names, key=lambda each: (source.index(each), each))
        model = cls(name or source.strip(), source, fields, tuple(forms), tuple(map(Coefficient, ordered)), {})
        model = model.bounded(bounds or {}).with_fixed(fix or {})
        # An equation without a normal form is refused here rather than where it is first used.
        _ = model.split
        return model

    def bounded(self, bounds: Mapping[str, Sequence[float | None]]) -> "Model":
        """The same with other bounds of some coefficients."""
        found = {each.name: each for each in self.coefficients}
        for name, pair in bounds.items():
            self._check_known(name)
            if isinstance(pair, str) or len(pair) != 2:
                raise UserError(f"the bounds of {name} are {pair!r}; give two numbers, low and high")
            low = -math.inf if pair[0] is None else float(pair[0])
            high = math.inf if pair[1] is None else float(pair[1])
            if not low < high:
                raise UserError(f"the bounds of {name} are {low:g} and {high:g}; the first must be smaller")
            found[name] = replace(found[name], low=low, high=high)
        return replace(self, coefficients=tuple(found.values()))

    def with_fixed(self, values: Mapping[str, float]) -> "Model":
        """The same with known values of some coefficients."""
        for name, value in values.items():
            self._check_known(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise UserError(f"the value of {name} is {value!r}; give a finite number")
        known = {symbol(name): sympy.Float(float(value)) for name, value in values.items()}
        forms = tuple(
            Form(form.atoms, {operator: part.xreplace(known) for operator, part in form.terms.items()})
            for form in self.forms
        )
        if any(part.has(sympy.zoo, sympy.nan, sympy.oo) for form in forms for part in form.terms.values()):
            shown = ", ".join(f"{name} = {value:g}" for name, value in values.items())
            raise UserError(f"the equation divides by zero with {shown}; give other values")
        free = tuple(each for each in self.coefficients if each.name not in values)
        return replace(
            self,
            forms=forms,
            coefficients=free,
            fixed={**self.fixed, **{name: float(value) for name, value in values.items()}},
        )

    def _check_known(self, name: str) -> None:
        names = [each.name for each in self.coefficients]
        if name not in names:
            raise UserError(
                f"{name!r} is no coefficient of the equation {self.name}; its coefficients are {', '.join(names)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients that are estimated."""
        return tuple(each.name for each in self.coefficients)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bound of every coefficient."""
        low, high = ([getattr(each, end) for each in self.coefficients] for end in ("low", "high"))
        return np.array(low), np.array(high)

    @cached_property
    def split(self) -> tuple[tuple[Linear, Form], ...]:
        """Linear part and the rest of every right-hand side."""
        try:
            return tuple(_split(index, form) for index, form in enumerate(self.forms))
        except FormError as error:
            raise UserError(f"the equation {self.name} cannot be used: {error}") from None

    @property
    def is_linear(self) -> bool:
        """Whether the equation of one field is linear in it, up to a constant source."""
        return len(self.fields) == 1 and not any(
            form.atoms.within(part) for _, form in self.split for part in form.terms.values()
        )

    @property
    def is_even(self) -> bool:
        """Whether the equation is the same in a mirror, as a boundary without flux needs."""
        found = [
            operator for linear, form in self.split for operator in (*(each for each, _ in linear.terms), *form.terms)
        ]
        used = [
            form.atoms.known[atom][1]
            for _, form in self.split
            for part in form.terms.values()
            for atom in form.atoms.within(part)
        ]
        return all(operators.is_even(operator) for operator in (*found, *used))

    @property
    def diffusivity(self) -> str | None:
        """Name of the coefficient if the equation is that of diffusion and nothing else."""
        if len(self.coefficients) != 1 or not self.is_linear or len(self.split[0][0].terms) != 1:
            return None
        ((operator, factor),) = self.split[0][0].terms
        is_diffusion = operator == LAPLACE and factor == symbol(self.names[0]) and not _nonzero(self.split[0][1])
        return self.names[0] if is_diffusion else None

    @cached_property
    def _units(self) -> tuple[dict[str, dimensions.Exponents | None], bool]:
        # With the values of fixed coefficients gone, their units would be gone as well.
        _, forms, names, _ = text.read(self.source)
        return dimensions.derive(forms, sorted(names))

    def unit(self, name: str, length: str = "length", time: str = "time", amount: str = "field") -> str:
        """Unit of a coefficient, from the units of length, time and field."""
        exponents, pure = self._units
        return dimensions.unit(exponents[name], length, time, "1" if pure else amount)

    @property
    def needs_pure_field(self) -> bool:
        """Whether the field must be a pure number: the equation has levels of its own, such as wells at ±1."""
        return self._units[1]


def symbol(name: str) -> sympy.Symbol:
    """SymPy symbol of a coefficient."""
    return sympy.Symbol(name)


def _nonzero(form: Form) -> bool:
    return any(part != 0 for part in form.terms.values())


def _split(index: int, form: Form) -> tuple[Linear, Form]:
    """Linear part of the right-hand side of a field, and the rest."""
    linear: dict[sympy.Expr, sympy.Expr] = {}
    rest: dict[sympy.Expr, sympy.Expr] = {}
    for operator, expression in form.terms.items():
        remainder = sympy.Integer(0)
        for summand in sympy.Add.make_args(expanded(expression)):
            used = form.atoms.within(summand)
            if len(used) == 1 and form.atoms.known[used[0]][0] == index:
                slope = summand / used[0]
                if not form.atoms.within(slope):
                    whole = sympy.expand(operator * form.atoms.known[used[0]][1])
                    linear[whole] = linear.get(whole, sympy.Integer(0)) + slope
                    continue
            # A derivative of what does not vary is zero.
            if used or operator == IDENTITY:
                remainder += summand
        if remainder != 0:
            rest[operator] = sympy.factor_terms(remainder)
    # Operators with one factor are one operator: D ∂²/∂y² + D ∂²/∂x² is D times the Laplacian.
    merged: dict[sympy.Expr, sympy.Expr] = {}
    for operator, factor in linear.items():
        factor = sympy.expand(factor)
        if factor != 0:
            merged[factor] = merged.get(factor, sympy.Integer(0)) + operator
    return Linear(tuple((operator, factor) for factor, operator in merged.items())), Form(form.atoms, rest)
