"""Right-hand sides as sums ``Σ Pᵢ fᵢ(Q u; θ)`` of operators of pointwise expressions, and the algebra of such sums.

P and Q are operators with constant coefficients (:mod:`~.operators`); fᵢ is a SymPy expression in the coefficients θ
and in atoms, each a symbol that stands for an operator Q of one field.
"""

from dataclasses import dataclass, field

import sympy

from safe_pit_cm.models.operators import BACKWARD, FORWARD, IDENTITY, LAPLACE, MEAN, X, Y


class FormError(ValueError):
    """An expression that has no normal form; the message completes a sentence about the equation."""


# More summands than this, an equation is a mistake or an attack; SymPy would take minutes to expand it.
_LARGEST_SUM = 400


@dataclass
class Atoms:
    """Symbols of the fields and of operators of them."""

    fields: tuple[str, ...]
    known: dict[sympy.Symbol, tuple[int, sympy.Expr]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, name in enumerate(self.fields):
            self.known[sympy.Symbol(name)] = (index, IDENTITY)

    def of(self, index: int, operator: sympy.Expr) -> sympy.Symbol:
        """Atom of an operator of a field."""
        if operator == IDENTITY:
            return sympy.Symbol(self.fields[index])
        # Brackets occur in no name that a text can hold.
        atom = sympy.Symbol(f"{self.fields[index]}[{operator}]")
        self.known[atom] = (index, operator)
        return atom

    def applied(self, operator: sympy.Expr, atom: sympy.Symbol) -> sympy.Symbol:
        """Atom of an operator of an atom."""
        index, inner = self.known[atom]
        return self.of(index, sympy.expand(operator * inner))

    def within(self, expression: sympy.Expr) -> list[sympy.Symbol]:
        """Atoms of an expression, by name."""
        return sorted(expression.free_symbols & self.known.keys(), key=lambda atom: atom.name)


def summands(expression: sympy.Expr) -> int:
    """Upper limit of the number of summands when an expression is expanded."""
    if expression.is_Add:
        return sum(summands(part) for part in expression.args)
    if expression.is_Mul:
        count = 1
        for part in expression.args:
            count *= summands(part)
        return count
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return summands(expression.base) ** int(expression.exp)
    return max([1, *(summands(part) for part in expression.args)])


def expanded(expression: sympy.Expr) -> sympy.Expr:
    """The expression as a sum of products.

    Raises
    ------
    FormError
        If it has too many summands.
    """
    if summands(expression) > _LARGEST_SUM:
        raise FormError(f"it has more than {_LARGEST_SUM} terms when its products are multiplied out")
    return sympy.expand(expression)


@dataclass(frozen=True)
class Form:
    """Sum of operators of pointwise expressions."""

    atoms: Atoms
    terms: dict[sympy.Expr, sympy.Expr]

    @staticmethod
    def pointwise(atoms: Atoms, expression: sympy.Expr) -> "Form":
        """The form without an operator in front."""
        return Form(atoms, {IDENTITY: expression})

    def plus(self, other: "Form") -> "Form":
        """Sum of two forms."""
        terms = dict(self.terms)
        for operator, expression in other.terms.items():
            terms[operator] = terms.get(operator, sympy.Integer(0)) + expression
        return Form(self.atoms, terms)

    def under(self, operator: sympy.Expr) -> "Form":
        """An operator of the form."""
        total = Form(self.atoms, {})
        for inner, expression in self.terms.items():
            total = total.plus(Form(self.atoms, {sympy.expand(operator * inner): expression}))
        return total

    def scalar(self) -> sympy.Expr:
        """The form as a pointwise expression, operators of linear expressions becoming atoms.

        Raises
        ------
        FormError
            If an operator acts on a nonlinear expression.
        """
        total = sympy.Integer(0)
        for operator, expression in self.terms.items():
            if operator == IDENTITY:
                total += expression
                continue
            rest = expanded(expression)
            for atom in self.atoms.within(rest):
                slope = sympy.diff(rest, atom)
                if self.atoms.within(slope):
                    raise FormError(
                        "it multiplies the derivative of a nonlinear expression by something that varies; write such "
                        "a derivative out by the chain rule, or bring it into the form div(D, u)"
                    )
                total += slope * self.atoms.applied(operator, atom)
        return total

    def times(self, other: "Form") -> "Form":
        """Product of two forms; at least one must be pointwise unless the other does not vary."""
        for one, factor in ((self, other), (other, self)):
            if factor.is_constant:
                constant = factor.terms.get(IDENTITY, sympy.Integer(0))
                return Form(self.atoms, {operator: part * constant for operator, part in one.terms.items()})
        return Form.pointwise(self.atoms, self.scalar() * other.scalar())

    @property
    def is_constant(self) -> bool:
        """Whether no field occurs."""
        return set(self.terms) <= {IDENTITY} and not any(self.atoms.within(part) for part in self.terms.values())


@dataclass(frozen=True)
class Vector:
    """Sum of gradients ``a ∇b``, each a pointwise factor a and a form b."""

    parts: tuple[tuple[sympy.Expr, Form], ...]

    def times(self, factor: sympy.Expr) -> "Vector":
        """Product with a pointwise factor."""
        return Vector(tuple((factor * scale, form) for scale, form in self.parts))

    def dot(self, other: "Vector", atoms: Atoms) -> Form:
        """Scalar product of two vectors."""
        total = sympy.Integer(0)
        for first, one in self.parts:
            for second, two in other.parts:
                for axis in (X, Y):
                    total += first * second * one.under(axis).scalar() * two.under(axis).scalar()
        return Form.pointwise(atoms, total)

    def divergence(self, atoms: Atoms) -> Form:
        """∇·(a ∇b): compact, and conserving the sum of the field exactly."""
        total = Form(atoms, {})
        for scale, form in self.parts:
            total = total.plus(_flux_divergence(scale, form, atoms))
        return total


def _flux_divergence(scale: sympy.Expr, form: Form, atoms: Atoms) -> Form:
    if not atoms.within(scale):
        return form.under(LAPLACE).times(Form.pointwise(atoms, scale))
    inner = form.scalar()
    varying = sorted({*atoms.within(scale), *atoms.within(inner)}, key=lambda atom: atom.name)
    if len(varying) == 1:
        # Kirchhoff's transform: ∇·(a(u) ∇g(u)) = ∇² of the integral of a g'.
        slope = expanded(scale * sympy.diff(inner, varying[0]))
        if slope.is_polynomial(varying[0]):
            return Form(atoms, {LAPLACE: sympy.integrate(slope, varying[0])})
    total = Form(atoms, {})
    for forward, backward, mean in zip(FORWARD, BACKWARD, MEAN, strict=True):
        halfway = {atom: atoms.applied(mean, atom) for atom in varying}
        slope = sum(
            (sympy.diff(inner, atom).xreplace(halfway) * atoms.applied(forward, atom) for atom in atoms.within(inner)),
            sympy.Integer(0),
        )
        total = total.plus(Form(atoms, {backward: scale.xreplace(halfway) * slope}))
    return total
