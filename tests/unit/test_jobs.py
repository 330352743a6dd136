"""How the process of a workflow script ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from safe_pit_cm.data import records

SCRIPT = """
import atexit
import runs
from safe_pit_cm.data import jobs
snakemake = runs.starts()
atexit.register(print, "taken apart")
with jobs.run({job}) as log:
    log.info("at work")
    print("said")
    {body}
"""


def script(folder: Path, body: str, job: str = "snakemake") -> subprocess.CompletedProcess[str]:
    """Run a script in which Snakemake's job is called as it always is."""
    code = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r})" + SCRIPT.format(body=body, job=job)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results/starts").mkdir(parents=True)
    return tmp_path


def test_a_script_that_has_done_its_work_ends_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = script(folder, "runs.write(snakemake, 'a result')")
    assert (done.returncode, done.stdout) == (0, "said\n"), done.stderr
    log = (folder / "job.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2].split(" in ")[0] for line in log] == ["at work", "done"]
    monkeypatch.chdir(folder)
    assert records.read(Path("results/starts/000.zarr")).rule == "start"


def test_a_script_that_fails_ends_with_status_1_and_without_a_record(folder: Path) -> None:
    done = script(folder, "raise ValueError('no number')")
    assert (done.returncode, done.stdout) == (1, "said\ntaken apart\n")
    assert "ValueError: no number" in (folder / "job.log").read_text(encoding="utf-8")
    assert not (folder / "results/provenance").exists()


def test_a_job_without_a_result_fails(folder: Path) -> None:
    assert script(folder, "pass").returncode == 1
    assert not (folder / "results/provenance").exists()


def test_a_job_that_is_not_all_of_a_process_lets_it_go_on(folder: Path) -> None:
    done = script(folder, "runs.write(snakemake, 'a result')", job="runs.starts()")
    assert (done.returncode, done.stdout) == (0, "said\ntaken apart\n"), done.stderr
