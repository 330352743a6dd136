"""Runs under odd conditions: each works, or ends in a sentence that says what to do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checkout import ROOT, TINY, Checkout, make_checkout

# A single job.
VIDEO = "results/videos/mobility/000.zarr"
PARENT = """\
configfile: "mine.yaml"

module paper:
    snakefile: "{snakefile}"
    config: config

use rule * from paper as paper_*

rule mine:
    input:
        "results/paper/tables/table_1.csv",
    output:
        "mine.csv",
    params:
        whatever=Ellipsis,
    shell:
        "cp {{input}} {{output}}"
"""


def snakemake(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Snakemake with nothing in its environment but what it needs."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    needed = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
    return subprocess.run(
        command,
        cwd=folder,
        env={**needed, **environment},
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        umask=0o077,
    )


def test_a_folder_with_spaces_and_letters_of_other_scripts_without_home_in_the_locale_c(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "my results – опыт é")
    done = snakemake(checkout.path, f"--configfile={TINY}", VIDEO, LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert (checkout.path / VIDEO).is_dir()


def test_another_working_directory(tmp_path: Path, undisturbed: Checkout) -> None:
    arguments = ["-s", str(ROOT / "Snakefile"), "-d", str(tmp_path / "elsewhere"), f"--configfile={TINY}"]
    targets = [VIDEO, "results/paper/tables/table_1.csv"]
    done = snakemake(tmp_path, *arguments, *targets, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for target in targets:
        own = tmp_path / "elsewhere" / target
        files = [own] if own.is_file() else sorted(own.glob("**/c.*"))
        assert files
        for file in files:
            there = undisturbed.path / file.relative_to(tmp_path / "elsewhere")
            assert file.read_bytes() == there.read_bytes()
    # Captions and templates are those of the checkout.
    planned = snakemake(tmp_path, *arguments, "-n", "results/paper/index.html", HOME=str(tmp_path))
    assert planned.returncode == 0, planned.stderr


def test_a_module_of_another_workflow(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(PARENT.format(snakefile=ROOT / "Snakefile"), encoding="utf-8")
    (tmp_path / "mine.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    done = snakemake(tmp_path, f"--configfile={TINY}", "mine.csv", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "grid" in (tmp_path / "mine.csv").read_text(encoding="utf-8")
    planned = snakemake(tmp_path, f"--configfile={TINY}", "-n", "results/paper/index.html", HOME=str(tmp_path))
    assert planned.returncode == 0, planned.stderr
    assert "paper_page" in planned.stdout + planned.stderr


def test_two_runs_in_one_folder(fresh: Checkout) -> None:
    first = fresh.start()
    locks = fresh.path / ".snakemake/locks"
    try:
        while not locks.exists() or not any(locks.iterdir()):
            assert first.poll() is None
            time.sleep(0.05)
        second = fresh.run()
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert second.code == 1
    assert "cannot be locked" in second.output
    assert "--unlock" in second.output
    assert "Traceback" not in second.output


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounts a file system")
def test_a_read_only_folder(fresh: Checkout) -> None:
    results = fresh.path / "results"
    results.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(results)], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        outcome = fresh.run("results/splits.csv")
    finally:
        subprocess.run(["umount", str(results)], check=True)
    assert outcome.code == 1
    assert "no permission to write to results; change its mode" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_clock_that_is_set_back_hides_no_change(finished: Checkout) -> None:
    changed = ("--config", "inference={steps: 5}")
    fits = [f"results/trained/{process}/00{number}.zarr" for process in ("diffusion", "mobility") for number in (3, 4)]
    stamps = [finished.path / fit / ".snakemake_timestamp" for fit in fits]
    before = [(stamp.stat().st_atime_ns, stamp.stat().st_mtime_ns) for stamp in stamps]
    outcome = finished.run(*changed, "--", *fits)
    assert outcome.code == 0, outcome.output
    for fit, stamp, times in zip(fits, stamps, before, strict=True):
        for path in (finished.path / fit, stamp):
            os.utime(path, ns=times)
    # By their times, the tables of these fits are up to date.
    jobs = finished.would_run(*changed)
    assert "infer" not in jobs
    assert {"table_4", "table_5", "figure_3", "figure_4", "figure_5", "scorecard", "page"} <= set(jobs)
