"""OME-Zarr is written by the specification, as an independent reader confirms, and read with axes, scales and units."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models import open_ome_zarr

from safe_pit_cm import cli
from safe_pit_cm.errors import UserError
from safe_pit_cm.video.ome_zarr import write_ome_zarr
from safe_pit_cm.video.reading import read

VERSIONS: tuple[Literal["0.4", "0.5"], ...] = ("0.4", "0.5")


def _film(times: Any = None) -> xr.DataArray:
    pixels = np.random.default_rng(0).integers(100, 4000, (5, 16, 24)).astype(np.uint16)
    times = np.arange(5) * 0.5 if times is None else times
    return xr.DataArray(
        pixels,
        dims=("time", "y", "x"),
        coords={
            "time": ("time", times, {"units": "min"}),
            "y": ("y", np.arange(16) * 700.0, {"units": "nm"}),
            "x": ("x", np.arange(24) * 0.65, {"units": "µm"}),
        },
        name="film",
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_an_independent_reader_finds_what_was_written(version: Literal["0.4", "0.5"], tmp_path: Path) -> None:
    write_ome_zarr(_film(), tmp_path / "film.ome.zarr", version=version, attributes={"sample": 7})
    group = zarr.open_group(tmp_path / "film.ome.zarr", mode="r")
    image: Any = open_ome_zarr(group)
    assert type(image).__name__ == "Image"
    assert f"v{version.replace('.', '')}" in type(image).__module__
    (scales,) = image.ome_attributes.multiscales if version == "0.5" else image.attributes.multiscales
    assert [(axis.name, axis.type, axis.unit) for axis in scales.axes] == [
        ("t", "time", "minute"),
        ("y", "space", "nanometer"),
        ("x", "space", "micrometer"),
    ]
    assert scales.datasets[0].coordinateTransformations[0].scale == pytest.approx([0.5, 700.0, 0.65])
    assert group.attrs["safe_pit_cm"] == {"sample": 7}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_written_is_read_in_micrometres_and_seconds(version: Literal["0.4", "0.5"], tmp_path: Path) -> None:
    write_ome_zarr(_film(), tmp_path / "film.ome.zarr", version=version)
    video = read(tmp_path / "film.ome.zarr")
    np.testing.assert_array_equal(video, _film())
    np.testing.assert_allclose(video["time"], np.arange(5) * 30.0)
    np.testing.assert_allclose(video["y"], np.arange(16) * 0.7)
    np.testing.assert_allclose(video["x"], np.arange(24) * 0.65)
    assert [video[axis].attrs["units"] for axis in video.dims] == ["s", "µm", "µm"]


def test_an_image_of_a_microscope_is_read_at_its_finest_resolution(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(100, 4000, (5, 2, 3, 16, 24)).astype(np.uint16)
    group = zarr.open_group(tmp_path / "film.zarr", mode="w", zarr_format=2)
    group.create_array("fine", data=pixels)
    group.create_array("coarse", data=pixels[..., ::2, ::2])
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 1.0, step, step]}]}
        for path, step in (("fine", 0.65), ("coarse", 1.3))
    ]
    everywhere = [{"type": "scale", "scale": [250.0, 1.0, 1.0, 1.0, 1.0]}]
    image: Any = {"version": "0.4", "axes": axes, "datasets": datasets, "coordinateTransformations": everywhere}
    labels: Any = [{"label": "GFP"}, {"label": "DAPI"}]
    group.attrs.update({"multiscales": [image], "omero": {"channels": labels}})
    video = read(tmp_path / "film.zarr", channel=1, z=2)
    np.testing.assert_array_equal(video, pixels[:, 1, 2])
    np.testing.assert_allclose(video["time"], np.arange(5) * 0.25)
    np.testing.assert_allclose(np.diff(video["x"]), 0.65)
    with pytest.raises(UserError, match=r"has 2 channels \(GFP, DAPI\)"):
        read(tmp_path / "film.zarr", z=0)


def test_a_scale_of_one_without_a_unit_is_none(tmp_path: Path) -> None:
    film = _film(np.arange(5.0))
    for axis in film.coords.values():
        axis.attrs["units"] = "1"
    write_ome_zarr(film, tmp_path / "film.ome.zarr")
    with pytest.raises(UserError, match="does not say the time between frames"):
        read(tmp_path / "film.ome.zarr")


def test_uneven_times_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no place for an uneven time axis"):
        write_ome_zarr(_film(np.arange(5.0) ** 2), tmp_path / "film.ome.zarr")
    assert not (tmp_path / "film.ome.zarr").exists()


def test_the_command_simulates_into_ome_zarr(tmp_path: Path) -> None:
    path = tmp_path / "film.ome.zarr"
    options = ["--size", "16", "--frames", "4", "--dx", "0.65", "--dt", "0.5", "--quiet"]
    assert cli.main(["simulate", str(path), *options]) == 0
    group = zarr.open_group(path, mode="r")
    assert type(open_ome_zarr(group)).__name__ == "Image"
    facts: Any = group.attrs["safe_pit_cm"]
    assert facts["transport_coefficient"] == -0.4
    np.testing.assert_allclose(np.diff(read(path)["time"]), 0.5)
