"""Runs under odd conditions: each works, or ends in a sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT, TINY, Checkout, make_checkout

# Three jobs.
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
    first = fresh.start("results/splits.csv", *(f"results/initial_conditions/00{number}.zarr" for number in range(5)))
    while not (fresh.path / ".snakemake/locks").exists() or not any((fresh.path / ".snakemake/locks").iterdir()):
        assert first.poll() is None
    second = fresh.run("results/splits.csv")
    output, _ = first.communicate()
    assert first.returncode == 0, output
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
    assert "Read-only file system" in outcome.output or "no permission" in outcome.output
    assert "Traceback" not in outcome.output


def test_results_restored_with_other_time_stamps(finished: Checkout) -> None:
    for number, path in enumerate(sorted((finished.path / "results").rglob("*"))):
        # All equal, as after a copy that keeps none, and in the future.
        os.utime(path, (4_000_000_000, 4_000_000_000), follow_symlinks=False)
        assert number >= 0
    assert finished.would_run() == {}


def test_a_clock_that_is_set_back_hides_no_change(finished: Checkout) -> None:
    changed = ("--config", "inference={steps: 5}")
    fits = [
        f"results/trained/{process}/{parent}.zarr" for process in ("diffusion", "mobility") for parent in ("003", "004")
    ]
    outcome = finished.run(*changed, "--", *fits)
    assert outcome.code == 0, outcome.output
    for fit in fits:
        for path in [finished.path / fit, *(finished.path / fit).rglob("*")]:
            os.utime(path, (1_000_000_000, 1_000_000_000))
    # By their times, the tables of these fits would be newer than they are.
    jobs = finished.would_run(*changed)
    assert "infer" not in jobs
    assert {"table_4", "table_5", "figure_3", "figure_4", "figure_5", "scorecard", "page"} <= set(jobs)
