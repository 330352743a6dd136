"""Read and write the Zarr stores of the project: the only module that does.

A store is a tree of datasets, in most cases of one. It is written next to its final place and then renamed, so that a
killed job leaves nothing that looks complete. Zarr silently reads a missing chunk as fill values; every store therefore
carries a digest of its content, which is checked on reading.
"""

import hashlib
import json
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
import zarr

from safe_pit_cm.data import files, zarr_writes
from safe_pit_cm.errors import UserError

Kind = Literal[
    "initial_condition",
    "video",
    "fit",
    "substeps",
    "frame_step",
    "simulation",
    "measurement",
    "equation",
    "equation_video",
]


@dataclass(frozen=True)
class _Schema:
    """Required content of a kind of store: variables with their axes, and attributes of the root."""

    variables: Mapping[str, tuple[str, ...]]
    attributes: frozenset[str]


_PROVENANCE = frozenset({"package_version", "source_revision", "config_digest"})
_SIMULATION = frozenset({"parent", "seed", "n_grains", "grid_spacing", "boundary"})
_TRANSPORT = frozenset({"process", "transport_coefficient", "diffusivity"})


def _ablation(*axes: str) -> _Schema:
    """Ablation of one video: the result of Adam and the true minimum of the same loss."""
    names = ("alpha", "alpha_minimum", "alpha_first_order", "loss", "loss_minimum", "ending", "ending_minimum")
    return _Schema(dict.fromkeys(names, axes), _TRANSPORT | {"parent"} | _PROVENANCE)


_SCHEMAS: dict[Kind, _Schema] = {
    "initial_condition": _Schema({"field": ("y", "x")}, _SIMULATION | _PROVENANCE),
    "video": _Schema(
        {"field": ("time", "y", "x")},
        _SIMULATION | _TRANSPORT | {"time_step", "save_interval"} | _PROVENANCE,
    ),
    "fit": _Schema(
        {"alpha": ("step",), "loss": ("step",), "residual": ("time",)},
        _TRANSPORT | {"parent", "propagation", "alpha", "ending"} | _PROVENANCE,
    ),
    "substeps": _ablation("substeps", "propagation"),
    "frame_step": _ablation("frame_step", "substepping", "propagation"),
    # A test video of the command line, and the result of the fit of a measured video.
    "simulation": _Schema({"field": ("time", "y", "x")}, _TRANSPORT | {"seed", "dx", "dt", "boundary"} | _PROVENANCE),
    "equation_video": _Schema(
        {"field": ("time", "component", "y", "x")},
        frozenset({"model", "coefficients", "parent", "seed", "grid_spacing", "frame_interval"}) | _PROVENANCE,
    ),
    # The fit of an equation other than that of diffusion.
    "equation": _Schema({}, frozenset({"model", "equation", "coefficients", "boundary", "verdict"}) | _PROVENANCE),
    "measurement": _Schema(
        {}, frozenset({"alpha", "diffusivity", "stderr", "process", "boundary", "verdict"}) | _PROVENANCE
    ),
}


class _SchemaError(Exception):
    """What a dataset lacks to be of its kind."""


class _StoreError(Exception):
    """What is wrong with a store."""


def _check_schema(root: xr.Dataset, kind: Kind) -> None:
    schema = _SCHEMAS[kind]
    if root.attrs.get("kind") != kind:
        raise _SchemaError(f"it is not a store of kind {kind}")
    for name, dimensions in schema.variables.items():
        if name not in root.data_vars:
            raise _SchemaError(f"variable {name} is missing")
        if root[name].dims != dimensions:
            raise _SchemaError(f"variable {name} has axes {root[name].dims}, not {dimensions}")
    if missing := sorted(schema.attributes - set(root.attrs)):
        raise _SchemaError(f"attribute {missing[0]} is missing")


def content_digest(tree: xr.DataTree) -> str:
    """SHA-256 of every array, axis name and attribute of a tree, except of the digest itself."""
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        digest.update(json.dumps(parts, sort_keys=True).encode() + b"\0")

    for node in sorted(tree.subtree, key=lambda node: node.path):
        dataset = node.to_dataset()
        add(
            node.path,
            {name: value for name, value in dataset.attrs.items() if name != "content_digest"},
        )
        for name in sorted(map(str, dataset.variables)):
            variable = dataset.variables[name]
            add(name, variable.dims, variable.dtype.str, variable.shape, variable.attrs)
            digest.update(np.ascontiguousarray(variable.to_numpy()).tobytes())
    return digest.hexdigest()


def write(
    dataset: xr.Dataset,
    path: str | Path,
    kind: Kind,
    groups: Mapping[str, xr.Dataset] | None = None,
) -> None:
    """Write a store, replacing any earlier one.

    Parameters
    ----------
    dataset
        Root of the store; axes and attributes as the kind demands.
    path
        The store, a directory.
    kind
        One of :data:`Kind`.
    groups
        Further datasets, by the name of their Zarr group.

    Raises
    ------
    ValueError
        If the dataset does not have the variables, axes and attributes of its kind.
    OSError
        If the file system refuses; an earlier store at ``path`` is then unchanged.
    """
    tree = xr.DataTree.from_dict({"/": dataset.assign_attrs(kind=kind), **(groups or {})})
    try:
        _check_schema(tree.to_dataset(), kind)
    except _SchemaError as problem:
        raise ValueError(f"cannot write {path} as {kind}: {problem}") from None
    tree.attrs["content_digest"] = content_digest(tree)
    # One chunk per array, without a folder of its own: stores of this size are read whole, and shared file
    # systems limit the number of files and folders.
    keys = {"name": "default", "separator": "."}
    encoding = {
        node.path: {
            str(name): {"chunks": variable.shape, "chunk_key_encoding": keys}
            for name, variable in node.to_dataset().variables.items()
            if variable.shape
        }
        for node in tree.subtree
    }
    with files.replacing(path) as partial, warnings.catch_warnings():
        # Readers of Zarr 3 agree on consolidated metadata; only the specification does not yet contain it.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        # By default, chunks equal to the fill value are not written and are indistinguishable from missing ones.
        with zarr.config.set({"array.write_empty_chunks": True}), zarr_writes.ended():
            tree.to_zarr(
                partial,
                zarr_format=3,
                consolidated=True,
                encoding=encoding,
                write_inherited_coords=True,
            )


def read(path: str | Path, kind: Kind, group: str = "/") -> xr.Dataset:
    """Read a store into memory, checked against its kind and its content digest.

    Parameters
    ----------
    path
        The store.
    kind
        What it must be.
    group
        Zarr group wanted; the root by default.

    Returns
    -------
    xr.Dataset
        The dataset of that group.

    Raises
    ------
    UserError
        If the store is missing, damaged or of another kind. The message says which and how to rebuild it.
    """
    path = Path(path)
    name = shlex.quote(str(path))
    build = f"uv run snakemake --cores all {name}"
    if not path.exists():
        raise UserError(f"the store {path} does not exist; build it, with the options of your run, by: {build}")
    try:
        return _read(path, kind, group)
    except _StoreError as problem:
        raise UserError(
            f"the store {path} is {problem}; rebuild it, with the options of your run, by: rm -rf {name} && {build}"
        ) from problem.__cause__


def _read(path: Path, kind: Kind, group: str) -> xr.Dataset:
    try:
        with xr.open_datatree(path, engine="zarr") as opened:
            tree = opened.load()
    # A damaged store can raise any exception inside xarray and zarr.
    except Exception as error:
        cause = f"{type(error).__name__} {error}".splitlines()[0]
        raise _StoreError(f"damaged ({cause})") from error
    try:
        _check_schema(tree.to_dataset(), kind)
    except _SchemaError as problem:
        raise _StoreError(f"not usable: {problem}") from None
    if tree.attrs.get("content_digest") != content_digest(tree):
        raise _StoreError("damaged: its content differs from what was written")
    try:
        return tree[group].to_dataset()
    except KeyError:
        raise _StoreError(f"not usable: group {group} is missing") from None
