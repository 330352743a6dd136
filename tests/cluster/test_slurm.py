"""The workflow through a real Slurm: what arrives, where it ran, and what happens when something breaks.

No GPU is needed: Slurm hands out character devices, and a stage that finds no GPU behind them computes on the CPU, so
the results must equal those of a local run to the byte.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

import films
from checkout import ROOT, Checkout, make_checkout
from slurm import Slurm, obstacle, running, wait_until

# One Slurm serves them all, so they stay in one file, whose tests share a process.
pytestmark = pytest.mark.slurm

FIT = "results/zero_shot/diffusion/003.zarr"
FITS = [
    f"results/zero_shot/{process}/{parent}.zarr" for process in ("diffusion", "mobility") for parent in ("003", "004")
]
FILMS = 100
PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
GPU_ENTRIES = {"train", "train_variant", "trained_fits", "zero_shot_fits"}

# Python runs this at the start of every process of a job. It acts in the script of the fits of one parent, and there
# once: it leaves a file to say so.
FAULT = """\
import os, sys, time
from pathlib import Path

MARK = Path(os.environ["FAULT_MARK"])

def strike(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and {trigger} and not MARK.exists():
        MARK.touch()
        {act}

sys.addaudithook(strike)
"""
# The first file of an axis of the store: others have been written by then, and the store is not complete.
WRITES = 'f"{os.sep}.003.zarr." in arguments[0] and f".partial{os.sep}time{os.sep}" in arguments[0]'
READS = 'arguments[0].endswith("logs/zero_shot/003.log")'


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    if reason := obstacle():
        pytest.skip(reason)
    with running() as started:
        yield started


@pytest.fixture
def fresh_copy(undisturbed: Checkout, tmp_path: Path) -> Checkout:
    """A checkout of the same sources in which nothing has run."""
    return make_checkout(tmp_path / "fresh", source=undisturbed.path)


@pytest.fixture
def fresh_films(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has run, with films and their table."""
    checkout = make_checkout(tmp_path / "films")
    films.laboratory(checkout.path, FILMS, damaged=42)
    return checkout


@pytest.fixture
def simulated(undisturbed: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run from which the zero-shot fits have been taken away."""
    copy = undisturbed.copy_to(tmp_path / "simulated")
    subprocess.run(["rm", "-r", "results/zero_shot", "logs"], cwd=copy.path, check=True)
    return copy


def with_fault(tmp_path: Path, trigger: str, act: str) -> dict[str, str]:
    folder = tmp_path / "fault"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAULT.format(trigger=trigger, act=act), encoding="utf-8")
    return {"PYTHONPATH": str(folder), "FAULT_MARK": str(folder / "struck")}


def assert_fits_equal(mine: Checkout, undisturbed: Checkout) -> None:
    def fits(checkout: Checkout) -> dict[str, str]:
        return {name: digest for name, digest in checkout.result_digests().items() if name.startswith("zero_shot/")}

    assert len(fits(mine)) > 0
    assert fits(mine) == fits(undisturbed)


def test_every_result_arrives_and_equals_the_local_run_s(
    slurm: Slurm, fresh_copy: Checkout, undisturbed: Checkout
) -> None:
    outcome = slurm.run(fresh_copy)
    assert outcome.code == 0, outcome.output
    assert fresh_copy.result_digests() == undisturbed.result_digests()
    assert "Nothing to be done" in fresh_copy.run().output

    groups = dict(entry.split("=") for entry in yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["groups"])
    # The films of a laboratory are no part of the paper.
    group_of = {rule: group for rule, group in groups.items() if rule in outcome.jobs}
    known = {*outcome.jobs, *group_of.values()}
    entries: dict[str, list[dict[str, str]]] = {}
    for job in slurm.submissions(fresh_copy):
        names = (name for name in known if re.match(rf"rule_{name}(_|$)", job["Comment"]))
        entries.setdefault(max(names, key=len), []).append(job)
    # No rule of a group is submitted by itself, and all of it is one entry, or two where not all is ready at once.
    assert set(entries) == known - set(group_of)
    assert {len(entries[name]) for name in group_of.values()} <= {1, 2}
    assert {len(entries[name]) for name in ("simulations", "zero_shot_fits", "trained_fits")} == {1}
    for name, jobs in entries.items():
        gpu = name in GPU_ENTRIES
        assert {job["Partition"] for job in jobs} == {"gpu" if gpu else "cpu"}, name
        assert {job.get("TresPerJob") for job in jobs} == {"gres:gpu:1" if gpu else None}, name
    for log in (fresh_copy.path / "logs").glob("zero_shot/*.log"):
        # The device that Slurm gave is the only one that the job sees, and the log says so.
        assert re.search(r"computing on CPU \(CUDA_VISIBLE_DEVICES is '\d'\)", log.read_text(encoding="utf-8"))


def test_of_a_hundred_films_one_is_damaged_and_stops_no_other(slurm: Slurm, fresh_films: Checkout) -> None:
    outcome = slurm.run(fresh_films, "measurements")
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {"measure": FILMS, "measurements": 1}
    # Ten films are one entry of the queue, and the damaged one takes none of the others of its entry along.
    entries = [job["Comment"].startswith("rule_films") for job in slurm.submissions(fresh_films)]
    assert (sum(entries), len(entries)) == (FILMS // 10, FILMS // 10 + 1)
    assert f"{FILMS - 1} of {FILMS} films measured, 1 failed: results/measurements/summary.html" in outcome.output
    assert re.search(r"\nfilm_042: films of today/042\.npy is damaged or cut short .* again\n", outcome.output)
    table = pd.read_csv(fresh_films.path / "results/measurements/summary.csv")
    assert table["status"].value_counts().to_dict() == {"measured": FILMS - 1, "failed": 1}
    assert "Nothing to be done" in fresh_films.run("measurements").output
    # A film has the bytes of a local run.
    film = "results/measurements/film_007"
    by_slurm = fresh_films.result_digests()
    subprocess.run(["rm", "-r", film], cwd=fresh_films.path, check=True)
    assert fresh_films.run(film).code == 0
    assert fresh_films.result_digests() == by_slurm


def test_a_gpu_may_be_asked_for_as_a_generic_resource(slurm: Slurm, simulated: Checkout) -> None:
    # As the comment in the profile says: one line commented, the next one not.
    profile = simulated.path / "profiles/slurm/config.yaml"
    text, count = re.subn(r"^    gpu: 1\b", "    # gpu: 1", profile.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1
    text, count = re.subn(r"^    # gres: ", "    gres: ", text, flags=re.MULTILINE)
    assert count == 1
    profile.write_text(text, encoding="utf-8")
    outcome = slurm.run(simulated, FIT)
    assert outcome.code == 0, outcome.output
    [job] = slurm.submissions(simulated)
    assert job["Partition"] == "gpu"
    assert job.get("TresPerNode") == "gres:gpu:1"
    assert "TresPerJob" not in job
    log = (simulated.path / "logs/zero_shot/003.log").read_text(encoding="utf-8")
    assert re.search(r"CUDA_VISIBLE_DEVICES is '\d'", log)


def test_a_cancelled_job_is_submitted_again(slurm: Slurm, simulated: Checkout, undisturbed: Checkout) -> None:
    process = slurm.start(simulated, *FITS)
    wait_until(lambda: slurm.queue("zero_shot_fits"), "a fit runs")
    subprocess.run(["scancel", slurm.queue("zero_shot_fits")[0]], check=True)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "Trying to restart job" in output
    assert [job["JobState"] for job in slurm.submissions(simulated)] == ["CANCELLED", "COMPLETED"]
    assert_fits_equal(simulated, undisturbed)


def test_a_job_killed_while_it_writes_its_store_leaves_nothing_and_is_submitted_again(
    slurm: Slurm, simulated: Checkout, undisturbed: Checkout, tmp_path: Path
) -> None:
    environment = with_fault(tmp_path, WRITES, "os.kill(os.getpid(), 9)")
    outcome = slurm.run(simulated, FIT, "--retries", "0", environment=environment)
    assert outcome.code == 1
    # The store was begun, and is not there.
    assert (tmp_path / "fault/struck").exists()
    assert not (simulated.path / FIT).exists()
    assert list((simulated.path / FIT).parent.glob(".003.zarr.*.partial"))
    # The report names rule, wildcards and log.
    assert "Error in rule zero_shot" in outcome.output
    assert FIT in outcome.output
    assert "logs/zero_shot/003.log" in outcome.output
    outcome = slurm.run(simulated, *FITS, environment=environment)
    assert outcome.code == 0, outcome.output
    assert_fits_equal(simulated, undisturbed)


def test_a_job_out_of_memory_gets_twice_as_much(
    slurm: Slurm, simulated: Checkout, undisturbed: Checkout, tmp_path: Path
) -> None:
    # Beside what the fit needs, 2000 MB: too much for the first attempt, which has 2000, not for the second.
    environment = with_fault(tmp_path, READS, 'MARK.unlink(); hog = b"x" * (2000 << 20); time.sleep(5); MARK.touch()')
    outcome = slurm.run(simulated, FIT, environment=environment)
    assert outcome.code == 0, outcome.output
    assert "Trying to restart job" in outcome.output
    first, second = slurm.submissions(simulated)
    assert first["JobState"] != "COMPLETED"
    assert "Exceeded job memory limit" in outcome.output
    assert first["MinMemoryNode"] == "2000M"
    assert second["JobState"] == "COMPLETED"
    assert second["MinMemoryNode"] == "4000M"
    assert (simulated.path / FIT).exists()


def test_a_killed_controller_goes_on_where_it_was(slurm: Slurm, fresh_copy: Checkout, undisturbed: Checkout) -> None:
    process = slurm.start(fresh_copy, *FITS)
    wait_until(lambda: slurm.queue("zero_shot_fits"), "a fit runs", seconds=180)
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    # As docs/cluster.md says: jobs of the killed run are cancelled by its number, then it is started again.
    [run] = re.findall(r"SLURM run ID: (\S+)", output)
    subprocess.run(["scancel", f"--name={run}"], check=True)
    wait_until(lambda: not slurm.queue("", "RUNNING,COMPLETING,PENDING"), "the jobs of the killed run end")
    refused = slurm.run(fresh_copy, *FITS)
    assert refused.code == 1
    assert "--unlock" in refused.output
    assert fresh_copy.run("--unlock").code == 0
    outcome = slurm.run(fresh_copy, *FITS)
    assert outcome.code == 0, outcome.output
    # What was finished stays.
    assert "simulate" not in outcome.jobs
    assert_fits_equal(fresh_copy, undisturbed)
