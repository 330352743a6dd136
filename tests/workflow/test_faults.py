"""What happens to a finished run that is damaged, edited or mixed with another: docs/faults.md lists it all."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from checkout import ROOT, Checkout, flip, keeping_time

PAGE = ROOT / "docs/faults.md"
STORE, VIDEO = "results/zero_shot/mobility/004.zarr", "results/videos/mobility/004.zarr"
CHUNK = f"{VIDEO}/field/c.0.0.0"
TABLE, SPLITS = "results/paper/tables/table_4.csv", "results/splits.csv"
MODEL, CATALOGUE = "results/training/model.safetensors", "results/videos/catalogue.csv"
OUTCOME = "results/variants/frames/outcome.csv"
REPLICATE = "results/replicates/1/003.csv"

# What the next run does: it stops before anything is computed; a job that reads the result stops; or it computes anew.
# Which of the first two depends on whether the number of bytes has changed, which is all that the start looks at.
Answer = Literal["stops at the start", "stops on reading", "stops at the start or on reading", "rebuilds"]


@dataclass(frozen=True)
class Fault:
    """Something done to a finished run.

    Attributes
    ----------
    what
        The fault, as docs/faults.md lists it.
    do
        What is done, in the folder of the run.
    answer
        What the next run does.
    named
        The result that it names, or makes anew.
    reader
        A rule whose jobs read it.
    """

    what: str
    do: Callable[[Path], object]
    answer: Answer
    named: str
    reader: str = "zero_shot"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def last_line(file: Path) -> None:
    """Cut the last line off."""
    file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")


def relabelled(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(",test", ",train"), encoding="utf-8")


def swapped(first: str, second: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / first).rename(folder / "aside")
        (folder / second).rename(folder / first)
        (folder / "aside").rename(folder / second)

    return apply


def record_of(path: str) -> str:
    """Path of the record of a result."""
    return f"results/provenance/{path.removeprefix('results/')}.json"


def copied(source: str, target: str, record: bool = False) -> Callable[[Path], None]:
    """A result copied over another, with its record or without.

    It gets the time of what it replaces: with its own it may be older than the inputs of the other, which Snakemake
    sees.
    """

    def apply(folder: Path) -> None:
        pairs = [(source, target)]
        if record:
            pairs.append((record_of(source), record_of(target)))
        for own, other in pairs:
            replaced = (folder / other).stat()
            if (folder / own).is_dir():
                shutil.rmtree(folder / other)
                shutil.copytree(folder / own, folder / other)
            else:
                shutil.copy2(folder / own, folder / other)
            for path in (*(folder / other).rglob("*"), folder / other):
                os.utime(path, ns=(replaced.st_atime_ns, replaced.st_mtime_ns))

    return apply


def of_another_seed(folder: Path) -> None:
    """An initial condition of another seed, with its record, copied in."""
    start = "initial_conditions/004.zarr"
    asked = [sys.executable, "-m", "snakemake", "--cores", "1", f"--configfile={ROOT / 'tests/e2e/config.yaml'}"]
    other = folder.parent / "other"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns("results", ".snakemake", "logs"))
    subprocess.run([*asked, f"results/{start}", "--config", "seed=5"], cwd=other, check=True, capture_output=True)
    for path in (start, f"provenance/{start}.json"):
        if (folder / "results" / path).is_dir():
            shutil.rmtree(folder / "results" / path)
            shutil.copytree(other / "results" / path, folder / "results" / path)
        else:
            shutil.copy2(other / "results" / path, folder / "results" / path)


def removed(path: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        else:
            (folder / path).unlink()

    return apply


START: Answer = "stops at the start"
READ: Answer = "stops on reading"
# At the start a store is known by its record and its size, which another may have by chance.
EITHER: Answer = "stops at the start or on reading"
BUILD: Answer = "rebuilds"

FAULTS = [
    Fault("a chunk of a store deleted", removed(CHUNK), START, VIDEO),
    Fault("a chunk cut in two", lambda folder: cut(folder / CHUNK), START, VIDEO),
    Fault("a chunk empty, as after a power failure", lambda folder: empty(folder / CHUNK), START, VIDEO),
    Fault("a byte of a chunk flipped, its time kept", keeping_time(flip, CHUNK), READ, VIDEO),
    Fault("attributes of a store edited", lambda folder: last_line(folder / VIDEO / "zarr.json"), START, VIDEO),
    Fault("a store deleted", removed(STORE), BUILD, "zero_shot"),
    Fault("two videos swapped", swapped(VIDEO, "results/videos/mobility/003.zarr"), START, VIDEO),
    Fault("a video of another parent copied in", copied("results/videos/mobility/003.zarr", VIDEO), START, VIDEO),
    Fault(
        "the same with its record",
        copied("results/videos/mobility/003.zarr", VIDEO, record=True),
        START,
        VIDEO,
    ),
    Fault("a video of the other process copied in", copied("results/videos/diffusion/004.zarr", VIDEO), EITHER, VIDEO),
    Fault(
        "an initial condition of another seed copied in, with its record",
        of_another_seed,
        START,
        "results/initial_conditions/004.zarr",
    ),
    Fault(
        "a fit copied over another",
        copied("results/zero_shot/mobility/003.zarr", STORE),
        EITHER,
        STORE,
        reader="table_4",
    ),
    Fault("the list of splits cut at a line", lambda folder: last_line(folder / SPLITS), START, SPLITS),
    Fault(
        "test videos labelled as for training in the catalogue", keeping_time(relabelled, CATALOGUE), START, CATALOGUE
    ),
    Fault("a result of a replicate cut at a line", lambda folder: last_line(folder / REPLICATE), START, REPLICATE),
    Fault("an outcome of a variant cut at a line", lambda folder: last_line(folder / OUTCOME), START, OUTCOME),
    Fault("a byte of the weights flipped, its time kept", keeping_time(flip, MODEL), START, MODEL),
    Fault("the weights deleted", removed(MODEL), BUILD, "train"),
    Fault("a table edited by hand", lambda folder: cut(folder / TABLE), START, TABLE),
    Fault("a table deleted", removed(TABLE), BUILD, "table_4"),
    Fault("the record of a video deleted", removed(record_of(VIDEO)), READ, VIDEO),
    Fault("a record cut in two", lambda folder: cut(folder / record_of(VIDEO)), START, VIDEO),
]


def table() -> str:
    """The table of docs/faults.md."""
    rows = [f"| {fault.what} | {fault.answer} |" for fault in FAULTS]
    return "\n".join(["| fault | the next run |", "|---|---|", *rows])


def test_the_table_of_faults_lists_what_is_tested() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), f"replace the table in {PAGE} by:\n{table()}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_is_refused_or_mended(fault: Fault, finished: Checkout) -> None:
    fault.do(finished.path)
    verified = subprocess.run(
        [sys.executable, "-c", "import sys; from safe_pit_cm.cli import main; sys.exit(main(['verify']))"],
        cwd=finished.path,
        capture_output=True,
        text=True,
        check=False,
    )
    # Whatever the next run does, the check of the whole folder finds the fault.
    assert verified.returncode == 2
    assert "Traceback" not in verified.stderr
    if fault.answer == "rebuilds":
        assert fault.named in finished.would_run()
        return
    outcome = finished.run("--dry-run")
    if fault.answer == "stops on reading" or (fault.answer == EITHER and outcome.code == 0):
        assert fault.named in verified.stdout
        assert finished.would_run() == {}
        outcome = finished.run("--forcerun", fault.reader, "--until", fault.reader)
    assert outcome.code == 1
    assert fault.named in outcome.output
    assert re.search(rf"rm -rf .*{re.escape(fault.named)}.* && uv run snakemake --cores all", outcome.output)
    assert "Traceback" not in outcome.output
