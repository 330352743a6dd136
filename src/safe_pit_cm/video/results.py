"""Write what a fit found: numbers, a figure, a dataset, and a page that a colleague can read."""

import base64
import html
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr

from safe_pit_cm.data import files, provenance, stores
from safe_pit_cm.inference import fit
from safe_pit_cm.video import figure

_TEMPLATE = Path(__file__).with_name("result.html.jinja")


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


def _digits(stderr: float | None) -> int:
    """Decimals that show two digits of the standard error."""
    return max(0, 1 - math.floor(math.log10(stderr))) if stderr else 6


def sentence(found: xr.Dataset) -> str:
    """The result in one line, with as many digits as the error bar allows."""
    facts = facts_of(found)
    digits = min(_digits(facts["stderr"]), 12)
    name = "D" if facts["process"] == "diffusion" else "M"
    text = f"{name} = {facts['diffusivity']:.{digits}f}"
    if facts["stderr"] is not None:
        text += f" ± {facts['stderr']:.{digits}f}"
    text = f"{text} {unit(facts['units']['diffusivity'])}".rstrip()
    if facts["ci95"] is not None:
        text += f" (95 % interval {facts['ci95'][0]:.{digits}f} to {facts['ci95'][1]:.{digits}f})"
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


def _page(found: xr.Dataset, facts: Mapping[str, Any], picture: Path) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, keep_trailing_newline=True)
    # The full record, for whoever has the page alone; a file name must not be able to end the script element.
    record = html.escape(json.dumps(facts, indent=2, ensure_ascii=False), quote=False)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        facts=facts,
        sentence=sentence(found),
        rows=_rows(facts),
        picture=base64.b64encode(picture.read_bytes()).decode(),
        record=record,
    )


def write(found: xr.Dataset, path: str | Path, settings: Mapping[str, Any]) -> None:
    """Write ``fit.json``, ``fit.png``, ``fit.zarr`` and ``index.html`` into a folder, all or none.

    Parameters
    ----------
    found
        Result of :func:`safe_pit_cm.fit`.
    path
        The folder; what it holds is replaced once everything is written.
    settings
        What else is to be known of the run, fit for JSON: the video's name, the selection, warnings.

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
        record = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (partial / "fit.json").write_text(record + "\n", encoding="utf-8")
        stores.write(found.assign_attrs(facts), partial / "fit.zarr", "measurement")
        figure.draw(found, partial / "fit.png")
        (partial / "index.html").write_text(_page(found, facts, partial / "fit.png"), encoding="utf-8")
