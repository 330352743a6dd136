"""What the documentation promises about the workflow holds."""

import re
import runpy
import subprocess
import sys

from checkout import ROOT
from rules import items, rules

PAGE = (ROOT / "docs/workflow.md").read_text(encoding="utf-8")


def _edges(graph: str) -> set[tuple[str, str]]:
    return set(re.findall(r"(\w+) --> (\w+)", graph))


def test_the_rule_graph_is_that_of_the_stages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", done.stdout))
    stages = set(names.values()) - {*items(), "page", "all"}
    graph = PAGE.split("```mermaid")[1].split("```")[0]
    assert _edges(graph) == {(names[a], names[b]) for a, b in _edges(done.stdout) if {names[a], names[b]} <= stages}
    assert set(re.findall(r"\w+", graph.partition("\n")[2])) - {"flowchart", "LR"} == stages


def test_every_module_and_rule_in_the_tables_exists() -> None:
    for module in re.findall(r"`((?:\w+/)?\w+\.py)`", PAGE):
        assert (ROOT / "src/safe_pit_cm" / module).is_file(), module
    for row in re.findall(r"^\| [^|]*\(§?[^|]*\) \| `(\w+)` \|", PAGE, flags=re.MULTILINE):
        assert row in rules()


def test_the_conda_environment_is_what_the_lock_file_says() -> None:
    export = runpy.run_path(str(ROOT / "envs/export.py"))
    committed = export["TARGET"].read_text(encoding="utf-8")
    assert export["render"]() == committed, "uv.lock has changed; run: uv run python envs/export.py"
