"""What a result is, and whether it still is that: a record of each one, next to the results of a run.

Every file or store ``results/A/B`` that a rule makes has a record ``results/provenance/A/B.json``: a digest of its
bytes, the rule, wildcards and parameters that made it, the digests of what it was made from, and versions of packages.
Whoever reads a result of a run checks it against its record.

The *lineage* of a result is a digest of the rule and parameters that made it (code included), and of the lineages of
its inputs. It follows from code and configuration alone, so that a workflow knows it before anything is computed, and
it tells a result from one of another configuration that has the same name.

Imports here are light on purpose: the workflow calls this at every parse.
"""

import hashlib
import json
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from safe_pit_cm.data import files, provenance
from safe_pit_cm.errors import UserError

#: Folder of the results of a run, and of the records within it.
RESULTS = "results"
RECORDS = "provenance"
# Snakemake puts it in every folder that a rule makes.
_TIME_STAMP = ".snakemake_timestamp"
# Packages with an effect on numbers or pictures; their modules have the same names.
_PACKAGES = ("deap", "matplotlib", "numpy", "pandas", "pysindy", "safetensors", "scipy", "torch", "xarray", "zarr")


@dataclass(frozen=True)
class Input:
    """What a result was made from.

    Attributes
    ----------
    path
        Path, for a result from the folder of results on; the name alone of a file elsewhere.
    sha256
        :func:`digest` of it at that time.
    """

    path: str
    sha256: str


@dataclass(frozen=True)
class Record:
    """What a result is.

    Attributes
    ----------
    path
        Path from the folder of results on, such as ``results/splits.csv``.
    sha256, size
        :func:`digest` and :func:`size` (bytes).
    rule, wildcards, params
        What made it: the rule, and its wildcards and parameters.
    upstream
        Lineages of the rules that make its inputs, sorted.
    lineage
        :func:`lineage` of all these.
    inputs
        What it was made from.
    packages
        Versions of Python and of those packages that its job imported.
    """

    path: str
    sha256: str
    size: int
    rule: str
    wildcards: Mapping[str, str]
    params: Mapping[str, Any]
    upstream: list[str]
    lineage: str
    inputs: list[Input]
    packages: Mapping[str, str]


def lineage(rule: str, params: Mapping[str, Any], upstream: Iterable[str]) -> str:
    """Digest of a rule, its parameters and the lineages of its inputs: 16 hexadecimal digits."""
    return provenance.settings_digest({"rule": rule, "params": params, "upstream": sorted(upstream)})


def _content(path: Path) -> list[Path]:
    """Files of a folder, in the order of their paths; of a file, itself."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.name != _TIME_STAMP and not file.is_dir())


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(path: str | Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it; of a folder, the SHA-256 of such a list of its files."""
    path = Path(path)
    if not path.is_dir():
        return _file_digest(path)
    lines = (f"{_file_digest(file)}  {file.relative_to(path).as_posix()}\n" for file in _content(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def size(path: str | Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in _content(Path(path)))


def _split(path: str | Path) -> tuple[Path, Path] | None:
    """Folder of results that a path lies in, and the path from there on; None for a path elsewhere."""
    parts = Path(path).parts
    if RESULTS not in parts[:-1]:
        return None
    # A film may have the name of the folder; a folder above a relative path is no part of it.
    place = 0 if parts[0] == RESULTS else len(parts) - 1 - parts[::-1].index(RESULTS)
    return Path(*parts[: place + 1]), Path(*parts[place + 1 :])


def name(path: str | Path) -> str:
    """Path of a result from the folder of results on."""
    return (RESULTS / Path(path).relative_to(root(path))).as_posix()


def _name_elsewhere(path: Path) -> str:
    """Path of a file that is no result; its name alone if the path is absolute, since records have no such paths."""
    return path.name if path.is_absolute() else path.as_posix()


def place(path: str | Path) -> Path | None:
    """Path of the record of a result; None for a file outside the folder of results."""
    found = _split(path)
    return None if found is None else found[0] / RECORDS / f"{found[1]}.json"


def root(path: str | Path) -> Path:
    """Folder of results that a result lies in.

    Raises
    ------
    ValueError
        If it lies in none.
    """
    found = _split(path)
    if found is None:
        raise ValueError(f"{path} does not lie in a folder {RESULTS}")
    return found[0]


def rebuild(path: str | Path, remove: bool = True) -> str:
    """End of a sentence: how a result is built, or removed and built again."""
    quoted = shlex.quote(str(path))
    build = f"uv run snakemake --cores all {quoted}"
    if not remove:
        return f"build it, with the options of your run, by: {build}"
    return f"rebuild it, with the options of your run, by: rm -rf {quoted} && {build}"


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that this process has imported so far."""
    imported = {package: metadata.version(package) for package in _PACKAGES if package in sys.modules}
    return {"python": ".".join(map(str, sys.version_info[:3])), **imported}


def newer_packages(known: Iterable[Record]) -> dict[str, tuple[str, str]]:
    """Packages that are now installed in another version than some result was made with: that version, and now's."""
    changed = {}
    for package, version in sorted({each for record in known for each in record.packages.items()}):
        try:
            now = metadata.version(package) if package != "python" else packages()["python"]
        except metadata.PackageNotFoundError:
            continue
        if now != version:
            changed[package] = (version, now)
    return changed


def write(path: str | Path, record: Record) -> None:
    """Write the record of a result."""
    target = place(path)
    if target is None:
        raise ValueError(f"{path} does not lie in a folder {RESULTS}")
    with files.replacing(target) as partial:
        partial.write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path) -> Record:
    """Read a record from its own file.

    Raises
    ------
    UserError
        If the file is not a record.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Record(**{**found, "inputs": [Input(**entry) for entry in found["inputs"]]})
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{file} is damaged: it is not a record of a result") from None


def read(path: str | Path) -> Record:
    """Read the record of a result.

    Raises
    ------
    UserError
        If there is none, it is damaged, or it is that of another file.
    """
    file = place(path)
    if file is None or not file.is_file():
        raise UserError(f"{path} has no record of what it is ({file}); {rebuild(path)}")
    try:
        record = load(file)
    except UserError as error:
        raise UserError(f"{error}; {rebuild(path)}") from None
    if record.path != name(path):
        raise UserError(f"{path} is not what its name says: its record is that of {record.path}; {rebuild(path)}")
    return record


def forget(path: str | Path) -> None:
    """Remove the record of a result that is about to be made anew."""
    file = place(path)
    if file is not None:
        file.unlink(missing_ok=True)


def all_of(results: str | Path) -> Iterator[Path]:
    """Files of all records in a folder of results, in the order of their paths."""
    yield from sorted((Path(results) / RECORDS).rglob("*.json"))


def problem(path: str | Path, record: Record, *, content: bool = True) -> str | None:
    """What is wrong with the bytes of a result, or None.

    Parameters
    ----------
    path
        The result.
    record
        Its record.
    content
        Whether its bytes are read, rather than counted.
    """
    path = Path(path)
    if not path.exists():
        return "is missing"
    if size(path) != record.size or (content and digest(path) != record.sha256):
        return "is damaged, was edited or is another: its bytes are not those that were written"
    return None


def outdated(record: Record, folder: Path) -> str | None:
    """The first input that has since been replaced by another one, or None.

    Parameters
    ----------
    record
        The record of a result.
    folder
        Folder in which the folder of results lies.
    """
    for source in record.inputs:
        file = place(source.path)
        if file is not None and (folder / file).is_file() and load(folder / file).sha256 != source.sha256:
            return source.path
    return None


def survey(lineages: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Look over finished results without reading the stores, whose readers do.

    Parameters
    ----------
    lineages
        Their lineages by their paths. Results that are not there, or have no record yet, are passed over.

    Returns
    -------
    dict[str, tuple[str, str]]
        :func:`newer_packages` of all records.

    Raises
    ------
    UserError
        If stores have lost bytes, other files have changed, or either come from another configuration: the message
        names them all, and the command that rebuilds them.
    """
    wrong: list[str] = []
    known: list[Record] = []
    for path, own in lineages.items():
        file = place(path)
        if file is None or not file.is_file() or not Path(path).exists():
            continue
        try:
            record = read(path)
        except UserError:
            wrong.append(path)
            continue
        known.append(record)
        if record.lineage != own or problem(path, record, content=not Path(path).is_dir()):
            wrong.append(path)
    if wrong:
        names = " ".join(map(shlex.quote, wrong))
        raise UserError(
            f"{', '.join(wrong)}: not what was written here, but damaged, edited or of another run; save what you want "
            f"to keep, and rebuild the rest, with the options of your run, by: rm -rf {names} && "
            "uv run snakemake --cores all"
        )
    return newer_packages(known)


def check(path: str | Path, lineages: Collection[str], results: Path) -> Input:
    """Check that a result is intact, and the one that is asked for.

    Parameters
    ----------
    path
        The result. Another file, such as a film, is not checked.
    lineages
        Lineages that it may have; none, if no input of the job is a result.
    results
        Folder of results of the run. A file below another folder of that name is no result of this run.

    Returns
    -------
    Input
        What a result that is made from it records.

    Raises
    ------
    UserError
        If it is missing or damaged, comes from another rule, other wildcards, settings or code, or was made from
        inputs that have since been replaced. The message names it and the command that rebuilds it.
    """
    if not lineages or place(path) is None or root(path) != results:
        return Input(_name_elsewhere(Path(path)), digest(path))
    record = read(path)
    if record.lineage not in lineages:
        raise UserError(
            f"{path} is not the one asked for: it was made by the rule {record.rule} with other settings or code "
            f"(lineage {record.lineage}); {rebuild(path)}"
        )
    wrong = problem(path, record)
    if wrong:
        raise UserError(f"{path} {wrong}; {rebuild(path)}")
    replaced = outdated(record, root(path).parent)
    if replaced:
        raise UserError(f"{path} is outdated: it was made from another {replaced}; {rebuild(path)}")
    return Input(record.path, record.sha256)
