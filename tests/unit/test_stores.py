"""Stores: what is written is read back, and damage is found and explained."""

import json
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from safe_pit_cm.data import provenance, stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.simulation import integration, microstructure, reversal

PROVENANCE = provenance.record("0123456789abcdef", {"size": 8})


def initial_condition() -> xr.Dataset:
    dataset = microstructure.initial_condition(
        seed=1, parent="007", size=8, spacing=0.5, grains_min=3, grains_max=5, interface_width=0.5, roughness=0.3
    )
    return dataset.assign_attrs(PROVENANCE)


def video(initial: xr.Dataset | None = None) -> xr.Dataset:
    dataset = integration.simulate(
        initial_condition() if initial is None else initial,
        magnitude_min=0.1,
        magnitude_max=0.7,
        step=0.005,
        steps=40,
        save_interval=10,
        largest_step_reduction=1,
    )
    return dataset.assign_attrs(PROVENANCE)


def fit(alpha: float = 0.41) -> xr.Dataset:
    return xr.Dataset(
        {
            "alpha": ("step", np.linspace(0.69, alpha, 4), {"units": "1", "long_name": "transport coefficient α"}),
            "loss": ("step", np.array([4.0, 2.0, 1.0, 0.5]), {"units": "1", "long_name": "SAFE loss"}),
            "residual": ("time", np.array([0.1, 0.2], dtype=np.float32), {"units": "1", "long_name": "residual"}),
        },
        coords={
            "step": ("step", np.arange(4), {"units": "1", "long_name": "Adam steps taken"}),
            "time": ("time", np.array([0.25, 0.5]), {"units": "1", "long_name": "time"}),
        },
        attrs={
            "parent": "007",
            "process": "mobility",
            "propagation": "signed",
            "transport_coefficient": 0.4,
            "diffusivity": 0.4,
            "alpha": alpha,
            "ending": "converged",
            **PROVENANCE,
        },
    )


def ablated(*axes: str) -> xr.Dataset:
    names = ("alpha", "alpha_minimum", "alpha_first_order", "loss", "loss_minimum", "ending", "ending_minimum")
    shape = tuple(range(2, 2 + len(axes)))
    values = np.linspace(0.1, 0.7, int(np.prod(shape))).reshape(shape)
    values[0, 0] = np.nan
    about = {"units": "1", "long_name": "what was varied"}
    coordinates = {axis: (axis, np.arange(size, dtype=np.int8), about) for axis, size in zip(axes, shape, strict=True)}
    attrs = {
        "parent": "007",
        "process": "mobility",
        "transport_coefficient": 0.4,
        "diffusivity": 0.4,
        **PROVENANCE,
    }
    return xr.Dataset(dict.fromkeys(names, (axes, values, about)), coords=coordinates, attrs=attrs)


MAKERS: dict[stores.Kind, Callable[[], xr.Dataset]] = {
    "initial_condition": initial_condition,
    "video": video,
    "fit": fit,
    "substeps": lambda: ablated("substeps", "propagation"),
    "frame_step": lambda: ablated("frame_step", "substepping", "propagation"),
}
KINDS = list(MAKERS)


def tree_of(path: Path) -> dict[str, bytes]:
    """Every file of a store and its bytes."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def without_the_stores_own(attrs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if name not in {"kind", "content_digest"}}


def same(first: xr.Dataset, second: xr.Dataset) -> bool:
    """Whether two datasets are identical, apart from what a store adds to the attributes."""
    return first.assign_attrs(kind="", content_digest="").identical(second.assign_attrs(kind="", content_digest=""))


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_comes_back_as_it_was_written(tmp_path: Path, kind: stores.Kind) -> None:
    dataset = MAKERS[kind]()
    stores.write(dataset, tmp_path / "made" / "007.zarr", kind)
    back = stores.read(tmp_path / "made" / "007.zarr", kind)
    xr.testing.assert_equal(back, dataset)
    assert without_the_stores_own(back.attrs) == dataset.attrs
    for name, variable in dataset.variables.items():
        assert back[name].dtype == variable.dtype
        assert back[name].attrs == variable.attrs


def test_writing_leaves_the_dataset_as_it_was(tmp_path: Path) -> None:
    dataset = fit()
    before = dataset.copy(deep=True)
    stores.write(dataset, tmp_path / "007.zarr", "fit")
    xr.testing.assert_identical(dataset, before)


def test_what_was_read_can_be_processed_and_written_as_another_store(tmp_path: Path) -> None:
    # As the rules do: an initial condition becomes a video, and a video its reversal.
    stores.write(initial_condition(), tmp_path / "initial.zarr", "initial_condition")
    read = stores.read(tmp_path / "initial.zarr", "initial_condition")
    stores.write(video(read), tmp_path / "video.zarr", "video")
    diffusion = stores.read(tmp_path / "video.zarr", "video")
    assert same(diffusion, video())
    stores.write(reversal.reverse_time(diffusion), tmp_path / "mobility.zarr", "video")
    mobility = stores.read(tmp_path / "mobility.zarr", "video")
    np.testing.assert_array_equal(mobility["field"], diffusion["field"][::-1])
    assert mobility.attrs["process"] == "mobility"
    assert mobility.attrs["content_digest"] != diffusion.attrs["content_digest"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_reader_opens_a_store_without_a_warning_and_sees_what_it_is(tmp_path: Path, kind: stores.Kind) -> None:
    dataset = MAKERS[kind]()
    stores.write(dataset, tmp_path / "007.zarr", kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(tmp_path / "007.zarr", chunks=None)
    assert opened.attrs["kind"] == kind
    assert without_the_stores_own(opened.attrs) == dataset.attrs
    for name, variable in dataset.variables.items():
        assert opened[name].attrs["units"] == variable.attrs["units"] == "1"
        assert opened[name].attrs["long_name"] == variable.attrs["long_name"]
    xr.testing.assert_equal(opened.load(), dataset)


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_are_consolidated(tmp_path: Path, kind: stores.Kind) -> None:
    dataset = MAKERS[kind]()
    stores.write(dataset, tmp_path / "007.zarr", kind)
    metadata = json.loads((tmp_path / "007.zarr" / "zarr.json").read_text())
    assert set(metadata["consolidated_metadata"]["metadata"]) == set(dataset.variables)


def test_a_further_group_is_read_by_its_name(tmp_path: Path) -> None:
    signed, stable = fit(0.41), fit(0.4001).assign_attrs(propagation="stable")
    stores.write(signed, tmp_path / "007.zarr", "fit", groups={"stable": stable})
    assert same(stores.read(tmp_path / "007.zarr", "fit"), signed)
    assert same(stores.read(tmp_path / "007.zarr", "fit", group="stable"), stable)
    opened = xr.open_zarr(tmp_path / "007.zarr", group="stable", chunks=None)
    assert opened.attrs["alpha"] == 0.4001
    assert opened["loss"].attrs["units"] == "1"


def test_a_group_that_the_store_lacks_is_an_error_that_names_the_store(tmp_path: Path) -> None:
    stores.write(fit(), tmp_path / "007.zarr", "fit")
    with pytest.raises(UserError, match="group stable") as caught:
        stores.read(tmp_path / "007.zarr", "fit", group="stable")
    assert_tells_how_to_rebuild(caught.value, tmp_path / "007.zarr")


@pytest.mark.parametrize("kind", KINDS)
def test_two_writes_give_the_same_bytes(tmp_path: Path, kind: stores.Kind) -> None:
    groups = {"stable": fit(0.4001), "another": fit(0.3)} if kind == "fit" else None
    trees = []
    for name in ("first.zarr", "second.zarr", "third.zarr"):
        stores.write(MAKERS[kind](), tmp_path / name, kind, groups=groups)
        trees.append(tree_of(tmp_path / name))
    assert len(trees[0]) > 4
    assert trees[0] == trees[1] == trees[2]


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    program = "import sys, test_stores as t; t.stores.write(t.fit(), sys.argv[1], 'fit', groups={'stable': t.fit(0.4)})"
    # Another order of every set, too.
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", program, tmp_path / "there"], env=environment, check=True)
    stores.write(fit(), tmp_path / "here", "fit", groups={"stable": fit(0.4)})
    assert len(tree_of(tmp_path / "here")) > 4
    assert tree_of(tmp_path / "there") == tree_of(tmp_path / "here")


def test_a_store_replaces_the_one_before_it_with_all_its_groups(tmp_path: Path) -> None:
    stores.write(fit(), tmp_path / "007.zarr", "fit", groups={"stable": fit()})
    stores.write(fit(0.3), tmp_path / "007.zarr", "fit")
    stores.write(fit(0.3), tmp_path / "fresh.zarr", "fit")
    assert tree_of(tmp_path / "007.zarr") == tree_of(tmp_path / "fresh.zarr")


def test_a_write_that_fails_leaves_the_store_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores.write(fit(), tmp_path / "007.zarr", "fit")
    before = tree_of(tmp_path)

    def run_out_of_space(tree: xr.DataTree, store: Path, **_: Any) -> None:
        store.mkdir()
        (store / "zarr.json").write_text("{", encoding="utf-8")
        raise OSError(28, "No space left on device", str(store))

    monkeypatch.setattr(xr.DataTree, "to_zarr", run_out_of_space)
    with pytest.raises(OSError, match="No space left"):
        stores.write(fit(0.3), tmp_path / "007.zarr", "fit")
    assert tree_of(tmp_path) == before


def test_what_zarr_still_writes_when_one_file_fails_is_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = zarr.storage._local._put

    def put_on_a_full_disk(path: Path, value: Any, exclusive: bool = False) -> int:
        if path.parent.name == "alpha":
            raise OSError(28, "No space left on device", str(path))
        # Together with the metadata of an array, Zarr writes those of its parents, unless they exist.
        if exclusive:
            time.sleep(0.2)
        return put(path, value, exclusive)

    monkeypatch.setattr(zarr.storage._local, "_put", put_on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        stores.write(fit(), tmp_path / "007.zarr", "fit")
    time.sleep(0.5)
    assert tree_of(tmp_path) == {}


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_field_of_fill_values_is_written_like_any_other(tmp_path: Path, value: float) -> None:
    # Zarr drops chunks that hold fill values alone, unless told otherwise: they could not be told from lost ones.
    full = video()
    empty = full.assign(field=full["field"].copy(data=np.full(full["field"].shape, value, dtype=np.float32)))
    stores.write(full, tmp_path / "full.zarr", "video")
    stores.write(empty, tmp_path / "empty.zarr", "video")
    assert set(tree_of(tmp_path / "empty.zarr")) == set(tree_of(tmp_path / "full.zarr"))
    xr.testing.assert_equal(stores.read(tmp_path / "empty.zarr", "video"), empty)


def test_an_array_is_one_chunk(tmp_path: Path) -> None:
    stores.write(video(), tmp_path / "007.zarr", "video")
    chunks = sorted(name for name in tree_of(tmp_path / "007.zarr") if not name.endswith("zarr.json"))
    assert chunks == ["field/c.0.0.0", "time/c.0", "x/c.0", "y/c.0"]


def test_files_that_are_not_zarrs_do_not_disturb(tmp_path: Path) -> None:
    stores.write(fit(), tmp_path / "007.zarr", "fit", groups={"stable": fit(0.3)})
    # Snakemake leaves this in every directory that is an output.
    (tmp_path / "007.zarr" / ".snakemake_timestamp").touch()
    assert same(stores.read(tmp_path / "007.zarr", "fit"), fit())
    assert same(stores.read(tmp_path / "007.zarr", "fit", group="stable"), fit(0.3))
    assert xr.open_zarr(tmp_path / "007.zarr", chunks=None).attrs["alpha"] == 0.41


def assert_tells_how_to_rebuild(error: UserError, path: Path) -> None:
    sentence = str(error)
    assert "\n" not in sentence
    assert f"the store {path} is " in sentence
    assert sentence.endswith(
        f"; rebuild it, with the options of your run, by: rm -rf {path} && uv run snakemake --cores all {path}"
    )


def lose_a_chunk(store: Path) -> None:
    (store / "field/c.0.0.0").unlink()


def lose_a_coordinate(store: Path) -> None:
    (store / "time" / "c.0").unlink()


def flip_a_byte(store: Path) -> None:
    chunk = store / "field/c.0.0.0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)


def truncate_a_chunk(store: Path) -> None:
    chunk = store / "field/c.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-10])


def swap_frames(store: Path) -> None:
    """A valid store of another content, digest and all else as before."""
    dataset = xr.open_zarr(store, chunks=None).load()
    dataset["field"] = dataset["field"].copy(data=dataset["field"].to_numpy()[::-1])
    shutil.rmtree(store)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        dataset.to_zarr(store, zarr_format=3, consolidated=True)


def edit_metadata(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    metadata = json.loads((store / "zarr.json").read_text())
    change(metadata)
    (store / "zarr.json").write_text(json.dumps(metadata))


def edit_an_attribute(store: Path) -> None:
    edit_metadata(store, lambda metadata: metadata["attributes"].update(transport_coefficient=-0.5))


def add_an_attribute(store: Path) -> None:
    edit_metadata(store, lambda metadata: metadata["attributes"].update(note="by hand"))


def lose_an_attribute(store: Path) -> None:
    edit_metadata(store, lambda metadata: metadata["attributes"].pop("seed"))


def lose_the_digest(store: Path) -> None:
    edit_metadata(store, lambda metadata: metadata["attributes"].pop("content_digest"))


def edit_a_unit(store: Path) -> None:
    edit_metadata(
        store,
        lambda metadata: metadata["consolidated_metadata"]["metadata"]["time"]["attributes"].update(units="hours"),
    )


def truncate_the_metadata(store: Path) -> None:
    metadata = store / "zarr.json"
    metadata.write_bytes(metadata.read_bytes()[: metadata.stat().st_size // 2])


def lose_the_metadata(store: Path) -> None:
    (store / "zarr.json").unlink()


def empty_the_metadata(store: Path) -> None:
    (store / "zarr.json").write_bytes(b"")


def put_a_file_in_its_place(store: Path) -> None:
    shutil.rmtree(store)
    store.write_text("not a store", encoding="utf-8")


def empty_the_store(store: Path) -> None:
    shutil.rmtree(store)
    store.mkdir()


DAMAGES = [
    lose_a_chunk,
    lose_a_coordinate,
    flip_a_byte,
    truncate_a_chunk,
    swap_frames,
    edit_an_attribute,
    add_an_attribute,
    lose_an_attribute,
    lose_the_digest,
    edit_a_unit,
    truncate_the_metadata,
    empty_the_metadata,
    lose_the_metadata,
    put_a_file_in_its_place,
    empty_the_store,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_store_is_named_with_the_command_that_rebuilds_it(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "007.zarr"
    stores.write(video(), path, "video")
    damage(path)
    # As in a job, where a warning does not stop the reader.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserError) as caught:
            stores.read(path, "video")
    assert_tells_how_to_rebuild(caught.value, path)


def test_damage_in_a_further_group_is_found_whichever_group_is_read(tmp_path: Path) -> None:
    path = tmp_path / "007.zarr"
    stores.write(fit(), path, "fit", groups={"stable": fit(0.3)})
    (path / "stable/loss/c.0").unlink()
    for group in ("/", "stable"):
        with pytest.raises(UserError) as caught:
            stores.read(path, "fit", group=group)
        assert_tells_how_to_rebuild(caught.value, path)


def test_no_flipped_bit_changes_what_is_read_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "007.zarr"
    stores.write(video(), path, "video")
    random = np.random.default_rng(0)
    noticed = 0
    for file in sorted(path.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        for position in random.integers(0, len(content), 12):
            changed = bytearray(content)
            changed[position] ^= 1 << int(random.integers(0, 8))
            file.write_bytes(changed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    # A bit that no reader looks at, such as one of an array's own copy of its metadata.
                    assert same(stores.read(path, "video"), video()), (file, position)
                except UserError:
                    noticed += 1
        file.write_bytes(content)
    assert noticed > 30
    assert same(stores.read(path, "video"), video())


def test_a_missing_store_is_named_with_the_command_that_builds_it(tmp_path: Path) -> None:
    path = tmp_path / "007.zarr"
    with pytest.raises(UserError) as caught:
        stores.read(path, "video")
    by = "build it, with the options of your run, by"
    assert str(caught.value) == f"the store {path} does not exist; {by}: uv run snakemake --cores all {path}"


def test_the_command_can_be_pasted_whatever_the_path_is(tmp_path: Path) -> None:
    path = tmp_path / "of me; and you" / "007.zarr"
    stores.write(fit(), path, "fit")
    lose_the_digest(path)
    with pytest.raises(UserError) as caught:
        stores.read(path, "fit")
    assert f"rm -rf '{path}' && uv run snakemake --cores all '{path}'" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_of_another_kind_is_refused(tmp_path: Path, kind: stores.Kind) -> None:
    path = tmp_path / "007.zarr"
    stores.write(MAKERS[kind](), path, kind)
    assert stores.read(path, kind).attrs["kind"] == kind
    for wanted in set(KINDS) - {kind}:
        with pytest.raises(UserError, match=f"it is not a store of kind {wanted}") as caught:
            stores.read(path, wanted)
        assert_tells_how_to_rebuild(caught.value, path)


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        ("initial_condition", lambda d: d.rename(field="phi"), "variable field is missing"),
        ("video", lambda d: d.drop_vars("field"), "variable field is missing"),
        ("fit", lambda d: d.drop_vars("loss"), "variable loss is missing"),
        ("fit", lambda d: d.set_coords("residual"), "variable residual is missing"),
        ("video", lambda d: d.transpose("x", "y", "time"), "variable field has axes"),
        ("video", lambda d: d.isel(time=0), "variable field has axes"),
        ("initial_condition", lambda d: d.expand_dims("time"), "variable field has axes"),
        ("fit", lambda d: d.rename(step="epoch"), "variable alpha has axes"),
    ],
)
def test_variables_and_axes_that_a_kind_does_not_have_are_not_written(
    tmp_path: Path, kind: stores.Kind, change: Callable[[xr.Dataset], xr.Dataset], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        stores.write(change(MAKERS[kind]()), tmp_path / "007.zarr", kind)
    assert str(tmp_path / "007.zarr") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


EVERY = "package_version source_revision config_digest"
SIMULATED = "parent seed n_grains grid_spacing boundary"
REQUIRED: dict[stores.Kind, str] = {
    "initial_condition": f"{SIMULATED} {EVERY}",
    "video": f"{SIMULATED} process transport_coefficient diffusivity time_step save_interval {EVERY}",
    "fit": f"parent process transport_coefficient diffusivity propagation alpha {EVERY}",
    "substeps": f"parent process transport_coefficient diffusivity {EVERY}",
    "frame_step": f"parent process transport_coefficient diffusivity {EVERY}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_without_an_attribute_of_its_kind_is_not_written(tmp_path: Path, kind: stores.Kind) -> None:
    dataset = MAKERS[kind]()
    told = {}
    for attribute in REQUIRED[kind].split():
        lacking = dataset.copy()
        del lacking.attrs[attribute]
        try:
            stores.write(lacking, tmp_path / "007.zarr", kind)
        except ValueError as error:
            told[attribute] = str(error).rpartition(": ")[2]
    assert told == {attribute: f"attribute {attribute} is missing" for attribute in REQUIRED[kind].split()}
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_refused_leaves_the_store_before_it(tmp_path: Path) -> None:
    stores.write(fit(), tmp_path / "007.zarr", "fit")
    before = tree_of(tmp_path)
    with pytest.raises(ValueError, match="cannot write"):
        stores.write(fit().drop_vars("loss"), tmp_path / "007.zarr", "fit")
    assert tree_of(tmp_path) == before


def digest(dataset: xr.Dataset) -> str:
    return stores.content_digest(xr.DataTree(dataset))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign_attrs(alpha=0.4100000000000001),
        lambda d: d.assign_attrs(note=""),
        lambda d: d.assign(loss=("step", np.nextafter(d["loss"].to_numpy(), 9.0), d["loss"].attrs)),
        lambda d: d.assign(loss=("step", d["loss"].to_numpy()[::-1], d["loss"].attrs)),
        lambda d: d.assign(loss=("step", d["loss"].to_numpy().astype(np.float32), d["loss"].attrs)),
        lambda d: d.assign(loss=("step", d["loss"].to_numpy(), {"units": "m"})),
        lambda d: d.rename(loss="losses"),
        lambda d: d.rename(step="epoch"),
        lambda d: d.drop_vars("step"),
    ],
)
def test_the_content_digest_changes_with_every_part_of_the_content(
    change: Callable[[xr.Dataset], xr.Dataset],
) -> None:
    assert digest(change(fit())) != digest(fit())


def test_the_content_digest_is_not_about_order_or_layout_or_itself() -> None:
    dataset = fit()
    reordered = xr.Dataset(
        {name: dataset[name] for name in reversed(list(dataset.data_vars))},
        attrs=dict(reversed(list(dataset.attrs.items()))),
    )
    assert digest(reordered) == digest(dataset)
    assert digest(dataset.assign_attrs(content_digest="abc")) == digest(dataset)
    strided = dataset.assign(loss=("step", dataset["loss"].to_numpy().repeat(2)[::2], dataset["loss"].attrs))
    assert digest(strided) == digest(dataset)


def test_the_content_digest_covers_every_group_and_its_name() -> None:
    digests = {
        stores.content_digest(xr.DataTree.from_dict(groups))
        for groups in (
            {"/": fit()},
            {"/": fit(), "stable": fit()},
            {"/": fit(), "other": fit()},
            {"/": fit(), "stable": fit(0.3)},
        )
    }
    assert len(digests) == 4


HEAVY = ("torch", "matplotlib", "pandas", "numpy", "scipy", "xarray", "zarr", "snakemake", "docutils")


def imported(modules: str) -> set[str]:
    """Heavy libraries that a fresh process has loaded after importing modules of the package."""
    program = f"import sys, {modules}; print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(finished.stdout.split())
    assert set(modules.split(", ")) <= loaded
    return loaded & set(HEAVY)


def test_what_makes_and_stores_data_does_not_import_torch_or_matplotlib() -> None:
    names = (
        "data.stores",
        "data.provenance",
        "simulation.microstructure",
        "simulation.integration",
        "simulation.reversal",
        "simulation.splits",
    )
    loaded = imported(", ".join(f"safe_pit_cm.{name}" for name in names))
    # The list is of names that Python knows these libraries by.
    assert {"numpy", "xarray", "zarr"} <= loaded
    assert loaded.isdisjoint({"torch", "matplotlib", "snakemake", "docutils"})


def test_what_the_workflow_imports_at_every_parse_is_light() -> None:
    names = ("data.provenance", "config", "simulation.splits", "equations.processes", "errors")
    assert imported(", ".join(["safe_pit_cm", *(f"safe_pit_cm.{name}" for name in names)])) == set()
