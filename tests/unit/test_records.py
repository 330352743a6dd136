"""A job reads only what it asks for, as it was written."""

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runs
from safe_pit_cm.data import records
from safe_pit_cm.errors import UserError

START, VIDEO, OTHER = Path("results/starts/000.zarr"), Path("results/videos/000.zarr"), Path("results/videos/001.zarr")
TABLE = Path("results/table.csv")


@pytest.fixture(autouse=True)
def _warnings_as_they_were() -> Iterator[None]:
    yield
    logging.captureWarnings(False)


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    runs.make_all()
    return tmp_path


def copied(source: Path, target: Path) -> None:
    """Copy a result, with its record, over another."""
    for own, other in ((source, target), (records.place(source), records.place(target))):
        assert own
        assert other
        if own.is_dir():
            shutil.rmtree(other)
            shutil.copytree(own, other)
        else:
            shutil.copy2(own, other)


def edited_record(path: Path, **changes: object) -> None:
    file = records.place(path)
    assert file
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def swap(first: Path, second: Path) -> None:
    first.rename("aside")
    second.rename(first)
    Path("aside").rename(second)


def of_another_seed() -> None:
    shutil.move("results", "mine")
    runs.make_all(seed=2)
    shutil.move("results", "theirs")
    shutil.move("mine", "results")
    shutil.rmtree(START)
    shutil.copytree(Path("theirs") / START.relative_to("results"), START)
    shutil.copy("theirs/provenance/starts/000.zarr.json", "results/provenance/starts/000.zarr.json")


# What is done to a finished run, the job that then reads it, and what the job says.
FAULTS: dict[str, tuple[Callable[[], object], runs.Job, str]] = {
    "a flipped byte": (lambda: (VIDEO / "c.0").write_bytes(b"Video"), runs.table(), f"{VIDEO} is damaged"),
    "an empty chunk": (lambda: (VIDEO / "c.0").write_bytes(b""), runs.table(), f"{VIDEO} is damaged"),
    "a missing chunk": (lambda: (VIDEO / "c.0").unlink(), runs.table(), f"{VIDEO} is damaged"),
    "a further file": (lambda: (VIDEO / "c.1").touch(), runs.table(), f"{VIDEO} is damaged"),
    "a renamed chunk": (lambda: (VIDEO / "c.0").rename(VIDEO / "c.1"), runs.table(), f"{VIDEO} is damaged"),
    "a missing store": (lambda: shutil.rmtree(VIDEO), runs.table(), f"{VIDEO} is missing"),
    "two swapped stores": (lambda: swap(VIDEO, OTHER), runs.table(), f"{VIDEO} is damaged, was edited or is another"),
    "a store of another parent": (lambda: copied(OTHER, VIDEO), runs.table(), "its record is that of results/videos/0"),
    "a store of another seed": (of_another_seed, runs.video(), f"{START} is not the one asked for"),
    "a store of another configuration": (lambda: None, runs.video(seed=3), f"{START} is not the one asked for"),
    "an input made anew with other bytes": (
        lambda: runs.make(runs.starts(), "otherwise"),
        runs.table(),
        f"{VIDEO} is outdated: it was made from another {START}",
    ),
    "no record": (lambda: records.forget(VIDEO), runs.table(), f"{VIDEO} has no record of what it is"),
    "a damaged record": (
        lambda: Path("results/provenance/videos/000.zarr.json").write_text("{", encoding="utf-8"),
        runs.table(),
        "000.zarr.json is damaged: it is not a record",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_job_refuses_what_is_not_what_it_asks_for(fault: str) -> None:
    damage, job, sentence = FAULTS[fault]
    damage()
    before = {path: path.read_bytes() for path in map(Path, job.output) if path.is_file()}
    with pytest.raises(SystemExit), runs.running(job):
        pytest.fail("the job ran")
    log = Path("job.log").read_text(encoding="utf-8")
    assert sentence in log
    assert "rm -rf results/" in log
    assert "uv run snakemake --cores all results/" in log
    assert "Traceback" not in log
    assert before == {path: path.read_bytes() for path in before}
    # A job that has not ended leaves no record.
    assert not any(place.exists() for path in job.output if (place := records.place(path)))


def test_a_job_that_reads_what_it_asks_for_runs() -> None:
    runs.make(runs.table())


def test_the_record_says_what_a_result_is() -> None:
    record = records.read(VIDEO)
    assert (record.path, record.rule, record.wildcards) == (str(VIDEO), "video", {"parent": "000"})
    assert record.params == {"settings": {}, "code": "0123"}
    assert record.upstream == [runs.starts().lineage]
    assert record.inputs == [records.Input(str(START), records.digest(START))]
    assert record.size == len("{}") + len((VIDEO / "c.0").read_bytes())
    assert "python" in record.packages


def test_the_digest_of_a_file_is_that_of_common_tools() -> None:
    asked = subprocess.run(["sha256sum", str(TABLE)], capture_output=True, text=True, check=True)
    assert records.digest(TABLE) == asked.stdout.split()[0]
    listed = "find . -type f | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    asked = subprocess.run(listed, shell=True, cwd=VIDEO, capture_output=True, text=True, check=True)
    assert records.digest(VIDEO) == asked.stdout.split()[0]


def test_a_time_stamp_of_snakemake_is_no_damage() -> None:
    (VIDEO / ".snakemake_timestamp").touch()
    runs.make(runs.table())


@pytest.mark.parametrize(
    ("path", "named", "place"),
    [
        ("results/a/b.zarr", "results/a/b.zarr", "results/provenance/a/b.zarr.json"),
        ("/some/results/of/results/a.csv", "results/a.csv", "/some/results/of/results/provenance/a.csv.json"),
        (".snakemake/storage/x/results/a.csv", "results/a.csv", ".snakemake/storage/x/results/provenance/a.csv.json"),
        (
            "results/measurements/results",
            "results/measurements/results",
            "results/provenance/measurements/results.json",
        ),
    ],
)
def test_a_result_has_one_place_for_its_record(path: str, named: str, place: str) -> None:
    assert records.name(path) == named
    assert records.place(path) == Path(place)


@pytest.mark.parametrize("film", ["film.tif", "results of mine/film.tif", "{folder}/results/film.tif"])
def test_a_file_that_is_no_result_of_the_run_is_recorded_by_its_digest_alone(film: str, run: Path) -> None:
    path = Path(film.format(folder=run / "others"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"film")
    job = runs.table()
    job.input.append(str(path))
    runs.make(job)
    recorded = records.read(TABLE).inputs[-1]
    assert recorded.sha256 == records.digest(path)
    assert str(run) not in recorded.path


def test_a_job_without_results_among_its_inputs_reads_files_anywhere() -> None:
    Path("results/film.tif").write_bytes(b"film")
    runs.make(runs.Job("measure", ["results/film.tif"], ["results/measured"], {}, []))
    assert records.read("results/measured").inputs == [
        records.Input("results/film.tif", records.digest(TABLE.parent / "film.tif"))
    ]


def test_the_lineage_follows_from_rule_parameters_and_what_comes_before() -> None:
    own = records.lineage("rule", {"a": 1, "b": 2}, ["x", "y"])
    assert own == records.lineage("rule", {"b": 2, "a": 1}, ["y", "x"])
    others = [
        records.lineage("another", {"a": 1, "b": 2}, ["x", "y"]),
        records.lineage("rule", {"a": 2, "b": 1}, ["x", "y"]),
        records.lineage("rule", {"a": 1, "b": 2}, ["x"]),
    ]
    assert len({own, *others}) == 4


def lineages() -> dict[str, str]:
    """Results of the run with their lineages."""
    made = [(VIDEO, runs.video()), (OTHER, runs.video()), (START, runs.starts()), (TABLE, runs.table())]
    return {str(path): job.lineage for path, job in made}


def test_a_survey_names_everything_that_lost_bytes_or_was_edited_at_once() -> None:
    assert records.survey(lineages()) == {}
    (OTHER / "c.0").write_bytes(b"")
    TABLE.write_bytes(TABLE.read_bytes().swapcase())
    with pytest.raises(UserError, match=rf"^{OTHER}, {TABLE}: .*rm -rf {OTHER} {TABLE} && uv run snakemake"):
        records.survey(lineages())
    shutil.rmtree(OTHER)
    TABLE.unlink()
    # Snakemake makes what is missing.
    assert records.survey(lineages()) == {}


@pytest.mark.parametrize("fault", ["a store of another seed", "a store of another parent", "a damaged record"])
def test_a_survey_finds_what_is_of_another_run(fault: str) -> None:
    FAULTS[fault][0]()
    with pytest.raises(UserError, match=r"rm -rf results/\w+/000\.zarr"):
        records.survey(lineages())


def test_a_survey_tells_of_packages_that_are_newer_now(monkeypatch: pytest.MonkeyPatch) -> None:
    edited_record(VIDEO, packages={"python": "3.11.0", "torch": "2.9.0"})
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.10.0")
    assert records.survey(lineages())["torch"] == ("2.9.0", "2.10.0")
