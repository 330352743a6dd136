"""Runs that are killed at random, and what a power failure leaves, end with the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from checkout import Checkout, make_checkout

# Every Python process of the run notes what it has synchronised with the disk.
NOTE = """
import os
_fsync = os.fsync

def fsync(descriptor):
    _fsync(descriptor)
    with open(os.environ["SYNCED"], "a", encoding="utf-8") as notes:
        notes.write(os.readlink(f"/proc/self/fd/{descriptor}") + "\\n")

os.fsync = fsync
"""
# All videos, and fits of those for testing: ten jobs.
FITS = (
    "results/videos/catalogue.csv",
    *(f"results/{kind}/mobility/00{parent}.zarr" for kind in ("zero_shot", "ablations/substeps") for parent in (3, 4)),
)
KILLS = ("main process", "job", "group", "power failure")


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File in which the processes of a run note what they have synchronised."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/sitecustomize.py").write_text(NOTE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "notes"))
    monkeypatch.setenv("SYNCED", str(tmp_path / "synced"))
    return tmp_path / "synced"


def in_place(noted: Path, folder: Path) -> set[Path]:
    """Files that are on the disk, under the names that they have now."""
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    found = set()
    for path in map(Path, lines):
        # `.003.zarr.host-123.partial` has since been renamed to `003.zarr`.
        parts = [
            part[1:].rpartition(".partial")[0].rpartition(".")[0] if part.endswith(".partial") else part
            for part in path.parts
        ]
        found.add(Path(*parts))
    return {path for path in found if folder in path.parents}


def cut_power(checkout: Checkout, noted: Path) -> int:
    """Leave every file empty that was not synchronised, and return their number."""
    safe = in_place(noted, checkout.path)
    lost = [
        path
        for place in ("results", "logs", ".snakemake")
        for path in (checkout.path / place).rglob("*")
        if path.is_file() and path not in safe and path.stat().st_size
    ]
    for path in lost:
        path.write_bytes(b"")
    return len(lost)


def strike(process: "subprocess.Popen[str]", kill: str, draw: random.Random) -> None:
    """Kill the main process, one job, or all processes of a run."""
    if kill == "main process":
        process.send_signal(signal.SIGKILL)
    elif kill == "job":
        jobs = [child for child in psutil.Process(process.pid).children(recursive=True) if child.is_running()]
        if jobs:
            draw.choice(jobs).kill()
        # Snakemake is told to stop, too, or it would go on to the end.
        process.send_signal(signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def records(checkout: Checkout) -> int:
    """Number of results that are complete."""
    return len(list((checkout.path / "results/provenance").rglob("*.json")))


def run_with_kills(
    checkout: Checkout, targets: tuple[str, ...], kills: list[str], draw: random.Random, noted: Path
) -> list[str]:
    """Run to the end, with kills at random times; a line for each of them."""
    story = []
    for kill in kills:
        process = checkout.start(*targets)
        goal, wait = records(checkout) + draw.randint(1, 5), draw.uniform(0.0, 2.0)
        while process.poll() is None and records(checkout) < goal:
            time.sleep(0.02)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait)
        if process.poll() is None:
            strike(process, kill, draw)
        # Not to the end of its output: jobs that outlive a killed main process go on while the next run starts.
        process.wait()
        assert process.stdout
        process.stdout.close()
        lost = cut_power(checkout, noted) if kill == "power failure" else 0
        done = records(checkout)
        story.append(f"{kill}, at {goal} results + {wait:.1f} s: status {process.returncode}, {done} left, {lost} lost")
        unlocked = checkout.run("--unlock")
        assert unlocked.code == 0, "\n".join([*story, unlocked.output])
    outcome = checkout.run(*targets)
    assert outcome.code == 0, "\n".join([*story, outcome.output])
    return story


def check(undisturbed: Checkout, tmp_path: Path, noted: Path, targets: tuple[str, ...], count: int) -> None:
    seed = int(os.environ.get("KILL_SEED", time.time_ns() % 10_000))
    draw = random.Random(seed)
    checkout = make_checkout(tmp_path / "killed", source=undisturbed.path)
    # Each kind, in a random order, then any.
    kills = draw.sample(KILLS, len(KILLS))[:count] + draw.choices(KILLS, k=max(0, count - len(KILLS)))
    story = run_with_kills(checkout, targets, kills, draw, noted)
    print(f"KILL_SEED={seed}", *story, sep="\n")
    mine, whole = checkout.result_digests(), undisturbed.result_digests()
    assert {target.removeprefix("results/") for target in targets if target.endswith(".csv")} <= set(mine)
    differing = sorted(name for name in mine if mine[name] != whole.get(name))
    assert not differing, f"KILL_SEED={seed}: {story}"


def test_three_random_kills_change_no_byte(undisturbed: Checkout, tmp_path: Path, noted: Path) -> None:
    check(undisturbed, tmp_path, noted, FITS, count=3)


@pytest.mark.long
def test_twenty_random_kills_change_no_byte(undisturbed: Checkout, tmp_path: Path, noted: Path) -> None:
    # All results: fewer would be complete before the last kill.
    check(undisturbed, tmp_path, noted, (), count=20)
