"""Write what a fit found: numbers, a figure, a dataset, and a page that a colleague can read."""

import base64
import html
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr

from safe_pit_cm.data import files, provenance, stores
from safe_pit_cm.inference import fit
from safe_pit_cm.video import figure

_TEMPLATE = Path(__file__).with_name("result.html.jinja")


@dataclass(frozen=True)
class Supplement:
    """What a command adds to the result of a fit.

    Attributes
    ----------
    name
        Of the files ``{name}.json`` and ``{name}.png``.
    record
        Content of the former.
    draw
        Writes the latter to the path it is given.
    template
        Page that extends ``result.html.jinja`` by the block ``supplement``, in which ``supplement`` is the record and
        ``supplement_picture`` the picture in base 64.
    """

    name: str
    record: Mapping[str, Any]
    draw: Callable[[Path], None]
    template: Path


def _plain(value: Any) -> Any:
    """The value as JSON has it: no NumPy types, None for what is no finite number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def facts_of(found: xr.Dataset) -> dict[str, Any]:
    """Attributes of a fit, fit for JSON; an interval without both its ends is none."""
    facts: dict[str, Any] = _plain(found.attrs)
    if facts.get("ci95") is not None and None in facts["ci95"]:
        facts["ci95"] = None
    return facts


def unit(text: str) -> str:
    """Unit as print has it: ``µm²/s``; nothing for a pure number."""
    return "" if text == "1" else text.replace("^2", "²")


def digits(stderr: float | None) -> int:
    """Decimals that show two digits of the standard error."""
    return max(0, 1 - math.floor(math.log10(stderr))) if stderr else 6


def sentence(found: xr.Dataset) -> str:
    """The result in one line, with as many digits as the error bar allows."""
    facts = facts_of(found)
    decimals = min(digits(facts["stderr"]), 12)
    name = "D" if facts["process"] == "diffusion" else "M"
    text = f"{name} = {facts['diffusivity']:.{decimals}f}"
    if facts["stderr"] is not None:
        text += f" ± {facts['stderr']:.{decimals}f}"
    text = f"{text} {unit(facts['units']['diffusivity'])}".rstrip()
    if facts["ci95"] is not None:
        text += f" (95 % interval {facts['ci95'][0]:.{decimals}f} to {facts['ci95'][1]:.{decimals}f})"
    return text


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each number on the page."""
    measure = unit(facts["units"]["diffusivity"])
    length, time, field = (unit(facts["units"][name]) for name in ("length", "time", "field"))

    def number(value: float | None, of: str = "") -> str:
        return "not estimated" if value is None else f"{value:.5g} {of}".rstrip()

    interval = facts["ci95"]
    return [
        ("signed coefficient α", number(facts["alpha"], measure), "negative: the field smooths; positive: it sharpens"),
        ("standard error", number(facts["stderr"], measure), "from the curvature of the likelihood"),
        (
            "95 % interval",
            "not estimated" if interval is None else f"{interval[0]:.5g} to {interval[1]:.5g} {measure}".rstrip(),
            "profile likelihood",
        ),
        (
            "Cramér–Rao bound",
            number(facts["cramer_rao"], measure),
            "no unbiased estimator has a smaller standard error on this video",
        ),
        ("noise σ", number(facts["noise"], field), "of one pixel, in the video's own units"),
        (
            "goodness of fit p",
            number(facts["goodness_of_fit"]),
            f"chance that a video of pure diffusion looks as bad; below {facts['significance']:g} the model is refused",
        ),
        ("frames × rows × columns", f"{facts['frames']} × {facts['shape'][0]} × {facts['shape'][1]}", "as used"),
        ("pixel size Δy, Δx", ", ".join(f"{size:.5g}" for size in facts["dx"]) + f" {length}", ""),
        ("mean frame interval", number(facts["dt"], time), ""),
        ("method", facts["method"], ""),
        ("boundary", facts["boundary"], ""),
        ("discretisation", facts["discretisation"], ""),
    ]


def _base64(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode()


def _page(found: xr.Dataset, facts: Mapping[str, Any], folder: Path, supplement: Supplement | None) -> str:
    template = _TEMPLATE if supplement is None else supplement.template
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([_TEMPLATE.parent, template.parent]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        keep_trailing_newline=True,
    )
    # The full record, for whoever has the page alone; a file name must not be able to end the script element.
    record = html.escape(json.dumps(facts, indent=2, ensure_ascii=False), quote=False)
    added = (
        {}
        if supplement is None
        else {
            "supplement": _plain(supplement.record),
            "supplement_picture": _base64(folder / f"{supplement.name}.png"),
        }
    )
    return environment.get_template(template.name).render(
        facts=facts,
        sentence=sentence(found),
        rows=_rows(facts),
        picture=_base64(folder / "fit.png"),
        record=record,
        **added,
    )


def _write_json(record: Mapping[str, Any], path: Path) -> None:
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write(
    found: xr.Dataset, path: str | Path, settings: Mapping[str, Any], supplement: Supplement | None = None
) -> None:
    """Write ``fit.json``, ``fit.png``, ``fit.zarr`` and ``index.html`` into a folder, all or none.

    Parameters
    ----------
    found
        Result of :func:`safe_pit_cm.fit`.
    path
        The folder; what it holds is replaced once everything is written.
    settings
        What else is to be known of the run, fit for JSON: the video's name, the selection, warnings.
    supplement
        What a command adds: two more files, and a block of the page.

    Raises
    ------
    OSError
        If the file system refuses; what ``path`` held is then untouched.
    """
    code = provenance.code_digest(fit.__file__)
    found = found.assign_attrs(facts_of(found))
    facts = {**found.attrs, **_plain(settings)}
    facts |= provenance.record(code, {key: value for key, value in facts.items() if key in settings})
    with files.replacing(path) as partial:
        partial.mkdir()
        _write_json(facts, partial / "fit.json")
        stores.write(found.assign_attrs(facts), partial / "fit.zarr", "measurement")
        figure.draw(found, partial / "fit.png")
        if supplement is not None:
            _write_json(_plain(supplement.record), partial / f"{supplement.name}.json")
            supplement.draw(partial / f"{supplement.name}.png")
        (partial / "index.html").write_text(_page(found, facts, partial, supplement), encoding="utf-8")
