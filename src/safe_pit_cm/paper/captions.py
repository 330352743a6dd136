"""Captions as the page shows them: a title, a sentence, and the rest folded."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from docutils.core import publish_parts

# A caption of more words than this is folded after its first sentence.
_LONG = 45
_TITLE = re.compile(r"<p><strong>(?P<title>.*?)</strong>\s*", re.DOTALL)
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=<|[A-ZΑ-Ω(|])")


@dataclass(frozen=True)
class Caption:
    """A caption, as HTML.

    Attributes
    ----------
    title
        What stands in bold at its start, without the full stop; may be empty.
    lead
        What is shown: all of a short caption, the first sentence of a long one.
    rest
        What is folded; may be empty.
    """

    title: str
    lead: str
    rest: str = ""


def render(path: str | Path) -> str:
    """Render a caption written in reStructuredText to HTML.

    Raises
    ------
    docutils.utils.SystemMessage
        If it has an error, or brings in other files or raw HTML.
    """
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


class _Tags(HTMLParser):
    """Tags that are open, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an opened tag."""
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Forget a closed tag."""
        if self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text.append(data)


def split(html: str) -> Caption:
    """Split a rendered caption into title, first sentence and rest."""
    found = _TITLE.match(html)
    title, body = (found["title"].rstrip("."), f"<p>{html[found.end() :]}") if found else ("", html)
    if body.strip() in ("", "<p></p>"):
        return Caption(title, "")
    if len("".join(_Tags(body).text).split()) <= _LONG:
        return Caption(title, body)
    for end in _END_OF_SENTENCE.finditer(body):
        # Not within a phrase that is marked up.
        if _Tags(body[: end.start()]).open == ["p"]:
            return Caption(title, f"{body[: end.start()]}</p>", f"<p>{body[end.end() :]}")
    return Caption(title, body)
