"""The table of the films to measure: a row per film, checked before anything runs.

Imports here are light on purpose: the workflow reads this at every parse.
"""

import csv
import math
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safe_pit_cm.config import mismatches
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import film

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d{1,18}")
# Columns that are no options of the fit.
_OWN = ("sample", "path", "group", "options")


@dataclass(frozen=True)
class Sample:
    """A film to measure.

    Attributes
    ----------
    name
        Of its folder in the results.
    film
        Its file or folder.
    group
        Films of one group are averaged; empty if the row names none.
    arguments
        Options of ``safe-pit-cm fit``, one word each, in the order of the schema.
    files
        Every file that the measurement reads: of a folder, those in it.
    """

    name: str
    film: str
    group: str
    arguments: tuple[str, ...]
    files: tuple[str, ...]


def read(path: str | Path, schema: Mapping[str, Any]) -> dict[str, Sample]:
    """Read and check the table.

    Parameters
    ----------
    path
        Text in UTF-8, its columns separated by tabs; the first row has their names. Paths in it are relative to its
        folder.
    schema
        JSON schema of a row. A cell is converted to the type that the schema gives it; ``format: path`` marks files
        and folders, which must exist, and ``format: path or level`` what may be a number instead.

    Returns
    -------
    dict[str, Sample]
        By name, in the order of the table.

    Raises
    ------
    UserError
        With a sentence for everything that is wrong: the row as a text editor numbers it, the column, what to do.
    """
    path = Path(path)
    rows = _rows(path)
    number, header = next(rows, (1, []))
    problems = _header_problems(header, schema)
    if problems:
        raise UserError("\n".join(f"{path}, row {number}: {problem}" for problem in problems))
    samples: dict[str, Sample] = {}
    first: dict[str, int] = {}
    for number, cells in rows:
        try:
            if len(cells) > len(header):
                raise UserError(
                    f"the row has {len(cells)} cells and the table {len(header)} columns; remove what stands too much"
                )
            sample = _sample(dict(zip(header, cells, strict=False)), path.parent, schema)
            # Some file systems take large and small letters for the same.
            before = first.setdefault(sample.name.casefold(), number)
            if before != number:
                raise UserError(f"sample: {sample.name} stands in row {before} already; give every film its own name")
            samples[sample.name] = sample
        except UserError as error:
            problems += [f"{path}, row {number}: {problem}" for problem in str(error).splitlines()]
    if problems:
        raise UserError("\n".join(problems))
    if not samples:
        raise UserError(f"{path} lists no film; write a row for each film below the names of the columns")
    return samples


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Cells of every row that is not empty, with the number of its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t")
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                while stripped and not stripped[-1]:
                    stripped.pop()
                if stripped:
                    yield reader.line_num, stripped
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check its name, owner and mode") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no text in UTF-8 with tabs between the columns; save it again as such") from error


def _header_problems(header: list[str], schema: Mapping[str, Any]) -> list[str]:
    known = list(schema["properties"])
    if len(header) == 1 and re.search("[,;]", header[0]):
        return ["columns must be separated by tabs; save the table again as text with tabs"]
    problems = [
        f"the column {name} is not known; the columns are {', '.join(known)}"
        for name in dict.fromkeys(header)
        if name not in known
    ]
    problems += [f"the column {name} is missing; add it" for name in schema["required"] if name not in header]
    problems += [f"the column {name} stands twice; remove one" for name in known if header.count(name) > 1]
    return problems


def _sample(cells: Mapping[str, str], folder: Path, schema: Mapping[str, Any]) -> Sample:
    """Read one row; raise a sentence for each thing that is wrong with it."""
    columns = schema["properties"]
    row = {name: _typed(text, columns[name]) for name, text in cells.items() if text}
    if "options" in row:
        row["options"] = _options(cells["options"], columns["options"]["properties"])
    problems = mismatches(row, schema)
    if "dt" in row and "times" in row:
        problems.append("dt and times are both given; leave one of them empty")
    if problems:
        raise UserError("\n".join(problems))

    given = {**{name: value for name, value in row.items() if name not in _OWN}, **row.get("options", {})}
    schemas = {**columns, **columns["options"]["properties"]}
    paths = {
        name: _placed(text, folder)
        for name, text in {"path": row["path"], **given}.items()
        if _is_path(text, schemas[name])
    }
    problems = [
        f"{name}: there is no file or folder {place}; correct the path, which is relative to the folder of the table"
        for name, place in paths.items()
        if not Path(place).exists()
    ]
    if problems:
        raise UserError("\n".join(problems))

    words = {**given, **paths}
    arguments = [word for name in schemas if name in given for word in _argument(name, words[name])]
    film.parse(paths["path"], arguments, "result")
    files = [file for place in paths.values() for file in _files(place)]
    return Sample(row["sample"], paths["path"], row.get("group", ""), tuple(arguments), tuple(dict.fromkeys(files)))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """The value of a cell; the text itself where it is not of the type that the schema asks for."""
    match schema["type"]:
        case "number" if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        case "integer" if _WHOLE.fullmatch(text):
            return int(text)
    return text


def _options(text: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Options such as ``roi=0:128,0:128 channel=1 missing``; quotes keep a value with spaces together."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"options: a quotation mark has no partner in {text}; close or remove it") from error
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name in options:
            raise UserError(f"options: {name} is given twice; leave one out")
        options[name] = _typed(value, schemas.get(name, {"type": "string"})) if equals else True
    return options


def _argument(name: str, value: Any) -> list[str]:
    """An option as a word of the command line."""
    if value is True:
        return [f"--{name}"]
    # Two pixel sizes: the command line has a comma, which in a table is too easily a decimal comma.
    text = ",".join(value.split()) if name == "dx" else str(value)
    return [f"--{name}={text}"]


def _is_path(text: Any, schema: Mapping[str, Any]) -> bool:
    match schema.get("format"):
        case "path":
            return True
        case "path or level":
            return not _NUMBER.fullmatch(text)
    return False


def _placed(text: str, folder: Path) -> str:
    return os.path.normpath(folder / Path(text).expanduser())


def _files(place: str) -> Iterator[str]:
    """A file itself, or all that a folder holds, but for hidden files."""
    if Path(place).is_file():
        yield place
    for parent, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Snakemake would take braces for a wildcard.
        yield from (str(Path(parent) / name) for name in sorted(names) if not re.search(r"^\.|[{}]", name))
