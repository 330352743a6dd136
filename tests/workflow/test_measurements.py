"""The films of a table through the workflow: a job each, one summary, and a damaged film stops no other."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import films
from checkout import Checkout, make_checkout
from safe_pit_cm.measurements import film, outcomes

TARGET = "measurements"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which four films were measured, the second of them damaged; tests must not change it."""
    checkout = make_checkout(tmp_path_factory.mktemp("measured") / "safe-pit-cm")
    films.laboratory(checkout.path, 4, damaged=1)
    outcome = checkout.run(TARGET)
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"measure": 4, "measurements": 1}
    sentence = outcome.output[outcome.output.index("3 of 4 films measured") :]
    assert re.match(r".*: results/measurements/summary\.html\nfilm_001: .*001\.npy is damaged or cut short", sentence)
    assert "Every table and figure" not in outcome.output
    return checkout


@pytest.fixture
def copy(measured: Checkout, tmp_path: Path) -> Checkout:
    return measured.copy_to(tmp_path / "copy")


def assert_one_is_damaged(checkout: Checkout, count: int, damaged: int) -> None:
    """All results are there, but for the film that is damaged, which has a sentence."""
    results = checkout.path / "results/measurements"
    found = {path.name: outcomes.read(path) for path in sorted(results.iterdir()) if path.is_dir()}
    assert list(found) == [f"film_{index:03d}" for index in range(count)]
    wrong = found.pop(f"film_{damaged:03d}")
    assert {outcome.status for outcome in found.values()} == {"measured"}
    assert (wrong.status, len(wrong.sentence.splitlines())) == ("failed", 1)
    assert re.match(rf"films of today/{damaged:03d}\.npy is damaged or cut short .* again$", wrong.sentence)
    table = pd.read_csv(results / "summary.csv").set_index("sample")
    assert len(table) == count
    for name in found:
        true = 0.3 + 0.1 * (table["group"][name] == "fast")
        assert abs(table["diffusivity"][name] - true) < 5 * table["total_stderr"][name]
    means = pd.read_csv(results / "groups.csv").set_index("group")
    assert means["n"].sum() == count - 1
    assert means["films"].sum() == count
    for group, true in {"slow": 0.3, "fast": 0.4}.items():
        assert abs(means["mean"][group] - true) < 5 * means["stderr"][group]
    page = (results / "summary.html").read_text(encoding="utf-8")
    assert f"{count - 1} of {count} films measured, 1 failed" in page
    assert page.count("<img") == count
    assert wrong.sentence.partition(" (")[0] in page


def test_a_damaged_film_becomes_a_sentence_and_stops_no_other(measured: Checkout) -> None:
    assert_one_is_damaged(measured, 4, damaged=1)
    results = measured.path / "results/measurements"
    names = {".snakemake_timestamp", "fit.json", "fit.png", "fit.zarr", "index.html", "outcome.json", film.THUMBNAIL}
    assert {path.name for path in (results / "film_000").iterdir()} == names
    assert {path.name for path in (results / "film_001").iterdir()} == {".snakemake_timestamp", "outcome.json"}
    assert "failed: films of today/001.npy is damaged" in (measured.path / "logs/measure/film_001.log").read_text()


def test_nothing_is_done_twice_nor_for_columns_in_another_order(copy: Checkout) -> None:
    table = pd.read_csv(copy.path / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    table[list(table.columns)[::-1]].to_csv(copy.path / "samples.tsv", sep="\t", index=False)
    assert "Nothing to be done" in copy.run(TARGET).output


def test_a_changed_row_reruns_its_film_alone(copy: Checkout) -> None:
    copy.edit("samples.tsv", "002.npy\t0.5\t", "002.npy\t0.25\t")
    assert copy.would_run(TARGET) == {"measure": 1, "measurements": 1}


def test_a_changed_group_reruns_the_summary_alone(copy: Checkout) -> None:
    table = copy.path / "samples.tsv"
    table.write_text(table.read_text(encoding="utf-8").replace("slow", "cold"), encoding="utf-8")
    assert copy.would_run(TARGET) == {"measurements": 1}


def test_a_new_row_adds_its_film(copy: Checkout) -> None:
    with (copy.path / "samples.tsv").open("a", encoding="utf-8") as table:
        table.write("again\tfilms of today/000.npy\t0.5\t0.25\tperiodic\n")
    assert copy.would_run(TARGET) == {"measure": 1, "measurements": 1}


def test_changed_films_are_measured_again_alone(copy: Checkout) -> None:
    # A film of one file, and one of many: Snakemake compares the content of small files, not their times alone.
    for path in ("000.npy", "003/5.png"):
        with (copy.path / "films of today" / path).open("ab") as changed:
            changed.write(b"more")
    assert copy.would_run(TARGET) == {"measure": 2, "measurements": 1}


def test_a_repaired_film_is_measured(copy: Checkout) -> None:
    shutil.copy(copy.path / "films of today/000.npy", copy.path / "films of today/001.npy")
    outcome = copy.run(TARGET)
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"measure": 1, "measurements": 1}
    assert "4 of 4 films measured: results/measurements/summary.html" in outcome.output


def test_a_missing_table_is_named_when_films_are_asked_for(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", TARGET)
    assert outcome.code == 1
    assert "there is no table of films samples.tsv; write one with a row per film" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_bad_table_is_named_before_anything_runs_and_does_not_disturb_the_paper(fresh: Checkout) -> None:
    films.laboratory(fresh.path, 2, damaged=0)
    fresh.edit("samples.tsv", "000.npy\t0.5\t", "000.npy\t0,5\t")
    outcome = fresh.run(TARGET)
    assert outcome.code == 1
    assert "samples.tsv, row 2: dx cannot be '0,5' (pixel size with a decimal point" in outcome.output
    assert "Traceback" not in outcome.output
    assert not (fresh.path / "results").exists()
    assert fresh.would_run("results/splits.csv") == {"split": 1}


def test_a_film_that_the_table_does_not_list_is_named(measured: Checkout) -> None:
    outcome = measured.run("--dry-run", "results/measurements/other")
    assert outcome.code == 1
    assert "samples.tsv has no sample other; add a row for it" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_table_elsewhere_is_read_with_its_films(measured: Checkout, tmp_path: Path) -> None:
    films.laboratory(tmp_path / "elsewhere", 3, damaged=0)
    table = tmp_path / "elsewhere/samples.tsv"
    jobs = measured.would_run("--config", f"measurements={{samples: {table}}}", "--", TARGET)
    assert jobs == {"measure": 3, "measurements": 1}


@pytest.mark.slow
def test_of_a_hundred_films_one_is_damaged(fresh: Checkout) -> None:
    films.laboratory(fresh.path, 100, damaged=42)
    outcome = fresh.run(TARGET)
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"measure": 100, "measurements": 1}
    assert "99 of 100 films measured, 1 failed: results/measurements/summary.html\nfilm_042: " in outcome.output
    assert_one_is_damaged(fresh, 100, damaged=42)
