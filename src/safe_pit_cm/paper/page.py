"""One self-contained page with every table and figure."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from docutils.core import publish_parts

from safe_pit_cm.data import files, records, tracing, verification


@dataclass(frozen=True)
class Item:
    """A table or a figure on the page.

    Attributes
    ----------
    name
        Such as ``table_4``.
    caption
        HTML.
    content
        HTML: the table, or the image with its data inside.
    """

    name: str
    caption: str
    content: str

    @property
    def label(self) -> str:
        """Heading, such as ``Table 4``."""
        return self.name.replace("_", " ").capitalize()


def caption_html(path: str | Path) -> str:
    """Render a caption written in reStructuredText."""
    parts = publish_parts(
        Path(path).read_text(encoding="utf-8"),
        writer="html5",
        settings_overrides={
            "halt_level": 2,
            "file_insertion_enabled": False,
            "raw_enabled": False,
            "initial_header_level": 3,
        },
    )
    return str(parts["body"])


def item(name: str, caption: str | Path, content: str | Path) -> Item:
    """Read an item: its caption (rst) and its content, an HTML fragment or a PNG image."""
    content = Path(content)
    if content.suffix == ".png":
        data = base64.b64encode(content.read_bytes()).decode()
        label = name.replace("_", " ").capitalize()
        html = f'<img alt="{label}; the caption says what it shows" src="data:image/png;base64,{data}">'
    else:
        html = content.read_text(encoding="utf-8")
    return Item(name, caption_html(caption), html)


@dataclass(frozen=True)
class Provenance:
    """Where the items of the page come from.

    Attributes
    ----------
    checked
        Number of results that were checked: all that the items were made from.
    stages
        The stages that made them.
    of_item
        For each item, the places of its stages in that list.
    """

    checked: int
    stages: Sequence[tracing.Stage]
    of_item: Mapping[str, list[int]]


def provenance(names: Iterable[str], contents: Sequence[str]) -> Provenance:
    """Check everything that the items were made from, and list the stages.

    Raises
    ------
    UserError
        If a result is missing, damaged, stale or foreign.
    """
    checked = verification.check_upstream(contents)
    known, _ = verification.load_all(records.root(contents[0]))
    stages = tracing.stages(known, map(records.name, contents))
    of_item = {}
    for name, content in zip(names, contents, strict=True):
        own = verification.upstream(known, [records.name(content)]).keys()
        of_item[name] = [place for place, stage in enumerate(stages) if not own.isdisjoint(stage.results)]
    return Provenance(checked, stages, of_item)


def write(items: Iterable[Item], found: Provenance, template: str | Path, path: str | Path) -> None:
    """Fill the page's template and write the page: one file that needs no other and no network."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, keep_trailing_newline=True)
    html = environment.from_string(Path(template).read_text(encoding="utf-8")).render(
        items=list(items), provenance=found, shortened=tracing.shortened
    )
    with files.replacing(path) as partial:
        partial.write_text(html, encoding="utf-8")
