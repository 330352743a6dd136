"""The layout of the package: imports have one direction, and sub-packages import nothing."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import safe_pit_cm

PACKAGE = Path(__file__).parents[2] / "src/safe_pit_cm"


def room(path: Path, package: Path) -> str:
    """Folder of a module, or the module itself where it lies at the top."""
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported(path: Path, package: Path) -> Iterator[Path]:
    """Modules of the package that a module imports anywhere: in functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            module = package.parent.joinpath(*name.split(".")).with_suffix(".py")
            if module.is_file() and package in module.parents:
                yield module


def rooms(package: Path) -> dict[str, set[str]]:
    """For every folder, and module at the top, the others that it imports."""
    graph: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        # The package itself loads its public names lazily; nothing in it imports them from there.
        if path == package / "__init__.py":
            continue
        own = room(path, package)
        graph.setdefault(own, set()).update({room(other, package) for other in imported(path, package)} - {own})
    return graph


def test_modules_import_one_another_without_a_cycle() -> None:
    graph = {path: set(imported(path, PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    assert graph[PACKAGE / "paper/scorecard.py"] >= {PACKAGE / "paper/claims.py"}
    graphlib.TopologicalSorter(graph).prepare()


def test_folders_import_one_another_without_a_cycle() -> None:
    graph = rooms(PACKAGE)
    folders = {"data", "equations", "simulation", "safe", "inference", "studies", "paper", "video", "commands"}
    assert {*folders, "frap", "measurements", "cli"} <= set(graph)
    assert "equations" in graph["safe"]
    assert "measurements" not in set().union(*(graph[folder] for folder in folders))
    # The fit knows nothing of a spot.
    assert "frap" not in graph["inference"] | graph["video"]
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "statement", ["from {0}.low.b import X", "import {0}.low.b", "def f():\n    from {0}.low import b"]
)
def test_a_cycle_between_folders_is_found(tmp_path: Path, statement: str) -> None:
    package = tmp_path / "made_up"
    for folder, text in {"low/a": "from made_up.high.c import X", "low/b": "X = 1", "high/c": statement}.items():
        path = package / f"{folder}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(package.name), encoding="utf-8")
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(rooms(package)).prepare()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_a_sub_package_has_a_docstring_of_one_line_and_nothing_else(path: Path) -> None:
    # Whatever it imported would be part of the code digest of every stage that uses any of its modules.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(tree.body) == 1
    assert "\n" not in (ast.get_docstring(tree) or "\n")


def test_the_public_face_is_lazy_and_complete() -> None:
    assert set(safe_pit_cm.__all__) <= set(dir(safe_pit_cm))
    for name in safe_pit_cm.__all__:
        assert getattr(safe_pit_cm, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = safe_pit_cm.nothing
    program = "import sys, safe_pit_cm; safe_pit_cm.fit; safe_pit_cm.read; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"
