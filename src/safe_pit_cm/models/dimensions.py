"""Units of coefficients, derived from the dimensions of an equation.

Every summand of the right-hand side of a field has the dimension of the field over time. That makes the exponents of
length, time and field in the unit of each coefficient solve a linear system. Whole numbers are pure numbers; a number
with a decimal point may have any unit. Where a field is added to its own powers (wells at ±1), the field itself must be
a pure number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from safe_pit_cm.models import operators
from safe_pit_cm.models.forms import Form, expanded

LENGTH, TIME, FIELD = range(3)
_BASES = ("length", "time", "field")
_SUPERSCRIPT = str.maketrans("0123456789-/", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᐟ")
Exponents = tuple[sympy.Rational, sympy.Rational, sympy.Rational]
# Exponents of the three bases, each linear in the unknown exponents of the coefficients.
_Dimension = tuple[sympy.Expr, sympy.Expr, sympy.Expr]
_PURE: _Dimension = (sympy.Integer(0),) * 3


def _sum(first: _Dimension, second: _Dimension, factor: sympy.Expr | int = 1) -> _Dimension:
    length, time, amount = (a + factor * b for a, b in zip(first, second, strict=True))
    return length, time, amount


@dataclass
class _System:
    """Equations for the exponents."""

    known: Mapping[sympy.Symbol, _Dimension]
    equations: list[sympy.Expr] = field(default_factory=list)
    unknown: dict[sympy.Symbol, _Dimension] = field(default_factory=dict)

    def of_symbol(self, symbol: sympy.Symbol) -> _Dimension:
        if symbol in self.known:
            return self.known[symbol]
        if symbol not in self.unknown:
            length, time, amount = (sympy.Symbol(f"{symbol.name}:{base}") for base in _BASES)
            self.unknown[symbol] = (length, time, amount)
        return self.unknown[symbol]

    def equal(self, first: _Dimension, second: _Dimension) -> None:
        self.equations += [a - b for a, b in zip(first, second, strict=True) if a != b]

    def of(self, expression: sympy.Expr) -> _Dimension | None:
        """Dimension of an expression; None where it may be any."""
        if expression.is_Symbol:
            return self.of_symbol(expression)
        if expression.is_Add:
            return self._of_sum(expression)
        if expression.is_Mul:
            total, any_unit = _PURE, False
            for part in expression.args:
                found = self.of(part)
                any_unit |= found is None
                total = total if found is None else _sum(total, found)
            return None if any_unit else total
        if expression.is_Pow and expression.exp.is_Rational:
            base = self.of(expression.base)
            return None if base is None else _sum(_PURE, base, expression.exp)
        if expression.is_Float:
            return None
        for part in expression.args:
            # Functions, and powers with a coefficient as their exponent, take and give pure numbers.
            found = self.of(part)
            if found is not None:
                self.equal(found, _PURE)
        return _PURE

    def _of_sum(self, expression: sympy.Expr) -> _Dimension | None:
        found = [each for each in map(self.of, expression.args) if each is not None]
        for other in found[1:]:
            self.equal(found[0], other)
        return found[0] if found else None


def _solve(forms: Sequence[Form], names: Sequence[str], pure_field: bool) -> dict[str, Exponents | None] | None:
    amount = sympy.Integer(0 if pure_field else 1)
    atoms = forms[0].atoms
    known = {
        atom: (sympy.Integer(-(operators.order(operator) or 0)), sympy.Integer(0), amount)
        for atom, (_, operator) in atoms.known.items()
    }
    system = _System(known)
    rate: _Dimension = (sympy.Integer(0), sympy.Integer(-1), amount)
    for form in forms:
        for operator, expression in form.terms.items():
            order = operators.order(operator)
            if order is None:
                return None
            inverse_length: _Dimension = (sympy.Integer(-order), sympy.Integer(0), sympy.Integer(0))
            for summand in sympy.Add.make_args(expanded(expression)):
                found = system.of(summand)
                if found is not None:
                    system.equal(_sum(found, inverse_length), rate)
    variables = [each for name in names for each in system.of_symbol(sympy.Symbol(name))]
    solutions = sympy.linsolve(system.equations, variables) if system.equations else {tuple(variables)}
    if not solutions:
        return None
    (solution,) = solutions
    found_units: dict[str, Exponents | None] = {}
    for index, name in enumerate(names):
        exponents = solution[3 * index : 3 * index + 3]
        found_units[name] = tuple(exponents) if all(each.is_number for each in exponents) else None
    return found_units


def derive(forms: Sequence[Form], names: Sequence[str]) -> tuple[dict[str, Exponents | None], bool]:
    """Exponents of length, time and field in the unit of each coefficient.

    Parameters
    ----------
    forms
        Right-hand side of each field; all fields have one unit.
    names
        Of the coefficients.

    Returns
    -------
    tuple
        Exponents by name, None where the equation leaves them open; and whether the field must be a pure number.
    """
    for pure_field in (False, True):
        found = _solve(forms, names, pure_field)
        if found is not None:
            return found, pure_field
    return dict.fromkeys(names), False


def unit(exponents: Exponents | None, length: str = "length", time: str = "time", amount: str = "field") -> str:
    """Unit in print: ``length²/time``; ``1`` for a pure number, ``?`` where it is not known."""
    if exponents is None:
        return "?"
    over: list[str] = []
    under: list[str] = []
    for base, exponent in zip((length, time, amount), exponents, strict=True):
        if exponent and base != "1":
            size = abs(exponent)
            power = base if size == 1 else base + str(size).translate(_SUPERSCRIPT)
            (over if exponent > 0 else under).append(power)
    if not under:
        return " ".join(over) or "1"
    divisor = under[0] if len(under) == 1 else f"({' '.join(under)})"
    return f"{' '.join(over) or '1'}/{divisor}"
