"""One self-contained page: the answer, then every table and figure."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safe_pit_cm.data import files, records, tracing, verification
from safe_pit_cm.pages import rendering
from safe_pit_cm.paper import captions, contents
from safe_pit_cm.paper.answer import Answer

# A table of more rows than this is folded.
_LONG = 20
_TABLE = re.compile(r'<div class="scroll">.*?</div>', re.DOTALL)


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
        return contents.label(self.name)

    @cached_property
    def text(self) -> captions.Caption:
        """Title, first sentence and rest of the caption."""
        return captions.split(self.caption)


@dataclass(frozen=True)
class Part:
    """A part of the page: its title and its items."""

    title: str
    items: list[Item]


def item(name: str, caption: str | Path, content: str | Path) -> Item:
    """Read an item: its caption (rst) and its content, an HTML fragment or a PNG image."""
    content = Path(content)
    if content.suffix == ".png":
        data = base64.b64encode(content.read_bytes()).decode()
        alternative = f"{contents.label(name)}; the caption says what it shows"
        html = f'<img alt="{alternative}" src="data:image/png;base64,{data}">'
    else:
        html = content.read_text(encoding="utf-8")
    return table(name, caption, html)


def table(name: str, caption: str | Path, html: str) -> Item:
    """Item whose content is at hand; a long table in it is folded."""
    return Item(name, captions.render(caption), _TABLE.sub(_folded, html))


def _folded(found: re.Match[str]) -> str:
    rows = found[0].count("<tr") - found[0].count("<thead")
    if rows <= _LONG:
        return found[0]
    return f"<details><summary>Table of {rows} rows</summary>\n{found[0]}\n</details>"


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


def provenance(names: Iterable[str], shown: Sequence[str]) -> Provenance:
    """Check everything that the items were made from, and list the stages.

    Raises
    ------
    UserError
        If a result is missing, damaged, stale or foreign.
    """
    checked = verification.check_upstream(shown)
    known, _ = verification.load_all(records.root(shown[0]))
    stages = tracing.stages(known, map(records.name, shown))
    of_item = {}
    for name, content in zip(names, shown, strict=True):
        own = verification.upstream(known, [records.name(content)]).keys()
        of_item[name] = [place for place, stage in enumerate(stages) if not own.isdisjoint(stage.results)]
    return Provenance(checked, stages, of_item)


def _parts(items: Iterable[Item]) -> list[Part]:
    by_name = {one.name: one for one in items}
    names = contents.arranged(by_name)
    parts = [Part(title, [by_name[name] for name in names if contents.part(name) == title]) for title in contents.PARTS]
    return [part for part in parts if part.items]


def write(
    items: Iterable[Item],
    answer: Answer,
    template: str | Path,
    path: str | Path,
    *,
    provenance: Provenance | None = None,
    to_come: Sequence[str] = (),
) -> None:
    """Fill the page's template and write the page: one file that needs no other and no network.

    Parameters
    ----------
    items
        Tables and figures; those of a part of the page keep their order.
    answer
        What is shown first.
    template
        The page's template.
    path
        File to write.
    provenance
        Where the items come from.
    to_come
        Names of the items that the complete page has in addition.
    """
    html = rendering.render(
        template,
        parts=_parts(items),
        answer=answer,
        provenance=provenance,
        shortened=tracing.shortened,
        to_come=[contents.label(name) for name in contents.arranged(to_come)],
    )
    with files.replacing(path) as partial:
        partial.write_text(html, encoding="utf-8")
