"""The page: its answer, its items with their captions, and that it needs no other file."""

import base64
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from docutils.utils import SystemMessage

from safe_pit_cm.paper import answer, captions, contents, page
from safe_pit_cm.paper.answer import Answer
from safe_pit_cm.paper.tables import Table
from safe_pit_cm.paper.verdicts import VERDICTS, css_class

ROOT = Path(__file__).parents[2]
PUBLISHED: dict[str, Any] = yaml.safe_load((ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8"))
CAPTIONS = sorted((ROOT / "workflow/report").glob("*.rst"))
TEMPLATE = ROOT / "workflow/resources/page.html.jinja"
STYLE = (ROOT / "src/safe_pit_cm/pages/style.css").read_text(encoding="utf-8")


# Captions


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_every_caption_of_the_report_renders_and_splits_into_whole_elements(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    html = captions.render(path)
    assert html.startswith("<p>")
    assert "system-message" not in html
    assert capfd.readouterr().err == ""
    caption = captions.split(html)
    assert caption.title or path.stem in ("measurements", "page")
    # Nothing is lost, and every part is well-formed.
    assert plain(html).replace(".", "") == plain(f"{caption.title} {caption.lead} {caption.rest}").replace(".", "")
    assert len(plain(caption.lead).split()) <= 45
    for part in (caption.title, caption.lead, caption.rest):
        assert balanced(part)


def plain(html: str) -> str:
    return " ".join("".join(Outline(html).text).split())


def balanced(html: str) -> bool:
    """Whether every element that is opened is closed, in order."""
    return Outline(html).open == []


def test_a_short_caption_is_shown_whole_and_of_a_long_one_a_sentence() -> None:
    assert captions.split("<p><strong>Title.</strong> Short. Yes.</p>") == captions.Caption(
        "Title", "<p>Short. Yes.</p>"
    )
    words = "word " * 50
    long = captions.split(f"<p><strong>Title.</strong> <em>One. Two</em> of Eq. 3 here. <em>Signed</em>: {words}.</p>")
    assert long.lead == "<p><em>One. Two</em> of Eq. 3 here.</p>"
    assert long.rest == f"<p><em>Signed</em>: {words}.</p>"
    # Without an end of a sentence, all of it is shown.
    assert captions.split(f"<p>{words}</p>") == captions.Caption("", f"<p>{words}</p>")


@pytest.mark.parametrize(
    "text",
    [
        "An *unfinished emphasis.",
        "A `role that is`:unknown: here.",
        ".. nothing::",
        ".. raw:: html\n\n   <script>alert(1)</script>",
        ".. include:: /etc/hostname",
    ],
)
def test_a_caption_that_does_not_render_or_brings_in_other_things_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "caption.rst").write_text(f"{text}\n", encoding="utf-8")
    with pytest.raises(SystemMessage):
        captions.render(tmp_path / "caption.rst")


def test_a_caption_is_marked_up_and_escaped(tmp_path: Path) -> None:
    (tmp_path / "caption.rst").write_text("**Recovery.** α < 1 & *signed*.\n", encoding="utf-8")
    html = captions.render(tmp_path / "caption.rst").strip()
    assert html == "<p><strong>Recovery.</strong> α &lt; 1 &amp; <em>signed</em>.</p>"


# The answer


def table_4() -> pd.DataFrame:
    rows = [
        (setting, process, propagation, error, 0.99, count)
        for setting, scale in (("zero-shot", 1.0), ("trained", 2.0))
        for process, propagation, error, count in (
            ("all", "signed", 0.01 * scale, 20),
            ("diffusion", "signed", 1.2e-6 * scale, 10),
            ("mobility", "signed", 0.02 * scale, 10),
            ("mobility", "stable", 0.003 * scale, 10),
        )
    ]
    return pd.DataFrame(rows, columns=["setting", "process", "propagation", "mae", "r2", "n"])


def test_the_answer_counts_the_verdicts_and_says_the_numbers_of_the_run() -> None:
    verdicts = [VERDICTS[0]] * 3 + [VERDICTS[2]]
    found = answer.compose(verdicts, table_4(), PUBLISHED["table_4"])
    assert [(count.verdict, count.kind, count.count) for count in found.counts] == [
        ("reproduced", "reproduced", 3),
        ("not reproduced", "not-reproduced", 1),
    ]
    first, second, third = found.sentences
    assert first == (
        "Of 4 published numbers and claims, 3 are reproduced, 0 in direction only, and 1 are not; 0 cannot be tested."
    )
    assert "the 20 test videos with a mean absolute error of 0.0100 (published 0.0117) and R² 0.9900 (0.9982)" in second
    assert "1.2 × 10⁻⁶ for diffusion, 0.0200 for mobility propagated as published, and 0.0030 for" in second
    assert "0.0200 (published 0.0749)" in third


def test_an_answer_before_all_results_says_how_many_verdicts_follow() -> None:
    found = answer.compose([VERDICTS[1]], table_4(), PUBLISHED["table_4"], waiting=4)
    assert [count.kind for count in found.counts] == ["in-direction", "to-come"]
    assert "(4 more follow)" in found.sentences[0]


def test_every_verdict_has_its_colour_and_its_sign() -> None:
    template = TEMPLATE.read_text(encoding="utf-8")
    for kind in map(css_class, VERDICTS):
        assert f".{kind}" in STYLE
        assert f".legend .{kind}::before, tr.{kind} td:first-child::before {{ content:" in template
        assert f".bar .{kind} {{" in template


# The page


class Outline(HTMLParser):
    """What a browser would find in a page: tags, addresses and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        # Elements that are open, the innermost last; what closes another than that stays in the list.
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep every attribute of a tag."""
        self.attributes += [(tag, name, value or "") for name, value in [("", ""), *attrs]]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, if it is of this tag."""
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.open.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text.append(data)

    def values(self, tag: str, attribute: str) -> list[str]:
        """Values of an attribute of a tag, in their order."""
        return [value for of, name, value in self.attributes if (of, name) == (tag, attribute)]


# One transparent pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def items(tmp_path: Path) -> list[page.Item]:
    """A page's worth of items, with the captions of the report."""
    data = pd.DataFrame({"α": ["0.1"] * 30})
    (tmp_path / "parameters.html").write_text(Table(data, data).to_html(), encoding="utf-8")
    (tmp_path / "table_4.html").write_text(Table(data[:3], data[:3], "A finding.").to_html(), encoding="utf-8")
    (tmp_path / "figure_3.png").write_bytes(PIXEL)
    names = {"parameters": "html", "table_4": "html", "figure_3": "png"}
    return [
        page.item(name, ROOT / f"workflow/report/{name}.rst", tmp_path / f"{name}.{form}")
        for name, form in names.items()
    ]


@pytest.fixture
def first() -> Answer:
    return answer.compose(VERDICTS, table_4(), PUBLISHED["table_4"])


@pytest.fixture
def outline(tmp_path: Path, items: list[page.Item], first: Answer) -> Outline:
    page.write(items, first, TEMPLATE, tmp_path / "index.html")
    return Outline((tmp_path / "index.html").read_text(encoding="utf-8"))


def test_an_item_is_called_as_in_the_paper(items: list[page.Item]) -> None:
    assert [item.label for item in items] == ["Parameters", "Table 4", "Figure 3"]


def test_items_stand_part_by_part_and_the_figure_of_the_answer_first() -> None:
    names = ["scorecard", "table_4", "figure_3", "crops", "table_10", "parameters", "time_by_stage", "new"]
    assert contents.arranged(names) == [
        *("figure_3", "scorecard", "table_4", "table_10", "crops", "new", "parameters", "time_by_stage")
    ]


def test_the_page_has_the_answer_and_every_item_with_its_caption_and_a_link_to_it(outline: Outline) -> None:
    assert outline.values("section", "id") == ["answer", "figure_3", "table_4", "parameters"]
    assert [link for link in outline.values("a", "href") if link.startswith("#")] == [
        "#figure_3",
        "#table_4",
        "#parameters",
        # With the legend of the bar.
        "#scorecard",
    ]
    text = "".join(outline.text)
    assert text.index("Of 4 published") < text.index("The trained model after") < text.index("MAE and R²")
    # Markup of captions and tables is rendered, not shown.
    assert "<table" not in text
    assert "<p>" not in text
    assert outline.open == []


def test_a_long_table_is_folded_and_a_short_one_is_not(items: list[page.Item]) -> None:
    parameters, table_4, _ = (item.content for item in items)
    assert parameters.index("<details><summary>Table of 30 rows</summary>") < parameters.index("<table")
    assert "<details" not in table_4
    assert balanced(parameters)


def test_the_early_page_says_what_is_to_come_and_where(tmp_path: Path, items: list[page.Item], first: Answer) -> None:
    page.write(items, first, TEMPLATE, tmp_path / "main.html", to_come=["time_by_stage", "crops"])
    early = Outline((tmp_path / "main.html").read_text(encoding="utf-8"))
    assert "The run goes on with Crops, Time by stage;" in plain((tmp_path / "main.html").read_text(encoding="utf-8"))
    assert "index.html" in early.values("a", "href")
    assert "to_come" in early.values("p", "id")


def test_the_page_has_its_images_inside(outline: Outline) -> None:
    (source,) = outline.values("img", "src")
    assert source.startswith("data:image/png;base64,")
    assert base64.b64decode(source.split(",")[1]) == PIXEL
    assert outline.values("img", "alt") == ["Figure 3; the caption says what it shows"]


def test_the_page_needs_no_other_file_and_no_network(outline: Outline) -> None:
    tags = {tag for tag, _, _ in outline.attributes}
    assert tags.isdisjoint({"iframe", "object", "embed", "base", "form"})
    loaded = {"src", "srcset", "data", "poster", "background", "action"}
    for tag, name, value in outline.attributes:
        if name in loaded or (name == "href" and tag != "a"):
            assert value.startswith("data:"), (tag, name, value[:80])
        elif not (tag == "a" and name == "href"):
            assert "//" not in value, (tag, name, value[:80])
            assert "url(" not in value, (tag, name, value[:80])
    for text in outline.text:
        assert not any(load in text for load in ("url(", "@import", "fetch(", "import(", "http:"))


def test_the_page_gives_the_same_bytes_again(tmp_path: Path, items: list[page.Item], first: Answer) -> None:
    page.write(items, first, TEMPLATE, tmp_path / "first.html")
    page.write(iter(items), first, TEMPLATE, tmp_path / "second.html")
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_a_name_cannot_break_out_of_the_page(tmp_path: Path, first: Answer) -> None:
    page.write([page.Item('x"><script>', "", "")], first, TEMPLATE, tmp_path / "index.html")
    # The page has one script, its own.
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<script") == 1


def test_a_template_that_asks_for_what_the_page_lacks_is_an_error_and_writes_nothing(
    tmp_path: Path, first: Answer
) -> None:
    (tmp_path / "template").write_text("{{ itmes }}", encoding="utf-8")
    with pytest.raises(Exception, match="'itmes' is undefined"):
        page.write([], first, tmp_path / "template", tmp_path / "index.html")
    assert [path.name for path in tmp_path.iterdir()] == ["template"]
