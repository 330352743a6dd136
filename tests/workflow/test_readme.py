"""What the documentation promises about the workflow holds."""

import re
import runpy
import subprocess
import sys

import safe_pit_cm
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
    stages = set(names.values()) - {*items(), "main_page", "page", "all"}
    graph = PAGE.split("```mermaid")[1].split("```")[0]
    assert _edges(graph) == {(names[a], names[b]) for a, b in _edges(done.stdout) if {names[a], names[b]} <= stages}
    assert set(re.findall(r"\w+", graph.partition("\n")[2])) - {"flowchart", "LR"} == stages


def test_every_module_and_rule_in_the_tables_exists() -> None:
    for module in re.findall(r"`((?:\w+/)?\w+\.py)`", PAGE):
        assert (ROOT / "src/safe_pit_cm" / module).is_file(), module
    for row in re.findall(r"^\| [^|]*\(§?[^|]*\) \| `(\w+)` \|", PAGE, flags=re.MULTILINE):
        assert row in rules()


def test_what_readme_and_documentation_import_is_public() -> None:
    # Public is what the package itself offers, and every module on the page of the interface.
    public = set(re.findall(r"^::: (\S+)$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
    imported = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for module, names in re.findall(r"^from (safe_pit_cm[\w.]*) import (.+)$", text, flags=re.MULTILINE):
            path = ROOT / "src" / module.replace(".", "/")
            imported |= {f"{module}.{name}" for name in names.split(", ")} if path.is_dir() else {module}
        shown = re.findall(r"\bsafe_pit_cm\.(\w+)\(", text)
        assert set(shown) <= set(safe_pit_cm.__all__), page
    assert imported >= {"safe_pit_cm.video.reading", "safe_pit_cm.equations.terms", "safe_pit_cm.paper.recovery"}
    assert imported <= public


def test_the_conda_environment_is_what_the_lock_file_says() -> None:
    export = runpy.run_path(str(ROOT / "envs/export.py"))
    committed = export["TARGET"].read_text(encoding="utf-8")
    assert export["render"]() == committed, "uv.lock has changed; run: uv run python envs/export.py"
