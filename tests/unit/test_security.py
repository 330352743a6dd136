"""What data could turn into code: nothing in the package and the workflow does it."""

import ast
import re
from pathlib import Path

import pytest

from checkout import ROOT

SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "workflow/scripts").glob("*.py")])
# Calls that run text, or unpickle.
CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load",
    "pickle.load", "pickle.loads", "torch.load", "torch.save", "pd.read_pickle", "pandas.read_pickle", "joblib.load",
    "sympify", "parse_expr", "pd.eval",
}  # fmt: skip
MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def offences(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name in CALLS or keywords.get("shell") == "True" or keywords.get("allow_pickle") == "True":
                found.append(ast.unparse(node))
            if name in {"np.load", "numpy.load"} and keywords.get("allow_pickle") != "False":
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_runs_text_or_unpickles(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["eval(text)", "import pickle", "np.load(path)", "subprocess.run(text, shell=True)", "yaml.load(stream)"],
)
def test_an_offence_is_found(source: str) -> None:
    assert offences(source)


def test_no_rule_runs_a_shell_command() -> None:
    for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert not [line for line in lines if line.startswith(("shell:", "shell(", "run:"))], path.name


def test_templates_escape_what_is_not_made_safe_here() -> None:
    marked = {
        expression
        for folder in ("workflow/resources", "src")
        for path in (ROOT / folder).rglob("*.jinja")
        for expression in re.findall(r"{{([^{}]*?) \| safe }}", path.read_text(encoding="utf-8"))
    }
    # HTML that the package renders itself: captions, tables and images; and JSON that it has escaped.
    assert marked == {" item.text.title", " item.text.lead", " item.text.rest", " item.content", " record"}
