"""Whatever a value of the configuration changes for a job, Snakemake sees: no result of other settings is kept.

A script sees the inputs and parameters of its job by name and in their order. Snakemake compares less: the inputs as
one set, and the parameters as a set of values. Here both are compared for the workflow as planned with each value
changed. Nothing is computed, except in the long version, which compares the bytes of a rerun with those of a run from
scratch.
"""

import ast
import functools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT, TINY, Checkout, make_checkout
from configurations import CONFIG, PARAMETERS, Overrides, at, drawn, is_accepted, merged
from safe_pit_cm import config

# In a process of its own: reading the workflow changes the environment and the paths of imports.
_ASK = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

def plan(overrides):
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        configuration = ConfigSettings(config=overrides, configfiles=[Path(sys.argv[1])])
        workflow = api.workflow(ResourceSettings(cores=1), configuration, snakefile=Path("Snakefile"))
        workflow.dag(DAGSettings(forceall=True))
        own = workflow._workflow
        own._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        own._build_dag()
        return {
            str(job.output[0]): dict(
                rule=job.rule.name,
                needs=list(map(str, job.input)),
                makes=list(map(str, job.output)),
                seen=repr(([(name, str(value)) for name, value in job.input._allitems()],
                           {name: list(map(str, job.input.get(name, ()))) for name in job.input.keys()},
                           dict(job.params.items()))),
                compared=repr((own.persistence._input(job), sorted(set(own.persistence._params(job))))),
            )
            for job in own.dag.jobs
            if job.output
        }

print(json.dumps([plan(overrides) for overrides in json.load(sys.stdin)]))
"""

Plan = dict[str, dict[str, Any]]


def doubled(value: Any) -> Any:
    """Twice a number, or a mapping of numbers twice as large."""
    return {key: doubled(one) for key, one in value.items()} if isinstance(value, Mapping) else 2 * value


def others(entry: Mapping[str, Any], value: Any) -> Iterator[Any]:
    """Other values that a parameter may have."""
    match entry["type"]:
        case "boolean":
            yield not value
        case "string":
            yield from (other for other in entry["enum"] if other != value)
        case "integer":
            # The smaller one first: more parents than there are would change nothing.
            yield from (value - 1, value + 1, 2 * value)
        case "number":
            yield from (1.1 * value, 0.9 * value, 0.5)
        case "array":
            yield from (value[::-1], value[:-1], value[1:], [*value, *map(doubled, value[-1:] or [0.25])])


def changes(name: str) -> list[Overrides]:
    """Overrides that change one value: the first possible one of a number, all possible ones of a list."""
    value = config.flatten(CONFIG)[name]
    possible = [at(name, other) for other in others(PARAMETERS[name], value) if other != value]
    accepted = [overrides for overrides in possible if is_accepted(overrides)]
    return accepted if PARAMETERS[name]["type"] in {"array", "string"} else accepted[:1]


def plans(overrides: list[Overrides]) -> list[Plan]:
    """Jobs of the tiny paper with each of several overrides, by their first output."""
    command = [sys.executable, "-c", _ASK, str(TINY)]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(overrides), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    planned: list[Plan] = json.loads(done.stdout.splitlines()[-1])
    return planned


def changed(before: Plan, after: Plan, what: str) -> set[str]:
    """Rules of jobs that are in both plans and differ in what they see, or in what Snakemake compares."""
    return {
        before[output]["rule"] for output in before.keys() & after.keys() if before[output][what] != after[output][what]
    }


def test_snakemake_sees_whatever_a_changed_value_changes_for_a_job() -> None:
    cases = [({}, "nothing"), *((overrides, name) for name in PARAMETERS for overrides in changes(name))]
    before, *after = plans([overrides for overrides, _ in cases])
    unseen = {}
    unread = set(PARAMETERS)
    for (overrides, name), plan in zip(cases[1:], after, strict=True):
        missed = changed(before, plan, "seen") - changed(before, plan, "compared")
        if missed:
            unseen[json.dumps(overrides)] = missed
        # What shows the values, whatever they mean, does not count, and the page, whose lineage follows from it.
        if before.keys() != plan.keys() or changed(before, plan, "seen") - {"parameters", "table_1", "table_2", "page"}:
            unread.discard(name)
    assert not unseen
    # The long baselines do not run here.
    assert unread == {"baselines.long_parents"}


def test_snakemake_sees_every_move_of_a_parent_from_one_split_to_another() -> None:
    sizes = product((5, 6), (1, 2), (1, 2))
    names = ("parents", "validation_parents", "test_parents")
    cases = [{"dataset": dict(zip(names, size, strict=True))} for size in sizes]
    for (first, before), (second, after) in combinations(zip(cases, plans(cases), strict=True), 2):
        missed = changed(before, after, "seen") - changed(before, after, "compared")
        assert not missed, f"{first} and then {second}"


def spared(before: Plan, after: Plan) -> frozenset[str]:
    """Results of a finished run that a run with other values leaves as they are, by their first output."""
    again = {name for name, job in after.items() if name not in before or job["compared"] != before[name]["compared"]}
    while made := {path for name in again for path in after[name]["makes"]}:
        further = {name for name, job in after.items() if not made.isdisjoint(job["needs"])} - again
        if not further:
            break
        again |= further
    return frozenset(after.keys() - again)


def rounds(
    spares: Mapping[str, frozenset[str]], possible: Callable[[list[str]], bool]
) -> list[tuple[list[str], frozenset[str]]]:
    """Values to change together, and results to make with them: every result meets every value that spares it.

    Only what all values of a round spare is made in it. Values are added as long as that is possible and meets more
    pairs of a value and a result that have not met.
    """
    left = {(value, result) for value, results in spares.items() for result in results}
    found = []

    def met(values: list[str]) -> int:
        common = frozenset.intersection(*(spares[value] for value in values))
        return sum((value, result) in left for value in values for result in common)

    while left:
        together = [max(spares, key=lambda value: met([value]))]
        while True:
            wider = [[*together, value] for value in spares if value not in together]
            gaining = sorted((values for values in wider if met(values) > met(together)), key=met, reverse=True)
            together, before = next(filter(possible, gaining), together), together
            if together is before:
                break
        common = frozenset.intersection(*(spares[value] for value in together))
        left -= set(product(together, common))
        found.append((together, common))
    return found


def test_rounds_bring_every_value_together_with_all_that_it_spares() -> None:
    spares = {"a": frozenset("xyz"), "b": frozenset("xyz"), "c": frozenset("yz"), "d": frozenset("x"), "e": frozenset()}
    found = rounds(spares, lambda values: values != ["a", "b"])
    assert len(found) < 5
    assert all(common <= spares[value] for values, common in found for value in values)
    met = {(value, result) for values, common in found for value in values for result in common}
    assert met == {(value, result) for value, results in spares.items() for result in results}


@pytest.mark.long
def test_a_changed_value_leaves_no_byte_of_the_old_one(undisturbed: Checkout, tmp_path: Path) -> None:
    # RERUN_SEED repeats the choice among several changes of one value.
    seed = int(os.environ.get("RERUN_SEED", time.time_ns() % 100_000))
    draw = random.Random(seed)
    chosen = {name: draw.choice(possible) for name in PARAMETERS if (possible := changes(name))}
    before, *after = plans([{}, *chosen.values()])
    spares = {name: spared(before, plan) for name, plan in zip(chosen, after, strict=True)}
    old = undisturbed.result_digests()
    stale = {}

    def all_at(values: list[str]) -> Overrides:
        return functools.reduce(merged, (chosen[name] for name in values))

    for values, results in rounds(spares, lambda values: is_accepted(all_at(values))):
        # From scratch, with other values: what they spare must come out as before.
        scratch = make_checkout(tmp_path / "scratch", undisturbed.path)
        (scratch.path / "own.yaml").write_text(json.dumps(all_at(values)), encoding="utf-8")
        outcome = scratch.run(*results, "--configfile", str(TINY), "own.yaml", tiny=False)
        assert outcome.code == 0, f"RERUN_SEED={seed}, {values}: {outcome.output}"
        new = scratch.result_digests()
        differing = [path for path in new if new[path] != old[path]]
        print(f"{len(values)} values, {len(results)} results, {len(new)} files, {len(differing)} differ: {values}")
        if differing:
            stale[", ".join(values)] = differing
        shutil.rmtree(scratch.path)
    assert not stale, f"RERUN_SEED={seed}"


@pytest.mark.long
def test_a_configuration_that_is_accepted_runs_to_the_end(undisturbed: Checkout, tmp_path: Path) -> None:
    # FUZZ_SEED repeats them.
    seed = int(os.environ.get("FUZZ_SEED", time.time_ns() % 1_000_000))
    draw = random.Random(seed)
    for number in range(10):
        overrides = drawn(draw, 12)
        checkout = undisturbed.copy_to(tmp_path / f"{number}")
        own = checkout.path / "own.yaml"
        own.write_text(json.dumps(overrides), encoding="utf-8")
        outcome = checkout.run("--configfile", str(TINY), str(own), tiny=False)
        assert outcome.code == 0, f"FUZZ_SEED={seed}, {overrides}: {outcome.output}"
        shutil.rmtree(checkout.path)


def test_random_configurations_reach_every_value() -> None:
    draw = random.Random(0)
    many = [drawn(draw, 12) for _ in range(120)]
    assert all(is_accepted(overrides) for overrides in many)
    reached = {name for overrides in many for name in config.flatten(overrides)}
    assert PARAMETERS.keys() - reached <= {"baselines.long"}


def test_a_script_sees_nothing_else() -> None:
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        tree = ast.parse(script.read_text(encoding="utf-8"))
        read = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "snakemake"
        }
        # Besides inputs and parameters, what is fixed for an output.
        assert read <= {"input", "params", "output", "wildcards", "rule", "threads"}, script.name
        # The whole is passed on once, to what keeps the log, checks the inputs and records the outputs.
        whole = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "snakemake"]
        calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert calls.count("jobs.run(snakemake)") == 1
        assert len(whole) == 1 + sum(
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "snakemake"
            for node in ast.walk(tree)
        )
