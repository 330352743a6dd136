"""The table of films: what it may say, and a sentence for everything that it may not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from safe_pit_cm import cli
from safe_pit_cm.equations.boundaries import BOUNDARIES
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import film, samples

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "workflow/schemas/samples.schema.yaml").read_text(encoding="utf-8"))
OPTIONS = SCHEMA["properties"]["options"]["properties"]
# What the schema offers ahead of `safe-pit-cm fit`.
LATER = {"times", "reference", "dark", "z", "pattern"}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a table, a tab for every bar, beside a film and a folder of images."""
    (tmp_path / "film.npy").touch()
    (tmp_path / "mask.png").touch()
    for name in ("images/1.png", "images/2.png", "images/.hidden", "images/more/3.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()

    def written(*rows: str, encoding: str = "utf-8") -> Path:
        table = tmp_path / "samples.tsv"
        table.write_text("\n".join(rows).replace("|", "\t") + "\n", encoding=encoding)
        return table

    return written


def problems(table: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        samples.read(table, SCHEMA)
    return str(caught.value).replace(str(table), "samples.tsv").splitlines()


def test_a_row_becomes_words_of_the_command_line(write: Write, tmp_path: Path) -> None:
    table = write(
        "sample|path|dx|dt|boundary|group|options",
        "f1|film.npy|0.65 0.7|.5|no-flux|control|missing roi=0:8,0:8 variable='a b' mask=mask.png length-unit=µm",
        "",
        "f2|images|||||",
    )
    first, second = samples.read(table, SCHEMA).values()
    assert first.arguments == (
        *("--dx=0.65,0.7", "--dt=0.5", "--boundary=no-flux", "--length-unit=µm", "--roi=0:8,0:8"),
        *("--variable=a b", "--missing", f"--mask={tmp_path / 'mask.png'}"),
    )
    assert (first.name, first.group) == ("f1", "control")
    assert first.files == (str(tmp_path / "film.npy"), str(tmp_path / "mask.png"))
    assert (second.arguments, second.group, second.film) == ((), "", str(tmp_path / "images"))
    assert second.files == tuple(str(tmp_path / "images" / name) for name in ("1.png", "2.png", "more/3.png"))


def test_neither_the_order_of_columns_nor_the_writing_of_numbers_nor_a_mark_of_encoding_matters(write: Write) -> None:
    one = samples.read(write("sample|path|dx|dt|options", "f|film.npy|0.5|0.50|channel=1 roi=0:8,0:8"), SCHEMA)
    table = write("dt|options|sample|path|dx", "5e-1|roi=0:8,0:8  channel=1|f| film.npy|0.5", encoding="utf-8-sig")
    assert samples.read(table, SCHEMA) == one


@pytest.mark.parametrize(
    ("header", "row", "sentence"),
    [
        ("sample|path", "a/b|film.npy", "sample cannot be 'a/b' (name of the film in the results; at most 80 letters"),
        ("sample|path", "-b|film.npy", "sample cannot be '-b'"),
        ("sample|path", "|film.npy", "sample is missing"),
        ("sample|path", "f", "path is missing"),
        ("sample|path", "f|nothing.npy", "path: there is no file or folder nothing.npy; correct the path"),
        ("sample|path", "f|{a}.npy", "path cannot be '{a}.npy' (file or folder of the film"),
        ("sample|path", "f|film.npy|0.5", "the row has 3 cells and the table 2 columns; remove what stands too much"),
        ("sample|path|dx", "f|film.npy|0,5", "dx cannot be '0,5' (pixel size with a decimal point"),
        ("sample|path|dx", "f|film.npy|0", "dx cannot be '0'"),
        ("sample|path|dx", "f|film.npy|0.0e5", "dx cannot be '0.0e5'"),
        ("sample|path|dx", "f|film.npy|0.5 0", "dx cannot be '0.5 0'"),
        ("sample|path|dx", "f|film.npy|-0.5", "dx cannot be '-0.5'"),
        ("sample|path|dx", "f|film.npy|0.5 µm", "dx cannot be '0.5 µm'"),
        ("sample|path|dt", "f|film.npy|0,5", "dt must be a number, not the text '0,5' (time between two frames with a"),
        ("sample|path|dt", "f|film.npy|0", "dt must be greater than 0, not 0.0"),
        ("sample|path|dt", "f|film.npy|nan", "dt must be a number, not the text 'nan'"),
        ("sample|path|dt", "f|film.npy|1e999", "dt must be a number, not the text '1e999'"),
        ("sample|path|dt|times", "f|film.npy|1|mask.png", "dt and times are both given; leave one of them empty"),
        ("sample|path|reference", "f|film.npy|no.tif", "reference: there is no file or folder no.tif"),
        ("sample|path|boundary", "f|film.npy|wall", "boundary must be one of open, periodic, no-flux, dirichlet, not"),
        ("sample|path|options", "f|film.npy|output=/etc", "options.output is not a known key; the keys of options are"),
        ("sample|path|options", "f|film.npy|rm;ls", "options.rm;ls is not a known key"),
        ("sample|path|options", "f|film.npy|channel", "options.channel must be a whole number, not True"),
        ("sample|path|options", "f|film.npy|channel=-1", "options.channel must be at least 0, not -1"),
        ("sample|path|options", "f|film.npy|missing=yes", "options.missing must be true or false, not the text 'yes'"),
        ("sample|path|options", "f|film.npy|roi=0-8", "options.roi cannot be '0-8' (rows and columns to use as Y0:Y1,"),
        ("sample|path|options", "f|film.npy|variable='a", "options: a quotation mark has no partner in variable='a"),
        ("sample|path|options", "f|film.npy|seed=1 seed=2", "options: seed is given twice; leave one out"),
        ("sample|path|options", "f|film.npy|mask=no.png", "mask: there is no file or folder no.png"),
    ],
)
def test_a_bad_row_is_named_with_its_column(write: Write, header: str, row: str, sentence: str, tmp_path: Path) -> None:
    [problem] = problems(write(header, "good|film.npy", row))
    assert problem.replace(f"{tmp_path}/", "").startswith(f"samples.tsv, row 3: {sentence}")


def test_every_bad_row_is_named(write: Write) -> None:
    table = write("sample|path|dt", "f|film.npy|x", "", "g|film.npy|1", "g g|none.npy|-1", "G|film.npy|1")
    assert [re.split(r" (?:must|cannot|stands)", line)[0] for line in problems(table)] == [
        "samples.tsv, row 2: dt",
        "samples.tsv, row 5: dt",
        "samples.tsv, row 5: sample",
        "samples.tsv, row 6: sample: G",
    ]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            "sample|path|refrence",
            "row 1: the column refrence is not known; the columns are sample, path, dx, dt, times",
        ),
        ("sample|dx", "row 1: the column path is missing; add it"),
        ("sample|path|path", "row 1: the column path stands twice; remove one"),
        ("sample,path", "row 1: columns must be separated by tabs; save the table again as text with tabs"),
    ],
)
def test_a_bad_header_is_named(write: Write, header: str, sentence: str) -> None:
    [problem] = problems(write(header, "f|film.npy"))
    assert problem.startswith(f"samples.tsv, {sentence}")


def test_a_table_that_lists_nothing_or_is_no_text_is_refused(write: Write, tmp_path: Path) -> None:
    assert problems(write("sample|path")) == [
        "samples.tsv lists no film; write a row for each film below the names of the columns"
    ]
    assert "the column sample is missing" in problems(write(""))[0]
    assert "is no text in UTF-8" in problems(write("sample|path", "µ|film.npy", encoding="utf-16"))[0]
    with pytest.raises(UserError, match="cannot be read"):
        samples.read(tmp_path, SCHEMA)


@pytest.mark.parametrize(("dark", "files"), [("202.5", 1), ("mask.png", 2)])
def test_the_dark_signal_is_an_image_or_a_level(
    write: Write, dark: str, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "parse", lambda *_: None)
    [sample] = samples.read(write("sample|path|dark", f"f|film.npy|{dark}"), SCHEMA).values()
    assert sample.arguments[0].endswith(dark)
    assert len(sample.files) == files


def test_an_option_that_the_fit_does_not_have_is_named(write: Write, tmp_path: Path) -> None:
    grown = {**SCHEMA, "properties": {**SCHEMA["properties"], "made-up": {"type": "string"}}}
    table = write("sample|path|made-up", "f|film.npy|1")
    with pytest.raises(UserError, match="row 2: safe-pit-cm fit has no option made-up; leave it out"):
        samples.read(table, grown)


def test_the_page_of_the_documentation_shows_tables_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "parse", lambda *_: None)
    page = (ROOT / "docs/measurements.md").read_text(encoding="utf-8")
    for name in [*SCHEMA["properties"], *OPTIONS]:
        assert f"`{name}`" in page, name
    tables = re.findall(r"```tsv\n(.*?)```", page, flags=re.DOTALL)
    assert len(tables) == 2
    for text in tables:
        for place in re.findall(r"\t([\w]+/[\w.]+)", text):
            (tmp_path / place).parent.mkdir(exist_ok=True)
            (tmp_path / place).touch()
        (tmp_path / "samples.tsv").write_text(text, encoding="utf-8")
        assert samples.read(tmp_path / "samples.tsv", SCHEMA)


def test_the_schema_offers_what_the_fit_takes(capsys: pytest.CaptureFixture[str]) -> None:
    # An option that is added to the command belongs into the schema, or below.
    assert cli.main(["fit", "--help"]) == 0
    taken = set(re.findall(r"^  --([a-z-]+)", capsys.readouterr().out, flags=re.MULTILINE))
    columns = set(SCHEMA["properties"]) - {"sample", "path", "group", "options"}
    offered = columns | set(OPTIONS)
    assert not columns & set(OPTIONS)
    equations = {"model", "equation", "fix", "bounds", "compare", "affine", "profile"}
    assert taken - offered == {"output", "overwrite", "quiet", *equations}
    assert offered - taken <= LATER
    assert set(SCHEMA["properties"]["boundary"]["enum"]) == set(BOUNDARIES)
