"""The rules of the workflow, as Snakemake reads them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from checkout import ROOT

# In a process of its own: reading the workflow changes the environment and the paths of imports.
_ASK = """
import json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile"))._workflow
    print(json.dumps([
        dict(
            name=rule.name,
            script=rule.script and Path(rule.script).stem,
            code=dict(rule.params.items()).get("code"),
            output=[str(path) for path in rule.output],
            log=[str(path) for path in rule.log],
            benchmark=rule.benchmark and str(rule.benchmark),
            conda=rule.conda_env and str(rule.conda_env),
            resources=[name for name in rule.ruleinfo.resources[1]] if rule.ruleinfo.resources else [],
            priority=rule.priority,
            threads=rule.ruleinfo.threads,
            retries=rule.ruleinfo.retries,
        )
        for rule in workflow.rules
    ]))
"""
# What tables and figures have in common: rules that make nothing themselves.
BASES = ("table", "figure")


@dataclass(frozen=True)
class Rule:
    """What a rule says, ``None`` or empty where it says nothing."""

    name: str
    script: str | None
    code: str | None
    output: list[str]
    log: list[str]
    benchmark: str | None
    conda: str | None
    resources: list[str]
    priority: int
    threads: int | None
    retries: int | None


@cache
def _read() -> tuple[Rule, ...]:
    done = subprocess.run([sys.executable, "-c", _ASK], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(Rule(**rule) for rule in json.loads(done.stdout.splitlines()[-1]))


def rules() -> dict[str, Rule]:
    """Rules that make something, by name, in the order in which the workflow has them."""
    return {rule.name: rule for rule in _read() if rule.name not in ("all", *BASES)}


def items() -> dict[str, Rule]:
    """Rules of the tables and figures of the paper."""
    return {name: rule for name, rule in rules().items() if rule.script == "item"}
