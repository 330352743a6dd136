"""A folder of results is checked as a whole, and every result is traced to where it comes from."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_records import FAULTS, VIDEO, edited_record

import runs
from safe_pit_cm import cli
from safe_pit_cm.data import tracing, verification
from safe_pit_cm.errors import UserError

PLACES = {
    "a store of another seed": "results/videos/000.zarr",
    "a missing store": "results/videos/000.zarr",
}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A finished run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    runs.make_all()
    yield tmp_path
    logging.captureWarnings(False)


def test_a_finished_run_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify"]) == 0
    assert "6 results: all complete, unchanged, and made from one another" in capsys.readouterr().out


def test_a_folder_that_was_moved_and_renamed_passes() -> None:
    Path("archive").mkdir()
    shutil.move("results", "archive/of-the-paper")
    assert verification.verify("archive/of-the-paper").problems == {}


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "a store of another configuration"])
def test_every_fault_is_found(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    FAULTS[fault][0]()
    assert cli.main(["verify", "results"]) == 2
    shown = capsys.readouterr()
    assert "results/videos/000.zarr" in shown.out
    assert "are not what they should be; rebuild them" in shown.err
    assert "rm -rf " in shown.err
    with pytest.raises(UserError, match="uv run snakemake"):
        verification.check_upstream(["results/table.csv"])


def test_what_no_job_made_is_foreign() -> None:
    Path("results/notes.txt").write_text("mine", encoding="utf-8")
    shutil.copytree(VIDEO, "results/videos/copy.zarr")
    (VIDEO / ".snakemake_timestamp").touch()
    foreign = "is foreign: no finished job made it"
    assert verification.verify("results").problems == {
        "results/notes.txt": foreign,
        "results/videos/copy.zarr": foreign,
    }


def test_an_edited_record_is_foreign() -> None:
    edited_record(VIDEO, params={"settings": {"seed": 5}, "code": "0123"})
    assert verification.verify("results").problems == {str(VIDEO): "is foreign: its record was edited"}


def test_a_result_that_nothing_reads_is_compared_with_the_others_of_its_job() -> None:
    # A job that makes two stores, of which the page reads one, and one of the two from a run with another seed.
    for seed in (2, 1):
        job = runs.starts(seed)
        job.output.append("results/starts/further/000.zarr")
        runs.make(job)
        if seed == 2:
            shutil.copytree("results", "other")
    further = "starts/further/000.zarr"
    assert verification.verify("results").problems == {}
    shutil.rmtree(f"results/{further}")
    shutil.move(f"other/{further}", f"results/{further}")
    shutil.move(f"other/provenance/{further}.json", f"results/provenance/{further}.json")
    problem = "is foreign, or another result of its job is: they are of more than one configuration or code"
    assert verification.verify("results").problems == {
        "results/starts/000.zarr": problem,
        f"results/{further}": problem,
    }


def test_what_leads_to_no_page_is_told() -> None:
    runs.make(runs.video(parent="001"))
    runs.make(runs.starts(parent="002"))
    found = verification.verify("results")
    assert found.problems == {}
    assert found.unused == ["results/starts/002.zarr"]


def test_newer_packages_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    edited_record(VIDEO, packages={"torch": "2.9.0"})
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.10.0")
    assert cli.main(["verify"]) == 0
    assert "made with torch 2.9.0, now 2.10.0: snakemake --forceall makes all anew" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_records_is_refused(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", folder]) == 2
    assert folder in capsys.readouterr().err


def test_a_trace_lists_every_stage_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", "table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "page: 2 results, results/table.csv, results/table.md"
    assert "start: 2 results, results/starts/000.zarr, results/starts/001.zarr" in lines
    assert "    settings  seed=1" in lines
    assert lines[3].startswith("    packages  python ")


def test_stages_of_other_settings_are_listed_apart() -> None:
    runs.make(runs.starts(seed=2))
    known, _ = verification.load_all("results")
    shown = [(stage.rule, stage.results) for stage in tracing.stages(known, ["results/table.csv"])]
    assert shown[1:3] == [("start", ["results/starts/000.zarr"]), ("start", ["results/starts/001.zarr"])]


def test_a_name_that_is_none_is_answered_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", "table_9"]) == 2
    assert "no result is named table_9" in capsys.readouterr().err


def test_what_was_made_from_films_alone_passes() -> None:
    Path("film.tif").write_bytes(b"film")
    runs.make(runs.Job("measure", ["film.tif"], ["results/measured"], {}, []))
    assert verification.verify("results").problems == {}
