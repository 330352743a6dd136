"""What a fit found, as plain values and in one line."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from safe_pit_cm.numerics.rounding import interval, number, plus_minus


def plain(value: Any) -> Any:
    """The value as JSON has it: no NumPy types, None for what is no finite number."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def facts_of(found: xr.Dataset) -> dict[str, Any]:
    """Attributes of a fit, fit for JSON; an interval without both its ends is none."""
    facts: dict[str, Any] = plain(found.attrs)
    for name in ("ci95", "total_ci95"):
        if facts[name] is not None and None in facts[name]:
            facts[name] = None
    return facts


def unit(text: str) -> str:
    """Unit as print has it: ``µm²/s``; nothing for a pure number."""
    return "" if text == "1" else text.replace("^2", "²")


def symbol(facts: Mapping[str, Any]) -> str:
    """``D`` of diffusion, ``M`` of mobility."""
    return "D" if facts["process"] == "diffusion" else "M"


def examined(facts: Mapping[str, Any]) -> bool:
    """Whether the systematic error was looked for: by fits of parts of the film, or by effects beyond the model."""
    return bool(facts["parts"] or facts["effects"])


def bound(facts: Mapping[str, Any]) -> str:
    """``< 0.0012 µm²/s``; empty where the fit gives no bound."""
    if facts["bound"] is None:
        return ""
    sign = "<" if facts["bound"]["kind"] == "upper" else ">"
    return f"{sign} {number(facts['bound']['value'], 2)} {unit(facts['units']['diffusivity'])}".rstrip()


def headline(facts: Mapping[str, Any]) -> str:
    """``D = 1.77 ± 0.12 µm²/s``, with the total error; for a bound ``D < 0.0012 µm²/s``; else that there is none."""
    name, value = symbol(facts), facts["diffusivity"]
    if value is not None:
        return f"{name} = {plus_minus(value, facts['total_stderr'], unit(facts['units']['diffusivity']))}"
    return f"{name} {bound(facts)}" if facts["bound"] is not None else f"{name} is not determined"


def details(facts: Mapping[str, Any]) -> str:
    """What follows the headline: which error it has, and the interval."""
    if facts["diffusivity"] is None:
        return " (95 %)" if facts["bound"] is not None else ""
    if facts["total_stderr"] is None:
        return ", without an error bar"
    text = f" (total; statistical ± {number(facts['stderr'], 2)})" if examined(facts) else " (statistical)"
    if facts["total_ci95"] is not None:
        low, high = facts["total_ci95"]
        text += f", 95 % interval {interval(low, high, facts['total_stderr'])}"
    return text


def sentence(facts: Mapping[str, Any]) -> str:
    """The result in one line, with two digits of its error.

    ``D = 1.77 ± 0.12 µm²/s (total; statistical ± 0.0078), 95 % interval 1.54 to 2.00``; where no systematic error was
    looked for, ``(statistical)``; for a bound, ``D < 0.0012 µm²/s (95 %)``; else ``D is not determined``.

    Parameters
    ----------
    facts
        As :func:`facts_of` gives them.
    """
    return headline(facts) + details(facts)
