"""Write what a fit found: numbers, a figure, a dataset, and a page that a colleague can read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from safe_pit_cm.data import files, provenance, stores
from safe_pit_cm.video import figure, page
from safe_pit_cm.video.facts import facts_of, plain


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
    code = provenance.package_digest()
    found = found.assign_attrs(facts_of(found))
    facts = {**found.attrs, **plain(settings)}
    facts |= provenance.record(code, {key: value for key, value in facts.items() if key in settings})
    with files.replacing(path) as partial:
        partial.mkdir()
        _write_json(facts, partial / "fit.json")
        stores.write(found.assign_attrs(facts), partial / "fit.zarr", "measurement")
        figure.draw(found, partial / "fit.png")
        added: dict[str, Any] = {}
        if supplement is not None:
            record, picture = plain(supplement.record), partial / f"{supplement.name}.png"
            _write_json(record, partial / f"{supplement.name}.json")
            supplement.draw(picture)
            added = {"template": supplement.template, "supplement": record, "supplement_picture": picture}
        text = page.render(facts, partial / "fit.png", **added)
        (partial / "index.html").write_text(text, encoding="utf-8")
