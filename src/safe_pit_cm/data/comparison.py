"""Compare two folders of results: ``python -m safe_pit_cm.data.comparison BEFORE AFTER``.

Two runs of equal code and settings give equal bytes. After a change of the code only its digests should differ, in
attributes of stores and in lists of digests. This module checks that. Zarr stores are compared by
content, CSVs column by column, images by their pixels, all other files by their bytes.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from safe_pit_cm.data.records import RECORDS
from safe_pit_cm.errors import UserError

#: Attributes of a store, and columns of a table, that name the code or depend on its digest.
CODE_ATTRIBUTES = frozenset({"package_version", "source_revision", "content_digest"})
CODE_COLUMNS = frozenset({"digest"})


def _results(folder: Path) -> set[Path]:
    """Every store and every file outside stores, relative to the folder."""
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if any(part.endswith(".zarr") for part in relative.parts[:-1]) or relative.name.startswith(".snakemake"):
            continue
        # Records name the code.
        if relative.parts[0] == RECORDS:
            continue
        if path.suffix == ".zarr" or path.is_file():
            found.add(relative)
    return found


def compare_stores(before: Path, after: Path, ignored: frozenset[str] = CODE_ATTRIBUTES) -> Iterator[str]:
    """List the differences between two Zarr stores: groups, variables, attributes other than the ignored, values."""
    trees = [xr.open_datatree(path, engine="zarr", consolidated=None) for path in (before, after)]
    nodes = [{node.path: node.to_dataset(inherit=False) for node in tree.subtree} for tree in trees]
    for path in sorted(nodes[0].keys() ^ nodes[1].keys()):
        yield f"group {path} is in one of them alone"
    for path in sorted(nodes[0].keys() & nodes[1].keys()):
        first, second = nodes[0][path], nodes[1][path]
        for name in sorted((first.attrs.keys() | second.attrs.keys()) - ignored):
            if first.attrs.get(name) != second.attrs.get(name):
                yield f"attribute {name} is {first.attrs.get(name)!r} and {second.attrs.get(name)!r}"
        for name in sorted(map(str, first.variables.keys() | second.variables.keys())):
            if name not in first.variables or name not in second.variables:
                yield f"variable {name} is in one of them alone"
                continue
            one, other = first.variables[name], second.variables[name]
            if (one.dims, one.dtype, one.shape, one.attrs) != (other.dims, other.dtype, other.shape, other.attrs):
                yield f"variable {name} differs in axes, type, shape or attributes"
            elif one.to_numpy().tobytes() != other.to_numpy().tobytes():
                yield f"variable {name} differs in its values"


def compare_tables(before: Path, after: Path) -> Iterator[str]:
    """List the columns of two CSV files that differ as text, other than digests of code."""
    first, second = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (before, after))
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        yield f"columns or rows differ: {first.shape} and {second.shape}"
        return
    for column in first.columns:
        rows = first.index[first[column] != second[column]]
        if len(rows) and column not in CODE_COLUMNS:
            row = rows[0]
            yield f"column {column} differs in {len(rows)} rows: {first[column][row]} and {second[column][row]}, …"


def _without_code(facts: Any) -> Any:
    """Metadata, JSON inside included, without what names the code."""
    if isinstance(facts, str) and facts.startswith("{"):
        facts = json.loads(facts)
    if isinstance(facts, dict):
        return {name: _without_code(value) for name, value in facts.items() if name not in CODE_ATTRIBUTES}
    return facts


def _compare_weights(before: Path, after: Path) -> Iterator[str]:
    from safetensors import safe_open

    with safe_open(before, "np") as first, safe_open(after, "np") as second:
        facts = [_without_code(weights.metadata() or {}) for weights in (first, second)]
        if facts[0] != facts[1]:
            yield "the metadata differ"
        if set(first.keys()) != set(second.keys()):
            yield "the tensors have other names"
            return
        for name in first.keys():  # noqa: SIM118 - no mapping
            one, other = first.get_tensor(name), second.get_tensor(name)
            if one.shape != other.shape or one.tobytes() != other.tobytes():
                yield f"tensor {name} differs"


def _compare_images(before: Path, after: Path) -> Iterator[str]:
    from matplotlib.image import imread

    first, second = imread(before), imread(after)
    if first.shape != second.shape or (first != second).any():
        yield "the pixels differ"


def compare(
    before: Path, after: Path, ignored: Iterable[str] = (), excluded: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Compare two folders of results.

    Parameters
    ----------
    before, after
        The folders.
    ignored
        Attributes of stores to ignore, in addition to those that name the code.
    excluded
        Patterns of paths, relative to the folders, to ignore: files with measured times, for instance.

    Returns
    -------
    tuple[int, list[str]]
        Number of results compared, and a line for each difference.

    Raises
    ------
    UserError
        If a folder does not exist.
    """
    for folder in (before, after):
        if not folder.is_dir():
            raise UserError(f"the folder {folder} does not exist; give two folders of results")
    kept = [
        {path for path in _results(folder) if not any(fnmatch(path.as_posix(), pattern) for pattern in excluded)}
        for folder in (before, after)
    ]
    lines = [f"{path}: only in {before if path in kept[0] else after}" for path in sorted(kept[0] ^ kept[1])]
    for path in sorted(kept[0] & kept[1]):
        first, second = before / path, after / path
        if path.suffix == ".zarr":
            found = compare_stores(first, second, CODE_ATTRIBUTES | frozenset(ignored))
        elif first.read_bytes() == second.read_bytes():
            continue
        elif path.suffix == ".csv":
            found = compare_tables(first, second)
        elif path.suffix == ".png":
            found = _compare_images(first, second)
        elif path.suffix == ".safetensors":
            found = _compare_weights(first, second)
        else:
            found = iter(["the bytes differ"])
        lines += [f"{path}: {difference}" for difference in found]
    return len(kept[0] & kept[1]), lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two folders; 0 if they agree, 1 if they differ, 2 if a folder is missing."""
    parser = argparse.ArgumentParser(prog="python -m safe_pit_cm.data.comparison", description=__doc__)
    parser.add_argument("before", type=Path, metavar="BEFORE")
    parser.add_argument("after", type=Path, metavar="AFTER")
    parser.add_argument("--ignore-attribute", action="append", default=[], metavar="NAME")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN")
    options = parser.parse_args(arguments)
    try:
        count, differences = compare(options.before, options.after, options.ignore_attribute, options.exclude)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for difference in differences:
        print(difference)
    print(f"{count} results compared, {len({line.split(':')[0] for line in differences})} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
