"""Evaluate SymPy expressions on arrays of NumPy or torch, by a list of operations and without generated code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from safe_pit_cm.numerics.arrays import namespace

_FUNCTIONS = {sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tanh: "tanh"}


@dataclass(frozen=True)
class Pointwise:
    """Expressions that are evaluated together, common parts once.

    Attributes
    ----------
    parts
        Symbols of common parts, and what they stand for, in the order of their evaluation.
    results
        The expressions, in terms of the symbols.
    """

    parts: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    results: tuple[sympy.Expr, ...]

    @classmethod
    def of(cls, expressions: Sequence[sympy.Expr]) -> "Pointwise":
        """Find the common parts of expressions, polynomials in Horner's form."""
        symbols = sympy.numbered_symbols("part:")
        parts, results = sympy.cse([_nested(each) for each in expressions], symbols)
        return cls(tuple(parts), tuple(results))

    def __call__(self, values: Mapping[sympy.Symbol, Any]) -> list[Any]:
        """Values of the expressions.

        Parameters
        ----------
        values
            Value of every symbol: a number, or an array; arrays broadcast against each other.

        Returns
        -------
        list
            A value for each expression: a number where it contains no array, and as NumPy has it: infinite or NaN
            where there is none.
        """
        known = dict(values)
        for symbol, part in self.parts:
            known[symbol] = _value(part, known)
        return [_value(result, known) for result in self.results]


def _nested(expression: sympy.Expr) -> sympy.Expr:
    if not expression.is_Add or not expression.is_polynomial():
        return expression
    return sympy.horner(expression) if len(expression.free_symbols) <= 6 else expression


def _value(expression: sympy.Expr, known: Mapping[sympy.Symbol, Any]) -> Any:
    if expression.is_Symbol:
        return known[expression]
    if expression.is_number:
        try:
            return float(expression)
        except TypeError:
            # A root of a negative number.
            return math.nan
    if expression.is_Add or expression.is_Mul:
        total = _value(expression.args[0], known)
        for part in expression.args[1:]:
            other = _value(part, known)
            total = total + other if expression.is_Add else total * other
        return total
    if expression.is_Pow:
        base = _value(expression.base, known)
        try:
            power = _power(base, expression.exp, known)
        except (OverflowError, ZeroDivisionError):
            return math.inf
        return math.nan if isinstance(power, complex) else power
    (argument,) = (_value(part, known) for part in expression.args)
    return _function(_FUNCTIONS[type(expression)], argument)


def _function(name: str, argument: Any) -> Any:
    if isinstance(argument, float | int):
        try:
            return getattr(math, name)(argument)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan
    return getattr(namespace(argument), name)(argument)


def _power(base: Any, exponent: sympy.Expr, known: Mapping[sympy.Symbol, Any]) -> Any:
    if exponent == -1:
        return 1.0 / base
    if exponent == sympy.Rational(1, 2):
        return base**0.5
    if exponent.is_Integer and abs(int(exponent)) <= 8:
        # By products: a general power takes fifty times as long.
        product: Any = None
        square, left = base, abs(int(exponent))
        while left:
            if left & 1:
                product = square if product is None else product * square
            left >>= 1
            square = square * square if left else square
        return product if exponent > 0 else 1.0 / product
    return base ** _value(exponent, known)
