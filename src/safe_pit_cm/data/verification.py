"""Check the results of a run against their records, and follow them back to what they were made from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safe_pit_cm.data import records
from safe_pit_cm.data.records import Record
from safe_pit_cm.errors import UserError

#: The file that makes a folder of results an RO-Crate.
CRATE = "ro-crate-metadata.json"
# Rules of the pages, to which all other results lead.
_PAGES = ("main_page", "page", "model_page", "measurements")


@dataclass
class Findings:
    """What a check found.

    Attributes
    ----------
    checked
        Number of results that have a record.
    problems
        What is wrong, by the path of the result.
    unused
        Results that lead to no page, such as those of a parent that the configuration no longer has.
    newer
        Packages that are installed in another version than the one that a result was made with: both versions.
    """

    checked: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    newer: dict[str, tuple[str, str]] = field(default_factory=dict)


def load_all(results: str | Path) -> tuple[dict[str, Record], dict[str, str]]:
    """All records of a folder of results by the path of their result, and what is wrong with the others.

    Raises
    ------
    UserError
        If the folder does not exist or has no records.
    """
    results = Path(results)
    if not results.is_dir():
        raise UserError(f"the folder {results} does not exist; give the folder of results of a run")
    found: dict[str, Record] = {}
    damaged: dict[str, str] = {}
    for file in records.all_of(results):
        own = file.relative_to(results / records.RECORDS).as_posix().removesuffix(".json")
        path = f"{records.RESULTS}/{own}"
        try:
            found[path] = records.load(file)
        except UserError:
            damaged[path] = "its record is damaged"
    if not found and not damaged:
        raise UserError(f"{results} has no records ({results / records.RECORDS}), so it is not the results of a run")
    return found, damaged


def upstream(known: Mapping[str, Record], targets: Iterable[str]) -> dict[str, Record]:
    """Records of some results and of everything that they were made from."""
    found: dict[str, Record] = {}
    pending = list(targets)
    while pending:
        path = pending.pop()
        if path in known and path not in found:
            found[path] = known[path]
            pending += [source.path for source in known[path].inputs]
    return found


def _job(record: Record) -> tuple[str, ...]:
    return record.rule, *record.wildcards.values()


def _lineage_problem(
    path: str, record: Record, known: Mapping[str, Record], lineages: Mapping[tuple[str, ...], set[str]]
) -> str | None:
    """What is wrong with where a result comes from, or None; ``lineages`` are those of the results of every job."""
    if record.path != path:
        return f"is foreign: its record is that of {record.path}"
    if record.lineage != records.lineage(record.rule, record.params, record.upstream):
        return "is foreign: its record was edited"
    # Without a lineage before it, a result was made from other files alone, such as films.
    for source in record.inputs if record.upstream else ():
        if not source.path.startswith(f"{records.RESULTS}/"):
            continue
        if source.path not in known:
            return f"cannot be traced: {source.path}, from which it was made, has no record"
        if known[source.path].sha256 != source.sha256:
            return f"is stale: it was made from another {source.path}"
        if known[source.path].lineage not in record.upstream:
            return f"is stale or foreign: {source.path}, from which it was made, is of another configuration or code"
    if len(lineages[_job(record)]) > 1:
        # Not all that a job makes is read: an initial condition lies beside the videos of the same job.
        return "is foreign, or another result of its job is: they are of more than one configuration or code"
    return None


def _problems(results: Path, chosen: Mapping[str, Record], known: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Paths and problems of chosen results: of their bytes, and of where they come from."""
    lineages: dict[tuple[str, ...], set[str]] = {}
    for record in known.values():
        lineages.setdefault(_job(record), set()).add(record.lineage)
    for path, record in chosen.items():
        # The folder may have been renamed.
        place = results / Path(path).relative_to(records.RESULTS)
        wrong = _lineage_problem(path, record, known, lineages) or records.problem(place, record)
        if wrong:
            yield path, wrong


def check_upstream(targets: Iterable[str | Path]) -> int:
    """Check everything that some results of a run were made from, themselves included.

    Returns
    -------
    int
        Number of results checked.

    Raises
    ------
    UserError
        If anything is missing, damaged, stale or foreign: the message names the first, and what rebuilds it.
    """
    paths = [Path(path) for path in targets if records.place(path) is not None]
    if not paths:
        return 0
    root = records.root(paths[0])
    known, damaged = load_all(root)
    chosen = upstream(known, map(records.name, paths))
    for path, wrong in [*damaged.items(), *_problems(root, chosen, known)]:
        raise UserError(f"{path} {wrong}; {records.rebuild(root.parent / path)}")
    return len(chosen)


def _without_record(results: Path, known: Iterable[str]) -> Iterator[str]:
    """Files that belong to no recorded result."""
    recorded = set(known)
    for file in sorted(results.rglob("*")):
        relative = file.relative_to(results)
        if file.is_dir() or relative.parts[0] in (records.RECORDS, CRATE) or relative.name.startswith(".snakemake"):
            continue
        paths = [f"{records.RESULTS}/{part.as_posix()}" for part in (relative, *relative.parents)]
        if recorded.isdisjoint(paths):
            # Of a store, its folder is named once.
            store = next((path for path in paths if path.endswith(".zarr")), paths[0])
            recorded.add(store)
            yield store


def verify(results: str | Path) -> Findings:
    """Check a folder of results: bytes, lineages from the initial conditions to the page, and what does not belong.

    Parameters
    ----------
    results
        The folder, such as ``results``; it may have been moved or renamed.

    Raises
    ------
    UserError
        If the folder does not exist or has no records.
    """
    results = Path(results)
    known, damaged = load_all(results)
    wrong = damaged | dict(_problems(results, known, known))
    for path in _without_record(results, [*known, *damaged]):
        wrong[path] = "is foreign: no finished job made it"
    pages = [path for path, record in known.items() if record.rule in _PAGES]
    # Of a table in four formats the page shows one.
    used = {_job(record) for record in upstream(known, pages).values()}
    return Findings(
        checked=len(known),
        problems=dict(sorted(wrong.items())),
        unused=[path for path, record in known.items() if pages and _job(record) not in used],
        newer=records.newer_packages(known.values()),
    )
