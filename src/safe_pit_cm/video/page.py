"""The page of a fit: the answer first, then what it rests on."""

import base64
import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safe_pit_cm.numerics.rounding import interval, number, plus_minus
from safe_pit_cm.pages import rendering
from safe_pit_cm.video.facts import bound, details, examined, headline, symbol, unit

TEMPLATE = Path(__file__).with_name("result.html.jinja")

LABELS = {
    "noise": "Fits to the noise.",
    "approximate": "Fits approximately.",
    "refused": "Does not fit.",
    "undetermined": "Not determined.",
}
_KINDS = {"time": "half in time", "place": "quadrant", "binning": "bins", "nuisances": "nuisances"}
_SOURCES = {"time": "halves in time", "place": "quadrants", "binning": "bins", "nuisances": "nuisances"}


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    title, note
        Heading, and what the reader has to know.
    header, rows
        Names of the columns, empty for none, and cells.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def percent(share: float | None) -> str:
    """``6.7 %``; empty for None."""
    return "" if share is None else f"{number(100 * share, 2)} %"


def _change(share: float) -> str:
    return f"{'+' if share > 0 else ''}{number(100 * share, 2)} %"


def _numbers(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Errors and fit: name, value and meaning."""
    measure, value = unit(facts["units"]["diffusivity"]), facts["diffusivity"]

    def error(of: float | None) -> str:
        if of is None:
            return "not estimated"
        share = f" ({percent(of / value)})" if value else ""
        return f"{number(of, 2)} {measure}".rstrip() + share

    def limits(ends: list[float] | None, of: float | None) -> str:
        return "not estimated" if ends is None else f"{interval(ends[0], ends[1], of)} {measure}".rstrip()

    rows: list[tuple[str, ...]] = []
    if facts["bound"] is not None:
        rows.append((f"{facts['bound']['kind']} bound", bound(facts), "one-sided, 95 %"))
    if value is not None:
        looked = examined(facts)
        rows += [
            ("statistical error", error(facts["stderr"]), "standard error, from the noise of the pixels"),
            ("systematic error", error(facts["systematic"] if looked else None), _sources(facts)),
            ("total error", error(facts["total_stderr"]), "both in quadrature"),
            ("95 % interval, statistical", limits(facts["ci95"], facts["stderr"]), "profile likelihood"),
            ("95 % interval, total", limits(facts["total_ci95"], facts["total_stderr"]), "with the systematic error"),
        ]
    if facts["misfit"] is not None:
        rows.append(("misfit", f"{percent(facts['misfit'])} of the contrast", "left by the model, beyond noise"))
    if facts["goodness_of_fit"] is not None:
        meaning = f"chance that pure {facts['process']} leaves as much; the model fits above {facts['significance']:g}"
        rows.append(("p-value", f"{facts['goodness_of_fit']:.2g}", meaning))
    return rows


def _sources(facts: Mapping[str, Any]) -> str:
    """The systematic error by its sources; what the splits do not account for comes from the strongest effect."""
    if not examined(facts):
        return "no parts of the film were fitted on their own"
    sources = {_SOURCES[kind]: error for kind, error in facts["systematic_sources"].items()}
    rest = math.sqrt(max((facts["systematic"] or 0.0) ** 2 - sum(error**2 for error in sources.values()), 0.0))
    if rest > 0.01 * (facts["systematic"] or 0.0):
        sources["effects beyond the model"] = rest
    if not sources:
        return "no part of the film tells the coefficient on its own"
    return "in quadrature: " + ", ".join(f"{name} {number(error, 2)}" for name, error in sources.items())


def _parts(facts: Mapping[str, Any]) -> Table:
    name, value, measure = symbol(facts), facts["diffusivity"], unit(facts["units"]["diffusivity"])
    rows: list[tuple[str, ...]] = [("all", "", plus_minus(value, facts["stderr"]), "")]
    for part in facts["parts"]:
        moved = _change(part["diffusivity"] / value - 1) + ("" if part["counted"] else ", not counted")
        text = plus_minus(part["diffusivity"], part["stderr"])
        rows.append((_KINDS[part["kind"]], part["part"], text, moved))
    return Table(
        f"{name} of parts of the film, and by other treatments",
        "Statistical errors. What the parts differ by beyond these is systematic. A fit with fewer nuisances is not "
        "counted where it fits much worse.",
        ("treatment", "", f"{name} ({measure})" if measure else name, "difference"),
        rows,
    )


def _effects(facts: Mapping[str, Any]) -> Table:
    name = symbol(facts)
    rows: list[tuple[str, ...]] = [
        (
            effect["effect"],
            plus_minus(effect["value"], effect["stderr"], effect["unit"]),
            f"{effect['value'] / effect['stderr']:+.1f}".replace("-", "−") if effect["stderr"] else "",
            _change(effect["relative_shift"] * effect["value"] / effect["amount"]),
        )
        for effect in facts["effects"]
    ]
    return Table(
        "What else the film may hold",
        f"Strength of each effect by the residuals, taken alone; in standard errors; and how far it has moved {name} "
        "if it is real.",
        ("effect", "strength", "in standard errors", f"moves {name} by"),
        rows,
    )


def _nuisances(facts: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for nuisance, values in facts["nuisances"].items():
        error = values.get("stderr")
        told = [
            f"{key} {plus_minus(each, error) if isinstance(each, float) and error is not None else _value(each)}"
            for key, each in values.items()
            if key != "stderr"
        ]
        rows.append((nuisance, "; ".join(told)))
    return Table(f"What was estimated along with {symbol(facts)}", "", (), rows)


def _value(value: Any) -> str:
    return number(value, 2) if isinstance(value, float) else str(value)


def _settings(facts: Mapping[str, Any]) -> Table:
    measure, length, time, field = (unit(facts["units"][name]) for name in ("diffusivity", "length", "time", "field"))

    def value(of: float | None, unit: str) -> str:
        return "not estimated" if of is None else f"{number(of)} {unit}".rstrip()

    rows: list[tuple[str, ...]] = [
        ("signed coefficient α", value(facts["alpha"], measure), "negative: the field smooths; positive: it sharpens"),
        ("Cramér–Rao bound", value(facts["cramer_rao"], measure), "least standard error of an unbiased estimator"),
        ("noise σ", value(facts["noise"], field), "of one pixel, in the film's own units"),
        ("frames × rows × columns", f"{facts['frames']} × {facts['shape'][0]} × {facts['shape'][1]}", "as used"),
        ("bins", f"{facts['binning']} × {facts['binning']} pixels", "averaged to one" if facts["binning"] > 1 else ""),
        ("pixel size Δy, Δx", f"{', '.join(f'{size:.5g}' for size in facts['dx'])} {length}".rstrip(), ""),
        ("mean frame interval", value(facts["dt"], time), ""),
        *((name, facts[name], "") for name in ("method", "boundary", "discretisation")),
    ]
    return Table("Settings", "", (), rows)


def _base64(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode()


def render(facts: Mapping[str, Any], picture: Path, template: Path = TEMPLATE, **added: Any) -> str:
    """Page that needs no other file.

    Parameters
    ----------
    facts
        Of the fit, with ``video`` and ``warnings``.
    picture
        PNG file.
    template
        ``result.html.jinja``, or one that extends it.
    added
        Further variables of the template; a path stands for its picture in base 64.
    """
    tables = [
        table
        for name, make in (("parts", _parts), ("effects", _effects), ("nuisances", _nuisances))
        if facts[name] and facts["diffusivity"] is not None
        for table in [make(facts)]
    ]
    # The full record, for whoever has the page alone; a file name must not be able to end the script element.
    record = html.escape(json.dumps(facts, indent=2, ensure_ascii=False), quote=False)
    return rendering.render(
        template,
        TEMPLATE.parent,
        facts=facts,
        headline=headline(facts),
        details=details(facts),
        label=LABELS[facts["grade"]],
        numbers=_numbers(facts),
        tables=[*tables, _settings(facts)],
        picture=_base64(picture),
        record=record,
        **{name: _base64(value) if isinstance(value, Path) else value for name, value in added.items()},
    )
