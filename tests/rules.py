"""The rules of the workflow, as Snakemake itself reads them."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

from checkout import ROOT

_ASK = """
import json
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, ResourceSettings, Quietness
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    loaded = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile="Snakefile")
    workflow = loaded._workflow
    print(json.dumps({
        rule.name: {
            "script": rule.script,
            "other": [kind for kind in ("shellcmd", "notebook", "wrapper", "is_run") if getattr(rule, kind)],
            "outputs": [str(path) for path in rule.output],
            "params": [name for name, _ in rule.params._allitems()],
            "log": [str(path) for path in rule.log],
            "benchmark": str(rule.benchmark),
            "conda": str(rule.conda_env),
            "retries": rule._restart_times,
            "resources": sorted(rule.resources),
        }
        for rule in workflow.rules
    }))
"""


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Every rule but ``all`` and the template ``item``, by name, in the order of definition."""
    asked = [sys.executable, "-c", _ASK]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return {name: rule for name, rule in found.items() if name not in ("all", "item")}
