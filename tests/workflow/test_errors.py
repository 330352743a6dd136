"""What a user sees when something is wrong: one sentence that says what, where and what to do; no traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT, Checkout, flip, keeping_time


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("zero_shot={stepz: 3}", "zero_shot.stepz is not a known key"),
        ("zero_shot={steps: many}", "zero_shot.steps must be a whole number, not the text 'many'"),
        ("zero_shot={learning_rate: 1e-3}", "YAML reads 1e-3 as text, write 0.001"),
        ("time={save_interval: 30}", "time.save_interval (30) must divide time.steps (200)"),
        ("microstructure={interface_width: 50}", "microstructure.interface_width (50) must be less than"),
        ("ablation={frame_steps: [11]}", "ablation.frame_steps [11] must contain a number of at most 10"),
        ("robustness={noise: [0]}", "robustness.noise [0] must contain a number greater than 0"),
        ("training={epochs: 1000000000}", "training.epochs must be at most 10000, not 1000000000"),
        ("time={step: 50}", "time.step: the time step 50 is unstable"),
    ],
)
def test_a_bad_value_is_named_before_anything_runs(fresh: Checkout, override: str, sentence: str) -> None:
    outcome = fresh.run("--config", override)
    assert outcome.code == 1
    assert sentence in outcome.output
    assert "Traceback" not in outcome.output
    assert not (fresh.path / "results").exists()


def test_a_bad_configfile_is_named_before_anything_runs(fresh: Checkout, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("zero_shot:\n  learning_rate: 1e-3\n", encoding="utf-8")
    outcome = fresh.run("--configfile", str(bad))
    assert outcome.code == 1
    assert "zero_shot.learning_rate must be a number, not the text '1e-3'" in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize("place", ["results", "logs", "results/videos/diffusion", "logs/benchmarks/simulate"])
def test_a_file_in_the_place_of_a_folder_is_named_before_anything_runs(fresh: Checkout, place: str) -> None:
    (fresh.path / place).parent.mkdir(parents=True, exist_ok=True)
    (fresh.path / place).write_text("not a folder", encoding="utf-8")
    outcome = fresh.run("results/splits.csv")
    assert outcome.code == 1
    assert f"{place} must be a folder, not a file; move it or remove it, and run again" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_damaged_store_is_named_with_the_command_that_rebuilds_it(finished: Checkout) -> None:
    video = "results/videos/mobility/004.zarr"
    # Of the same size and time, so that nothing but its digest tells.
    keeping_time(flip, f"{video}/field/c.0.0.0")(finished.path)
    outcome = finished.run("--forcerun", "zero_shot", "--until", "zero_shot")
    assert outcome.code == 1
    assert f"{video} is damaged" in outcome.output
    assert f"rm -rf {video} && uv run snakemake --cores all {video}" in outcome.output
    assert "Traceback" not in outcome.output
    # The fits of the other parent went on, and nothing stands where those of the failed job would.
    for process in ("diffusion", "mobility"):
        assert (finished.path / f"results/zero_shot/{process}/003.zarr").exists()
        assert not (finished.path / f"results/zero_shot/{process}/004.zarr").exists()


def test_a_fit_that_overflows_fails_and_says_why(finished: Checkout) -> None:
    # One frame interval of 10 000 sub-steps: anti-diffusion amplifies the rough field beyond all numbers.
    outcome = finished.run(
        *(f"results/zero_shot/mobility/{parent}.zarr" for parent in ("003", "004")),
        "--config",
        "time={steps: 20000, save_interval: 10000}",
        "safe_operator={substeps: 10000}",
    )
    assert outcome.code == 1
    failed = re.search(r"the SAFE loss of the mobility video of parent (\d+) is (?:inf|nan) at α = ", outcome.output)
    assert failed, outcome.output
    assert "Traceback" not in outcome.output
    for process in ("diffusion", "mobility"):
        assert not (finished.path / f"results/zero_shot/{process}/{failed[1]}.zarr").exists()


def test_the_suggested_command_rebuilds_a_damaged_store(finished: Checkout, undisturbed: Checkout) -> None:
    video = "results/videos/mobility/004.zarr"
    (finished.path / video / "field/zarr.json").write_text("{}", encoding="utf-8")
    subprocess.run(["rm", "-rf", video], cwd=finished.path, check=True)
    outcome = finished.run(video)
    assert outcome.code == 0, outcome.output
    assert finished.result_digests() == undisturbed.result_digests()


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounts a small file system")
def test_a_full_disk_is_named_and_leaves_nothing_half_written(finished: Checkout) -> None:
    videos = finished.path / "results/videos/diffusion"
    subprocess.run(["rm", "-rf", str(videos)], check=True)
    videos.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(videos)], check=False)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    # Snakemake removes folders that a failed job leaves empty, which a mounted one must not be.
    (videos / "keep").touch()
    try:
        outcome = finished.run("--until", "simulate")
        left = sorted(path.name for path in videos.iterdir() if path.suffix != ".zarr")
    finally:
        subprocess.run(["umount", str(videos)], check=True)
    assert outcome.code == 1
    assert "no space is left to write" in outcome.output
    assert "Traceback" not in outcome.output
    assert left == ["keep"]


def test_the_scripts_run_only_what_the_package_provides() -> None:
    # Thin scripts: a rule's logic belongs into the package, where it is tested.
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        assert len(script.read_text(encoding="utf-8").splitlines()) <= 40, script.name
