"""Results as an RO-Crate: a description that others' tools read."""

import json
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

import runs
from safe_pit_cm import cli


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A finished run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    runs.make_all()
    yield tmp_path
    logging.captureWarnings(False)


def test_the_library_reads_what_every_job_made_from_what() -> None:
    assert cli.main(["crate", "results"]) == 0
    crate = ROCrate("results")
    assert len(crate.data_entities) == 2 * 6
    actions = {entity["name"]: entity for entity in crate.contextual_entities if entity.type == "CreateAction"}
    assert set(actions) == {"start 000", "start 001", "video 000", "video 001", "page"}
    assert [source.id for source in actions["video 000"]["object"]] == ["starts/000.zarr/"]
    assert [made.id for made in actions["page"]["result"]] == ["table.csv", "table.md"]
    assert "python" in " ".join(actions["page"]["instrument"]["softwareRequirements"])
    # The description is no foreign file.
    assert cli.main(["verify", "results"]) == 0


def test_an_archive_contains_the_results() -> None:
    assert cli.main(["crate", "--zip", "archive.zip"]) == 0
    with zipfile.ZipFile("archive.zip") as archive:
        names = set(archive.namelist())
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    assert {"table.csv", "videos/000.zarr/c.0", "provenance/videos/000.zarr.json"} <= names
    assert {entity["@id"] for entity in graph} >= {"./", "table.csv", "videos/000.zarr/"}
    assert cli.main(["crate", "--zip", "archive.zip"]) == 2


def test_damaged_results_are_not_archived(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results/table.csv").write_text("edited", encoding="utf-8")
    assert cli.main(["crate", "--zip", "archive.zip"]) == 2
    assert "results/table.csv is damaged" in capsys.readouterr().err
    assert not Path("archive.zip").exists()
