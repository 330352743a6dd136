"""A video comes out of every format as it went in, with the axes, positions and units that the file knows."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr
from numpy.typing import NDArray
from PIL import Image

from films import bright, write_movie
from safe_pit_cm.errors import UserError
from safe_pit_cm.video import reading
from safe_pit_cm.video.ome_zarr import write_ome_zarr
from safe_pit_cm.video.reading import read
from safe_pit_cm.video.selection import Selection

FRAMES, ROWS, COLUMNS = 12, 16, 24
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(20000, 40000, (FRAMES, ROWS, COLUMNS)).astype(np.uint16)


def _dataset(pixels: Pixels) -> xr.Dataset:
    return xr.Dataset(
        {"brightness": (("time", "y", "x"), pixels), "exposure": ("time", np.ones(len(pixels)))},
        coords={
            "time": ("time", np.arange(len(pixels)) * 0.5, {"units": "s"}),
            "y": ("y", np.arange(ROWS) * 0.65, {"units": "um"}),
            "x": ("x", np.arange(COLUMNS) * 0.65, {"units": "um"}),
        },
    )


def _ome(path: Path, pixels: Pixels, **options: Any) -> None:
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.65, "PhysicalSizeY": 0.7, "TimeIncrement": 0.5}
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=metadata, **options)


def _pages(path: Path, pixels: Pixels) -> None:
    with tifffile.TiffWriter(path) as writer:
        for frame in pixels:
            writer.write(frame, contiguous=False, photometric="minisblack", compression="zlib")


def _pngs(path: Path, pixels: Pixels) -> None:
    path.mkdir()
    for index, frame in enumerate(pixels):
        Image.fromarray(frame).save(path / f"frame_{index}.png")


def _h5(path: Path, pixels: Pixels) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("camera/images", data=pixels, chunks=(1, ROWS, COLUMNS), compression="gzip")
        file["camera/clock"] = np.arange(len(pixels))


def _zarr_array(path: Path, pixels: Pixels) -> None:
    zarr.create_array(path, shape=pixels.shape, dtype=pixels.dtype)[:] = pixels


def _zarr_group(path: Path, pixels: Pixels) -> None:
    zarr.open_group(path, mode="w").create_array("images", shape=pixels.shape, dtype=pixels.dtype)[:] = pixels


def _zarr_dataset(path: Path, pixels: Pixels) -> None:
    _dataset(pixels).to_zarr(path, consolidated=False)


WRITERS: dict[str, Callable[[Path, Pixels], object]] = {
    "plain.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric="minisblack"),
    "ome.ome.tif": _ome,
    "compressed.ome.tiff": lambda path, pixels: _ome(path, pixels, compression="zlib"),
    "pages.tif": _pages,
    "imagej.tif": lambda path, pixels: tifffile.imwrite(
        path, pixels, imagej=True, metadata={"axes": "TYX", "finterval": 0.5}
    ),
    "zstack.tif": lambda path, pixels: tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZYX"}),
    "bigtiff.tif": lambda path, pixels: tifffile.imwrite(path, pixels, bigtiff=True, photometric="minisblack"),
    "array.npy": lambda path, pixels: np.save(path, pixels),
    "archive.npz": lambda path, pixels: np.savez_compressed(path, images=pixels, clock=np.arange(3)),
    "netcdf4.nc": lambda path, pixels: _dataset(pixels).to_netcdf(path, engine="h5netcdf"),
    "netcdf3.nc": lambda path, pixels: _dataset(pixels.astype(np.float64)).to_netcdf(path, engine="scipy"),
    "data.h5": _h5,
    "array.zarr": _zarr_array,
    "group.zarr": _zarr_group,
    "dataset.zarr": _zarr_dataset,
    "images": _pngs,
    "lzw.tif": lambda path, pixels: tifffile.imwrite(path, pixels, photometric="minisblack", compression="lzw"),
    "image.ome.zarr": lambda path, pixels: write_ome_zarr(_dataset(pixels)["brightness"], path),
    "image4.ome.zarr": lambda path, pixels: write_ome_zarr(_dataset(pixels)["brightness"], path, version="0.4"),
}
WITHOUT_SCALE: dict[str, Any] = {"dx": 1.0, "dt": 1.0}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_pixels_that_were_written(name: str, pixels: Pixels, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, pixels)
    video = read(path, **WITHOUT_SCALE)
    assert video.dims == ("time", "y", "x")
    np.testing.assert_array_equal(video, pixels)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_part_that_was_asked_for(name: str, pixels: Pixels, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, pixels)
    video = read(path, dx=(2.0, 3.0), dt=0.5, selection=Selection(frames=(1, 10, 2), roi=(3, 15, 4, 20)))
    np.testing.assert_array_equal(video, pixels[1:10:2, 3:15, 4:20])
    np.testing.assert_allclose(video["time"], [0.5, 1.5, 2.5, 3.5, 4.5])
    np.testing.assert_allclose(video["y"][[0, -1]], [6.0, 28.0])
    np.testing.assert_allclose(video["x"][[0, -1]], [12.0, 57.0])


@pytest.mark.parametrize("name", ["ome.ome.tif", "compressed.ome.tiff"])
def test_ome_metadata_give_pixel_size_interval_and_units(name: str, pixels: Pixels, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, pixels)
    video = read(tmp_path / name)
    np.testing.assert_allclose(np.diff(video["y"]), 0.7)
    np.testing.assert_allclose(np.diff(video["x"]), 0.65)
    np.testing.assert_allclose(np.diff(video["time"]), 0.5)
    assert [video[axis].attrs["units"] for axis in video.dims] == ["s", "µm", "µm"]


@pytest.mark.parametrize("name", ["netcdf4.nc", "netcdf3.nc", "dataset.zarr", "image.ome.zarr", "image4.ome.zarr"])
def test_named_coordinates_give_pixel_size_interval_and_units(name: str, pixels: Pixels, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, pixels)
    video = read(tmp_path / name)
    np.testing.assert_allclose(np.diff(video["y"]), 0.65)
    np.testing.assert_allclose(np.diff(video["time"]), 0.5)
    assert video["x"].attrs["units"] == "µm"


def test_uneven_frame_times_are_kept(pixels: Pixels, tmp_path: Path) -> None:
    times = np.cumsum(np.linspace(0.1, 1.0, FRAMES))
    _dataset(pixels).assign_coords(time=times).to_netcdf(tmp_path / "video.nc", engine="h5netcdf")
    np.testing.assert_allclose(read(tmp_path / "video.nc")["time"], times)


def test_the_options_win_over_the_file(pixels: Pixels, tmp_path: Path) -> None:
    _ome(tmp_path / "video.tif", pixels)
    video = read(tmp_path / "video.tif", dx=2.0, dt=3.0, length_unit="nm", time_unit="ms")
    assert [float(video[axis][1]) for axis in video.dims] == [3.0, 2.0, 2.0]
    assert [video[axis].attrs["units"] for axis in video.dims] == ["ms", "nm", "nm"]


def test_axes_in_another_order_are_put_right(pixels: Pixels, tmp_path: Path) -> None:
    np.save(tmp_path / "video.npy", pixels.transpose(1, 2, 0))
    np.testing.assert_array_equal(read(tmp_path / "video.npy", axes="yxt", **WITHOUT_SCALE), pixels)
    turned = _dataset(pixels).transpose("x", "time", "y")
    turned.to_netcdf(tmp_path / "video.nc", engine="h5netcdf")
    np.testing.assert_array_equal(read(tmp_path / "video.nc"), pixels)


def test_images_in_a_folder_are_ordered_by_number(pixels: Pixels, tmp_path: Path) -> None:
    _pngs(tmp_path / "images", pixels)
    # frame_10 after frame_9, which the alphabet does not do; other files are not looked at.
    (tmp_path / "images" / "notes.txt").write_text("exposure 20 ms")
    np.testing.assert_array_equal(read(tmp_path / "images", **WITHOUT_SCALE), pixels)


@pytest.mark.parametrize(("name", "codec", "pixel_format"), [("a.mp4", "mpeg4", "yuv420p"), ("a.avi", "ffv1", "bgr0")])
def test_grey_movies_are_read_and_lossy_ones_doubted(name: str, codec: str, pixel_format: str, tmp_path: Path) -> None:
    write_movie(tmp_path / name, bright(), codec, pixel_format)
    video = read(tmp_path / name, dx=1.0, dt=0.5, selection=Selection(frames=(2, 8, 1)))
    assert float(np.abs(video.to_numpy().astype(float) - bright()[2:8]).mean()) < (0.01 if codec == "ffv1" else 3.0)
    np.testing.assert_allclose(video["time"], np.arange(2, 8) * 0.5)
    assert any("compressed with loss (mpeg4)" in text for text in video.attrs["warnings"]) == (codec == "mpeg4")


def test_one_channel_of_a_colour_video_can_be_chosen(tmp_path: Path) -> None:
    colour = np.stack([bright(), np.zeros_like(bright()), 255 - bright()], axis=-1)
    np.save(tmp_path / "video.npy", colour)
    np.testing.assert_array_equal(read(tmp_path / "video.npy", channel=2, **WITHOUT_SCALE), colour[..., 2])
    tifffile.imwrite(tmp_path / "video.tif", colour, photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "video.tif", channel=0, **WITHOUT_SCALE), colour[..., 0])
    with pytest.raises(UserError, match="channels 0 to 2"):
        read(tmp_path / "video.npy", channel=3, **WITHOUT_SCALE)


def test_only_the_part_asked_for_is_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 40 MB on disk, 1 MB of memory free: 8 of 1000 frames fit.
    np.save(tmp_path / "video.npy", np.random.default_rng(0).random((1000, 100, 100), dtype=np.float32))
    monkeypatch.setattr(reading, "memory_available", lambda: 1_000_000)
    assert read(tmp_path / "video.npy", selection=Selection(frames=(0, 8, 1)), **WITHOUT_SCALE).shape[0] == 8
    with pytest.raises(UserError, match=r"40\.0 MB.*1\.0 MB.*--roi"):
        read(tmp_path / "video.npy", **WITHOUT_SCALE)


def test_a_missing_library_is_named_with_its_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    tifffile.imwrite(tmp_path / "video.tif", bright(), photometric="minisblack")
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"needs the library tifffile.*pip install 'safe-pit-cm\[video\]'"):
        read(tmp_path / "video.tif", **WITHOUT_SCALE)
