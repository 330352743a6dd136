"""Say where a result comes from: every stage before it, with settings, code and packages."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safe_pit_cm.config import flatten
from safe_pit_cm.data import records, verification
from safe_pit_cm.data.records import Record
from safe_pit_cm.errors import UserError


@dataclass(frozen=True)
class Stage:
    """Results that one rule made with the same parameters.

    Attributes
    ----------
    rule, code
        The rule, and the digest of its code.
    settings
        Its parameters by their dotted names, without the published values and descriptions that tables show.
    results
        Paths of the results.
    packages
        Versions of Python and of packages.
    """

    rule: str
    code: str
    settings: Mapping[str, Any]
    results: list[str]
    packages: Mapping[str, str]


def _settings(record: Record) -> dict[str, Any]:
    shown = {name: value for name, value in record.params.items() if name not in ("code", "published", "parameters")}
    return flatten(shown.pop("settings", {})) | flatten(shown)


def stages(known: Mapping[str, Record], targets: Iterable[str]) -> list[Stage]:
    """Stages that lead to some results, those of the results first, then in the order of rules and results."""
    targets = list(targets)
    found = verification.upstream(known, targets)
    grouped: dict[tuple[str, str], list[str]] = {}
    for path, record in sorted(found.items()):
        grouped.setdefault((record.rule, json.dumps(record.params, sort_keys=True)), []).append(path)
    made = [
        Stage(
            rule=rule,
            code=str(found[paths[0]].params.get("code", "")),
            settings=_settings(found[paths[0]]),
            results=paths,
            packages=found[paths[0]].packages,
        )
        for (rule, _), paths in grouped.items()
    ]
    return sorted(made, key=lambda own: (set(targets).isdisjoint(own.results), own.rule, own.results))


def find(known: Mapping[str, Record], wanted: str) -> list[str]:
    """Results with a name such as ``table_4``, or with a path or the end of one.

    Raises
    ------
    UserError
        If there is none.
    """
    end = wanted.rstrip("/")
    found = [
        path for path in known if path == end or path.endswith(f"/{end}") or (Path(path).stem == end and "/" not in end)
    ]
    if not found:
        names = ", ".join(sorted({Path(path).stem for path in known if "/paper/" in path}))
        raise UserError(f"no result is named {wanted}; give a path below results, or one of {names}")
    return found


def shortened(paths: list[str]) -> str:
    """A few paths by the first and the last."""
    return ", ".join(paths) if len(paths) <= 2 else f"{paths[0]} … {paths[-1]}"


def describe(known: Mapping[str, Record], wanted: str) -> str:
    """Text that says where a result comes from.

    Raises
    ------
    UserError
        If there is no such result.
    """
    lines = []
    for stage in stages(known, find(known, wanted)):
        lines += [
            f"{stage.rule}: {len(stage.results)} result{'s' if len(stage.results) > 1 else ''}, "
            f"{shortened(stage.results)}",
            f"    settings  {', '.join(f'{name}={value}' for name, value in stage.settings.items()) or 'none'}",
            f"    code      {stage.code}",
            f"    packages  {', '.join(f'{name} {version}' for name, version in stage.packages.items())}",
        ]
    others = {
        source.path: source.sha256
        for record in verification.upstream(known, find(known, wanted)).values()
        for source in record.inputs
        if records.place(source.path) is None
    }
    lines += [f"file {path}: SHA-256 {digest}" for path, digest in sorted(others.items())]
    return "\n".join(lines)
