"""The command ``safe-pit-cm models``: list the equations that are known by name."""

import argparse
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_pit_cm.models.model import Coefficient, Model

_EXAMPLE = """\
example:
  safe-pit-cm models
  safe-pit-cm models fisher-kpp
  safe-pit-cm models --equation "D*laplace(u) + r*u*(1 - u/K)" --fix K=1
"""


def add_equation(parser: argparse.ArgumentParser) -> None:
    """Add the options that state an equation."""
    add = parser.add_argument
    add("--equation", metavar="TEXT", help="right-hand side of du/dt, such as 'D*laplace(u) + r*u*(1 - u/K)'")
    add(
        "--fix",
        action="append",
        default=[],
        type=_value,
        metavar="NAME=VALUE",
        help="value of a coefficient that is known; may be repeated",
    )
    add(
        "--bounds",
        action="append",
        default=[],
        type=_range,
        metavar="NAME=LOW:HIGH",
        help="bounds of a coefficient, from which its sign follows; either may be empty, as in D=0:",
    )


def _value(text: str) -> tuple[str, float]:
    name, sign, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not sign or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name and a number, such as K=1")
    return name.strip(), number


def _range(text: str) -> tuple[str, tuple[float | None, float | None]]:
    name, sign, given = text.partition("=")
    low, colon, high = given.partition(":")
    try:
        pair = tuple(float(each) if each.strip() else None for each in (low, high))
    except ValueError:
        pair = ()
    if not sign or not colon or len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name and two bounds, such as D=0:1 or D=0:")
    return name.strip(), pair


def add_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to the command line."""
    parser = commands.add_parser(
        "models",
        help="list the equations that are known by name",
        description="List the equations that are known by name, or show one: coefficients, units, signs, citation.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="show this equation only")
    add_equation(parser)
    parser.set_defaults(run=run)


def _described(coefficient: "Coefficient", model: "Model") -> str:
    unit = model.unit(coefficient.name)
    sign = {"positive": "≥ 0", "negative": "≤ 0", "any": "any sign"}[coefficient.sign]
    if coefficient.low > 0 or (math.isfinite(coefficient.low) and math.isfinite(coefficient.high)):
        sign = f"{coefficient.low:g} to {coefficient.high:g}"
    parts = [f"{coefficient.name:<8}", f"{'pure number' if unit == '1' else unit:<22}", f"{sign:<10}"]
    return "  ".join([*parts, coefficient.meaning]).rstrip()


def _shown(model: "Model") -> str:
    lines = [f"{model.name}: {model.title}" if model.title else model.name]
    sides = [side.partition("=")[2].strip() or side.strip() for side in model.source.split(";")]
    lines += [f"  d{field}/dt = {side}" for field, side in zip(model.fields, sides, strict=True)]
    lines += [f"    {_described(coefficient, model)}" for coefficient in model.coefficients]
    lines += [f"    {name:<8}  = {value:g}, unless given by --fix or --bounds" for name, value in model.fixed.items()]
    if model.needs_pure_field:
        lines.append("    the field is a pure number: the equation has levels of its own")
    if model.citation:
        lines.append(f"    {model.citation}")
    return "\n".join(lines)


def run(options: argparse.Namespace) -> None:
    """Print the catalogue, or one equation."""
    # SymPy takes most of a second to import.
    from safe_pit_cm.models import catalogue

    given = {"fix": dict(options.fix), "bounds": dict(options.bounds)}
    if options.name is None and options.equation is None and not any(given.values()):
        print("\n\n".join(_shown(catalogue.named(name)) for name in catalogue.names()))
    else:
        print(_shown(catalogue.resolve(options.name, options.equation, **given)))
