"""Read the right-hand side of an evolution equation from a text.

The text is Python's notation for an expression, of which only what is named here is accepted: numbers, names, the four
operations, powers, the operators ``dx``, ``dy``, ``laplace``, ``grad``, ``div`` and ``dot``, and a few functions. It is
parsed to a syntax tree, of which every node is looked up in a table; nothing is executed, and nothing is handed to a
function that executes text.
"""

import ast
import keyword
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy

from safe_pit_cm.errors import UserError
from safe_pit_cm.models.forms import Atoms, Form, FormError, Vector
from safe_pit_cm.models.operators import LAPLACE, X, Y

FUNCTIONS: dict[str, Callable[[sympy.Expr], sympy.Expr]] = {
    name: getattr(sympy, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")
}
_OPERATORS = {"dx": X, "dy": Y, "laplace": LAPLACE}
RESERVED = frozenset({*FUNCTIONS, *_OPERATORS, "div", "grad", "dot", "t", "x", "y"})
_LONGEST, _DEEPEST, _LARGEST_POWER, _LARGEST_NUMBER = 1000, 40, 8, 1e15

Value = Form | Vector


@dataclass
class _Reader:
    """Turns the nodes of one syntax tree into forms; ``start`` is the column at which its text begins."""

    atoms: Atoms
    text: str
    start: int
    names: set[str]

    def fail(self, node: ast.AST, message: str) -> UserError:
        # Python counts columns in bytes of UTF-8.
        line = self.text.encode()[: getattr(node, "col_offset", 0)]
        column = self.start + len(line.decode(errors="ignore")) + 1
        return UserError(f"the equation cannot be read at column {column}: {message}")

    def read(self, node: ast.expr, depth: int = 0) -> Value:
        if depth > _DEEPEST:
            raise self.fail(node, f"it is nested more than {_DEEPEST} levels deep; simplify it")
        readers: dict[type[ast.expr], Callable[..., Value]] = {
            ast.Constant: self._number,
            ast.Name: self._name,
            ast.UnaryOp: self._sign,
            ast.BinOp: self._operation,
            ast.Call: self._call,
        }
        reader = readers.get(type(node))
        if reader is None:
            raise self.fail(
                node,
                f"{_described(node)} has no meaning in an equation; use numbers, names, + − * / ** "
                "and the operators dx, dy, laplace, grad, div and dot",
            )
        try:
            return reader(node, depth + 1)
        except FormError as error:
            raise self.fail(node, str(error)) from None

    def scalar(self, node: ast.expr, depth: int) -> Form:
        value = self.read(node, depth)
        if isinstance(value, Vector):
            raise self.fail(node, "a gradient stands where a number is needed; take div or dot of it")
        return value

    def _form(self, expression: sympy.Expr) -> Form:
        return Form.pointwise(self.atoms, expression)

    def _number(self, node: ast.Constant, depth: int) -> Form:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(node, f"{_shown(str(value))} is no real number")
        if not abs(value) < _LARGEST_NUMBER:
            raise self.fail(node, f"the number is too large; numbers are below {_LARGEST_NUMBER:g}")
        return self._form(sympy.Integer(value) if isinstance(value, int) else sympy.Float(value))

    def _name(self, node: ast.Name, depth: int) -> Form:
        name = node.id
        if name in RESERVED:
            hint = "the equation must be the same everywhere and always" if name in "txy" else f"write {name}(…)"
            raise self.fail(node, f"{name} is not a coefficient: {hint}")
        if name not in self.atoms.fields:
            check_name(name, lambda message: self.fail(node, message))
            self.names.add(name)
        return self._form(sympy.Symbol(name))

    def _sign(self, node: ast.UnaryOp, depth: int) -> Value:
        if not isinstance(node.op, ast.UAdd | ast.USub):
            raise self.fail(node, f"{_described(node)} has no meaning in an equation")
        value = self.read(node.operand, depth)
        factor = sympy.Integer(-1 if isinstance(node.op, ast.USub) else 1)
        return value.times(factor) if isinstance(value, Vector) else value.times(self._form(factor))

    def _operation(self, node: ast.BinOp, depth: int) -> Value:
        if isinstance(node.op, ast.BitXor):
            raise self.fail(node, "^ is not a power here; write **")
        left = self.read(node.left, depth)
        if isinstance(node.op, ast.Add | ast.Sub):
            return self._sum(node, left, self.read(node.right, depth))
        if isinstance(node.op, ast.Mult):
            return self._product(node, left, self.read(node.right, depth))
        if isinstance(node.op, ast.Div):
            divisor = self.scalar(node.right, depth).scalar()
            if divisor.is_zero:
                raise self.fail(node.right, "it divides by zero")
            return self._product(node, left, self._form(1 / divisor))
        if isinstance(node.op, ast.Pow):
            if isinstance(left, Vector):
                raise self.fail(node, "a gradient has no power; write dot(grad(u), grad(u))")
            return self._power(node, left, self.scalar(node.right, depth))
        raise self.fail(node, f"{_described(node)} has no meaning in an equation; use + − * / and **")

    def _sum(self, node: ast.BinOp, left: Value, right: Value) -> Value:
        minus = sympy.Integer(-1 if isinstance(node.op, ast.Sub) else 1)
        if isinstance(left, Vector) and isinstance(right, Vector):
            return Vector((*left.parts, *right.times(minus).parts))
        if isinstance(left, Vector) or isinstance(right, Vector):
            raise self.fail(node, "a gradient and a number cannot be added; take div or dot of the gradient")
        return left.plus(right.times(self._form(minus)))

    def _product(self, node: ast.BinOp, left: Value, right: Value) -> Value:
        if isinstance(left, Vector) and isinstance(right, Vector):
            raise self.fail(node, "two gradients are multiplied; write dot(a, b)")
        if isinstance(left, Vector) or isinstance(right, Vector):
            vector, factor = (left, right) if isinstance(left, Vector) else (right, left)
            assert isinstance(vector, Vector)
            assert isinstance(factor, Form)
            return vector.times(factor.scalar())
        return left.times(right)

    def _power(self, node: ast.BinOp, base: Form, exponent: Form) -> Form:
        if not exponent.is_constant:
            raise self.fail(node.right, "an exponent contains the field; an exponent is a number or a coefficient")
        power, value = exponent.scalar(), base.scalar()
        if power.is_number:
            size = float(power)
            if abs(size) > _LARGEST_POWER:
                raise self.fail(node.right, f"the power {size:g} is beyond ±{_LARGEST_POWER}")
            if value.is_number:
                # In floating point: exact powers of powers can fill the memory.
                return self._form(self._computed(node, float(value), size))
            power = sympy.nsimplify(power) if power.is_Integer or float(power).is_integer() else power
        return self._form(value**power)

    def _computed(self, node: ast.AST, base: float, power: float) -> sympy.Expr:
        try:
            value = base**power
        except (OverflowError, ZeroDivisionError):
            value = math.nan
        if isinstance(value, complex) or not abs(value) < _LARGEST_NUMBER:
            raise self.fail(node, f"the power {base:g}**{power:g} is not a real number below {_LARGEST_NUMBER:g}")
        return sympy.Integer(int(value)) if float(value).is_integer() else sympy.Float(value)

    def _call(self, node: ast.Call, depth: int) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        counts = dict.fromkeys((*FUNCTIONS, *_OPERATORS, "grad"), (1,)) | {"div": (1, 2), "dot": (2,)}
        if name not in counts:
            shown = _shown(name) if name else _described(node.func)
            raise self.fail(node, f"{shown} is not a function of an equation; these are {', '.join(sorted(counts))}")
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise self.fail(node, f"{name} takes plain arguments only")
        if len(node.args) not in counts[name]:
            wanted = " or ".join(map(str, counts[name]))
            raise self.fail(node, f"{name} takes {wanted} argument(s), and has {len(node.args)}")
        if name in _OPERATORS:
            return self.scalar(node.args[0], depth).under(_OPERATORS[name])
        if name == "grad":
            return Vector(((sympy.Integer(1), self.scalar(node.args[0], depth)),))
        if name == "dot":
            return self._vector(node.args[0], depth).dot(self._vector(node.args[1], depth), self.atoms)
        if name == "div":
            if len(node.args) == 1:
                return self._vector(node.args[0], depth).divergence(self.atoms)
            scale = self.scalar(node.args[0], depth).scalar()
            return Vector(((scale, self.scalar(node.args[1], depth)),)).divergence(self.atoms)
        return self._function(node, name, self.scalar(node.args[0], depth).scalar())

    def _function(self, node: ast.Call, name: str, argument: sympy.Expr) -> Form:
        if argument.is_number:
            try:
                return self._form(sympy.Float(getattr(math, name)(float(argument))))
            except (ValueError, OverflowError):
                raise self.fail(node, f"{name}({float(argument):g}) is not a real number") from None
        return self._form(FUNCTIONS[name](argument))

    def _vector(self, node: ast.expr, depth: int) -> Vector:
        value = self.read(node, depth)
        if not isinstance(value, Vector):
            raise self.fail(node, "a gradient is needed here, such as D*grad(u)")
        return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "…")


def _described(node: ast.AST) -> str:
    name = type(node).__name__
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
        name = type(node.op).__name__
    return {
        "Attribute": "an attribute",
        "Subscript": "a subscript",
        "Lambda": "a lambda",
        "Compare": "a comparison",
        "BoolOp": "a logical operation",
        "IfExp": "a condition",
        "Call": "a call of a call",
        "NamedExpr": "an assignment",
    }.get(name, f"the Python construct {name}")


def check_name(name: str, fail: Callable[[str], UserError]) -> None:
    """Raise what ``fail`` makes of the message unless a name can be that of a coefficient or a field."""
    if not (name.isascii() and name.isidentifier() and len(name) <= 30) or "__" in name or name.startswith("_"):
        raise fail(
            f"the name {_shown(name)} cannot be used; take letters, digits and single underscores, a letter first"
        )
    if keyword.iskeyword(name) or name in RESERVED:
        raise fail(f"the name {_shown(name)} is taken; choose another")


def read(text: str, fields: Sequence[str] = ("u",)) -> tuple[tuple[str, ...], list[Form], set[str], Atoms]:
    """Read an equation, or several separated by semicolons.

    Parameters
    ----------
    text
        ``right-hand side`` or ``u_t = right-hand side``; for several fields, ``u_t = …; v_t = …``.
    fields
        Name of the field where the text does not name it.

    Returns
    -------
    tuple
        Names of the fields, a form for each, names of the coefficients, and the atoms of the forms.

    Raises
    ------
    UserError
        If the text is no equation; one sentence, with the column.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError("the equation is empty; give a right-hand side such as D*laplace(u)")
    if len(text) > _LONGEST:
        raise UserError(f"the equation has {len(text)} characters; at most {_LONGEST} are read")
    bad = next((index for index, each in enumerate(text) if not (each.isprintable() or each == " ")), None)
    if bad is not None:
        raise UserError(f"the equation cannot be read at column {bad + 1}: it holds an unprintable character")
    if "#" in text:
        raise UserError(f"the equation cannot be read at column {text.index('#') + 1}: # has no meaning here")
    sides, named, start = [], [], 0
    for part in text.split(";"):
        left, sign, right = part.partition("=")
        if sign:
            named.append(_field_of(left, start))
            sides.append((right, start + len(left) + 1))
        else:
            sides.append((part, start))
        start += len(part) + 1
    if (named and len(named) != len(sides)) or (len(sides) > 1 and not named):
        raise UserError("the equation has several parts; begin each with its field, as in u_t = …; v_t = …")
    names = tuple(named or fields)
    if len(set(names)) != len(names):
        raise UserError(f"the equation has two parts for one field among {', '.join(names)}; give one for each")
    if len(names) > 4:
        raise UserError(f"the equation has {len(names)} fields; at most 4 are supported")
    atoms, found = Atoms(names), set[str]()
    forms = [_read_side(side, at, atoms, found) for side, at in sides]
    if not any(atoms.within(part) for form in forms for part in form.terms.values()):
        raise UserError(f"the equation does not contain the field {names[0]}; there is nothing to evolve")
    return names, forms, found, atoms


def _field_of(left: str, start: int) -> str:
    name = left.strip().removesuffix("_t")

    def fail(message: str) -> UserError:
        return UserError(f"the equation cannot be read at column {start + 1}: {message}")

    if not left.strip().endswith("_t"):
        raise fail(f"{_shown(left.strip())} stands before =; write the time derivative of the field, such as u_t")
    check_name(name, fail)
    return name


def _read_side(text: str, start: int, atoms: Atoms, names: set[str]) -> Form:
    indent = len(text) - len(text.lstrip())
    body = text.strip()
    start += indent
    try:
        with warnings.catch_warnings():
            # Python warns of code that looks odd, such as 1(2), before it is rejected here.
            warnings.simplefilter("ignore")
            tree = ast.parse(body, mode="eval")
    except SyntaxError as error:
        column = start + max(error.offset or 1, 1)
        reason = (error.msg or "invalid syntax").split(". ")[0].replace("invalid syntax", "no expression stands here")
        raise UserError(
            f"the equation cannot be read at column {column}: {reason}; write it like D*laplace(u) + r*u*(1 - u/K)"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise UserError(
            f"the equation cannot be read at column {start + 1}: it is nested too deeply or holds a number that is too "
            "long; simplify it"
        ) from None
    reader = _Reader(atoms, body, start, names)
    form = reader.scalar(tree.body, 0)
    if any(part.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I) for part in form.terms.values()):
        raise reader.fail(tree.body, "it contains a division by zero or a number that is not real")
    return form
