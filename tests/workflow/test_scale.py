"""What the workflow costs does not grow faster than the number of its jobs, and little of it is the workflow's own."""

import os
import re
import resource
import subprocess
import sys

import yaml

from checkout import ROOT, TINY, Checkout
from rules import rules


def cpu_seconds() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def planning_time(checkout: Checkout, parents: int) -> float:
    """Processor time of a dry run, the shorter of two: what else runs on the machine only adds."""
    used = []
    for _ in range(2):
        before = cpu_seconds()
        jobs = checkout.would_run("--config", f"dataset={{parents: {parents}}}")
        assert jobs["simulate"] == parents
        used.append(cpu_seconds() - before)
    return min(used)


def test_planning_a_job_costs_the_same_in_a_large_run(fresh: Checkout) -> None:
    small, middle, large = (planning_time(fresh, parents) for parents in (100, 400, 1200))
    # Costs that grow with the square of the number of jobs would give a ratio of 3.2.
    assert (large - middle) / 800 <= 2 * (middle - small) / 300


def dependencies(checkout: Checkout, parents: int) -> int:
    """Number of edges of the graph of jobs."""
    outcome = checkout.run("--dag", "mermaid-js", "--config", f"dataset={{parents: {parents}}}")
    assert outcome.code == 0, outcome.output
    return len(re.findall(r"id\d+ --> id\d+", outcome.output))


def test_few_stages_name_the_videos_one_by_one(fresh: Checkout) -> None:
    # 13 trainings of variants that did so took a third of all planning. They read the catalogue.
    assert (dependencies(fresh, 40) - dependencies(fresh, 20)) / 20 <= 4


def test_reading_the_workflow_imports_nothing_heavy() -> None:
    # Every job on a cluster reads the workflow twice more.
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "snakemake", "--list-rules", f"--configfile={TINY}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {"safe_pit_cm.data.provenance", "safe_pit_cm.settings"} <= imported
    assert imported.isdisjoint({"torch", "xarray", "zarr", "matplotlib", "scipy"})


def test_the_limit_that_slows_long_runs_down_is_lifted_unless_the_user_sets_one(fresh: Checkout) -> None:
    fresh.edit("Snakefile", "onsuccess:\n", "onsuccess:\n    print('limit:', workflow.scheduler.job_rate_limiter)\n")
    target = "results/splits.csv"
    assert "limit: None" in fresh.run(target).output
    asked = fresh.run("--forcerun", "split", "--max-jobs-per-timespan", "7/1s", target)
    assert "limit: <" in asked.output


def test_the_profile_for_slurm_says_what_the_default_one_says_and_knows_every_rule_it_names() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    assert {key: slurm[key] for key in default} == default
    grouped = dict(entry.split("=") for entry in slurm["groups"])
    assert set(slurm["set-resources"]) | set(grouped) <= set(rules())
    assert {entry.split("=")[0] for entry in slurm["group-components"]} == set(grouped.values())
    # Of the two ways to ask for a GPU, one.
    wanting = [asked for asked in slurm["set-resources"].values() if asked.get("slurm_partition") == "gpu"]
    assert all(("gpu" in asked) != ("gres" in asked) for asked in wanting)


def test_a_stage_that_can_use_a_gpu_asks_for_it_in_the_profile() -> None:
    slurm = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    able = {name for name, rule in rules().items() if "gpu" in rule.resources}
    asking = {name for name, asked in slurm["set-resources"].items() if asked.get("slurm_partition") == "gpu"}
    assert able == asking
