"""Provenance of a dataset: digests of code and settings that are equal for equal meaning.

A workflow manager notices a changed parameter or file, but not a changed module among the indirect imports of a script.
The digest of a script covers its whole import closure within this package, taken from the syntax tree: comments,
docstrings, layout, and the words of errors and log messages change nothing.

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


def _is_message(call: ast.Call) -> bool:
    """Whether a call makes an error, writes to a log or reports progress."""
    match call.func:
        case ast.Name("progress"):
            return True
        case ast.Attribute(ast.Name("log" | "logger"), "info" | "warning" | "error" | "exception"):
            return True
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.endswith("Error") or name == "SystemExit"
    return False


class _Meaning(ast.NodeTransformer):
    """Remove what computes nothing: docstrings, imports for type checkers only, and the words of messages.

    Attributes
    ----------
    words
        Those of all messages, in their order.
    """

    def __init__(self) -> None:
        self.words: list[str] = []

    def _computed(self, argument: ast.expr) -> list[ast.expr]:
        """What an argument of a message computes, such as the values in an f-string."""
        match argument:
            case ast.Constant(str()):
                computed = []
            case ast.JoinedStr(parts):
                computed = [part.value for part in parts if isinstance(part, ast.FormattedValue)]
            case _:
                return [argument]
        self.words.append(_canonical(argument))
        return computed

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        if isinstance(node, ast.Call) and _is_message(node):
            node.args = [value for argument in node.args for value in self._computed(argument)]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.If) and _is_for_type_checkers(node.test):
            return node.orelse or ast.Pass()
        return node


def _is_for_type_checkers(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    if isinstance(test, ast.Attribute) and isinstance(test.value, ast.Name) and test.value.id == "typing":
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _canonical(node: object) -> str:
    """Write a syntax tree as text that is the same in every version of Python.

    Both `ast.dump` and `ast.unparse` are not; empty fields, which newer versions add, are left out.
    """
    if isinstance(node, ast.AST):
        # A result is written in a second or two, of which a slower loop takes a noticeable part.
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                fields.append(f"{name}={_canonical(value)}")
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join([_canonical(each) for each in node])}]"
    return repr(node)


@cache
def _read(path: Path) -> tuple[str, str, frozenset[Path]]:
    """Canonical text of a module, the words of its messages, and the modules of this package that it imports."""
    meaning = _Meaning()
    tree = meaning.visit(ast.parse(path.read_bytes(), filename=str(path)))
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
    return _canonical(tree), "\0".join(meaning.words), frozenset(imported)


def import_closure(entry: str | Path) -> tuple[Path, ...]:
    """Return a script or module and every module of this package that it imports, directly or not, sorted."""
    closure: set[Path] = set()
    pending = {Path(entry).resolve()}
    while pending:
        path = pending.pop()
        closure.add(path)
        pending |= _read(path)[2] - closure
    return tuple(sorted(closure))


def code_digest(entry: str | Path, *, messages: bool = False) -> str:
    """Digest of the meaning of a script and of everything in this package that it runs.

    Parameters
    ----------
    entry
        Path of a Python script or module.
    messages
        Whether the words of errors and log messages count, for a script that writes them to its results.

    Returns
    -------
    str
        16 hexadecimal digits: changed by any change to the syntax tree of any module in the import closure; not by a
        comment, a docstring, a message, the layout of the code, or the place of the checkout.
    """
    digest = hashlib.sha256()
    entry = Path(entry).resolve()
    for path in import_closure(entry):
        name = path.name if path == entry else path.relative_to(_PACKAGE_ROOT).as_posix()
        meaning, words, _ = _read(path)
        digest.update(f"{name}\0{meaning}\0{words if messages else ''}\0".encode())
    return digest.hexdigest()[:16]


@cache
def package_digest() -> str:
    """Digest of every byte of the code of this package, 16 hexadecimal digits: what a result outside a workflow says.

    Nothing is run again for it, and the syntax trees of :func:`code_digest` take as long as many a fit.
    """
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE_ROOT.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
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
        :func:`code_digest` of the script that makes the dataset, or :func:`package_digest`.
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
