"""The catalogue of evolution equations that are known by name."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from safe_pit_cm.errors import UserError
from safe_pit_cm.models.model import Coefficient, Model

CATALOGUE = Path(__file__).with_name("catalogue.yaml")


@cache
def _entries() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))


def names() -> list[str]:
    """Names of all equations of the catalogue, in its order."""
    return list(_entries())


def named(name: str, *, free: Sequence[str] = ()) -> Model:
    """Equation of the catalogue.

    Parameters
    ----------
    name
        One of :func:`names`.
    free
        Coefficients that are estimated although the catalogue fixes them.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    entries = _entries()
    if name not in entries:
        near = difflib.get_close_matches(str(name), entries, 1)
        hint = f"did you mean {near[0]}?" if near else "safe-pit-cm models lists them"
        raise UserError(f"there is no equation {str(name)[:40]!r} in the catalogue; {hint}")
    entry = entries[name]
    model = Model.of_text(entry["equation"], name=name)
    coefficients = tuple(
        Coefficient(
            each,
            float(given.get("low", -math.inf)),
            float(given.get("high", math.inf)),
            given["example"],
            given["meaning"],
        )
        for each, given in entry["coefficients"].items()
    )
    model = replace(model, coefficients=coefficients, title=entry["title"], citation=entry["citation"])
    fixed = {each: float(value) for each, value in entry.get("fix", {}).items() if each not in free}
    return model.with_fixed(fixed)


def resolve(
    model: "str | Model | None" = None,
    equation: str | None = None,
    *,
    fix: Mapping[str, float] | None = None,
    bounds: Mapping[str, Sequence[float | None]] | None = None,
) -> Model:
    """Equation from a name or a text.

    Parameters
    ----------
    model
        Name in the catalogue, or an equation.
    equation
        Text of an equation, instead.
    fix
        Values of coefficients that are known; for a coefficient that the catalogue fixes, another value.
    bounds
        (low, high) by coefficient; None for no bound.

    Raises
    ------
    UserError
        If both or neither is given, or a name is unknown.
    """
    if (model is None) == (equation is None):
        raise UserError("give either the name of an equation (model) or its text (equation)")
    fix, bounds = fix or {}, bounds or {}
    if equation is not None:
        return Model.of_text(equation, fix=fix, bounds=bounds)
    found = named(model, free=(*fix, *bounds)) if isinstance(model, str) else model
    assert found is not None
    return found.bounded(bounds).with_fixed(fix)
