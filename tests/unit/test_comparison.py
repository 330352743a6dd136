"""The comparison of two folders of results says what differs, and nothing where nothing does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imsave
from safetensors.numpy import save_file

from safe_pit_cm.data import comparison

# The format's text does not have consolidated metadata yet.
pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")


def store(path: Path, value: float = 1.0, code: str = "a", **facts: object) -> None:
    attributes = {"source_revision": code, "parent": "007", **facts}
    xr.Dataset({"field": ("x", np.array([value, 2.0]))}, attrs=attributes).to_zarr(path, mode="w")


def weights(path: Path, value: float = 1.0, code: str = "a") -> None:
    facts = {"model": json.dumps({"source_revision": code, "blocks": 3})}
    save_file({"layer": np.array([value, 2.0])}, path, metadata=facts)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    store(before / "fit.zarr")
    (before / "table.csv").write_text("parent,alpha,digest\n007,0.25,aa\n008,0.5,bb\n", encoding="utf-8")
    (before / "page.html").write_text("<p>", encoding="utf-8")
    imsave(before / "figure.png", np.zeros((4, 4)))
    weights(before / "model.safetensors")
    shutil.copytree(before, after)
    return before, after


def test_equal_folders_agree(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert comparison.main([str(folder) for folder in folders]) == 0
    assert capsys.readouterr().out == "5 results compared, 0 differ\n"


def test_other_code_is_no_difference(folders: tuple[Path, Path]) -> None:
    store(folders[1] / "fit.zarr", code="b")
    weights(folders[1] / "model.safetensors", code="b")
    table = folders[1] / "table.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("aa", "cc"), encoding="utf-8")
    assert comparison.compare(*folders) == (5, [])


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "value": (lambda folder: store(folder / "fit.zarr", 1.5), "fit.zarr: variable field differs in its values"),
    "last-bit": (lambda folder: store(folder / "fit.zarr", np.nextafter(1.0, 2.0)), "field differs in its values"),
    "attribute": (lambda folder: store(folder / "fit.zarr", more="x"), "attribute more is None and 'x'"),
    "number": (
        lambda folder: (folder / "table.csv").write_text("parent,alpha,digest\n007,0.25,aa\n008,0.75,bb\n"),
        "table.csv: column alpha differs in 1 rows: 0.5 and 0.75",
    ),
    "row": (lambda folder: (folder / "table.csv").write_text("parent,alpha,digest\n007,0.25,aa\n"), "columns or rows"),
    "text": (lambda folder: (folder / "page.html").write_text("<b>"), "page.html: the bytes differ"),
    "pixel": (lambda folder: imsave(folder / "figure.png", np.eye(4)), "figure.png: the pixels differ"),
    "weight": (lambda folder: weights(folder / "model.safetensors", 1.5), "tensor layer differs"),
    "missing": (lambda folder: (folder / "page.html").unlink(), "page.html: only in"),
}


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_said(
    folders: tuple[Path, Path], change: Callable[[Path], object], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folders[1])
    assert comparison.main([str(folder) for folder in folders]) == 1
    said = capsys.readouterr().out
    assert sentence in said
    assert said.endswith(", 1 differ\n")


def test_what_is_to_be_passed_over_is(folders: tuple[Path, Path]) -> None:
    store(folders[1] / "fit.zarr", more="x")
    (folders[1] / "page.html").write_text("<b>", encoding="utf-8")
    assert comparison.compare(*folders, ignored=["more"], excluded=["*.html"]) == (4, [])


def test_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert comparison.main([str(tmp_path), str(tmp_path / "none")]) == 2
    assert (
        capsys.readouterr().err
        == f"error: the folder {tmp_path / 'none'} does not exist; give two folders of results\n"
    )
