"""Provenance of a dataset: digests of code and settings that are equal for equal meaning.

A workflow manager notices a changed parameter or file, but not a changed module among the indirect imports of a script.
The digest of a script covers its whole import closure within this package, taken from the syntax tree: comments,
docstrings and layout change nothing.

Imports here are light on purpose: the workflow calls this at every parse.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGE_ROOT = Path(__file__).parents[1]
_PACKAGE = _PACKAGE_ROOT.name


class _Meaning(ast.NodeTransformer):
    """Remove what does not run: docstrings, and imports for type checkers only."""

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.If) and ast.unparse(node.test) in {
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        }:
            return node.orelse or ast.Pass()
        return node


def _canonical(node: object) -> str:
    """Write a syntax tree as text that is the same in every version of Python.

    Both `ast.dump` and `ast.unparse` are not; empty fields, which newer versions add, are left out.
    """
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({', '.join(f'{name}={_canonical(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


@cache
def _read(path: Path) -> tuple[str, frozenset[Path]]:
    """Canonical text of a module, and the modules of this package that it imports."""
    tree = _Meaning().visit(ast.parse(path.read_bytes(), filename=str(path)))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(_PACKAGE_ROOT.parent).parts[: -node.level]
                base = ".".join((*package, base)).rstrip(".")
            names.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
    imported: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] != _PACKAGE:
            continue
        # Importing a.b.c runs a/__init__ and a.b/__init__ too.
        for depth in range(1, len(parts) + 1):
            stem = _PACKAGE_ROOT.joinpath(*parts[1:depth])
            imported.update(p for p in (stem / "__init__.py", stem.with_suffix(".py")) if p.is_file())
    return _canonical(tree), frozenset(imported)


def import_closure(entry: str | Path) -> tuple[Path, ...]:
    """Return a script or module and every module of this package that it imports, directly or not, sorted."""
    closure: set[Path] = set()
    pending = {Path(entry).resolve()}
    while pending:
        path = pending.pop()
        closure.add(path)
        pending |= _read(path)[1] - closure
    return tuple(sorted(closure))


def code_digest(entry: str | Path) -> str:
    """Digest of the meaning of a script and of everything in this package that it runs.

    Parameters
    ----------
    entry
        Path of a Python script or module.

    Returns
    -------
    str
        16 hexadecimal digits: changed by any change to the syntax tree of any module in the import closure; not by a
        comment, a docstring, the layout of the code, or the place of the checkout.
    """
    digest = hashlib.sha256()
    entry = Path(entry).resolve()
    for path in import_closure(entry):
        name = path.name if path == entry else path.relative_to(_PACKAGE_ROOT).as_posix()
        digest.update(f"{name}\0{_read(path)[0]}\0".encode())
    return digest.hexdigest()[:16]


def settings_digest(settings: Mapping[str, object]) -> str:
    """Digest of named settings: 16 hexadecimal digits, independent of their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def record(code: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Provenance attributes of a dataset.

    No wall-clock time, path or commit: equal code and settings give equal bytes, in any checkout.

    Parameters
    ----------
    code
        :func:`code_digest` of the script that makes the dataset.
    settings
        The settings that the script was given.

    Returns
    -------
    dict[str, str]
        ``package_version``, ``source_revision`` and ``config_digest``.
    """
    return {
        "package_version": metadata.version("safe-pit-cm"),
        "source_revision": code,
        "config_digest": settings_digest(settings),
    }
