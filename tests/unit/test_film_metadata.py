"""Times, pixel sizes, channels, bits and doubts come out of a file as it says them, in s and µm."""

import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from films import bright
from safe_pit_cm import cli
from safe_pit_cm.errors import UserError
from safe_pit_cm.video.reading import read
from safe_pit_cm.video.selection import Selection
from safe_pit_cm.video.still import read_image, read_mask
from safe_pit_cm.video.times import read_times, seconds_of

FRAMES, ROWS, COLUMNS = 8, 16, 24
WITHOUT_SCALE: dict[str, Any] = {"dx": 1.0, "dt": 1.0}
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(20000, 40000, (FRAMES, ROWS, COLUMNS)).astype(np.uint16)


@pytest.mark.parametrize(
    ("frames", "saturation", "warned"),
    [
        (np.where(bright() > 180, 255, bright()), 255.0, "exactly the largest value, 255: where they are saturated"),
        (np.where(bright() < 60, 0, bright()), 255.0, "exactly the smallest value, 0: where they are cut off"),
        (bright(), 255.0, None),
        (bright().astype(np.uint16) * 16, 65535.0, None),
        (np.minimum(bright().astype(np.uint16) * 23, 4095), 4095.0, "exactly the largest value, 4095"),
        (np.minimum(bright().astype(np.uint16) * 23, 4000), 65535.0, None),
        (np.minimum(bright() / 255.0, 0.6), None, "exactly the largest value, 0.6"),
        (bright() + np.random.default_rng(0).random((10, 32, 48)), None, None),
    ],
)
def test_the_level_of_saturation_is_known_and_clipped_pixels_are_mentioned(
    frames: Pixels, saturation: float | None, warned: str | None, tmp_path: Path
) -> None:
    np.save(tmp_path / "video.npy", frames)
    attributes = read(tmp_path / "video.npy", **WITHOUT_SCALE).attrs
    assert attributes.get("saturation") == saturation
    assert len(attributes["warnings"]) == (warned is not None)
    assert (warned or "") in "".join(attributes["warnings"])


def test_the_bits_that_a_file_names_give_the_saturation(pixels: Pixels, tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "SignificantBits": 14}
    tifffile.imwrite(tmp_path / "right.ome.tif", pixels // 4, ome=True, metadata=metadata)
    assert read(tmp_path / "right.ome.tif", **WITHOUT_SCALE).attrs["saturation"] == 2**14 - 1
    # Bits that the pixels exceed are no bits of this detector.
    tifffile.imwrite(tmp_path / "wrong.ome.tif", pixels, ome=True, metadata=metadata)
    assert read(tmp_path / "wrong.ome.tif", **WITHOUT_SCALE).attrs["saturation"] == 2**16 - 1


@pytest.mark.parametrize(
    ("said", "interval"), [({"tunit": "min"}, 30.0), ({"tunit": "ms"}, 0.0005), ({"tunit": "sec"}, 0.5), ({}, 0.5)]
)
def test_imagej_times_are_in_their_unit(said: dict[str, str], interval: float, pixels: Pixels, tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "finterval": 0.5, **said}
    tifffile.imwrite(tmp_path / "video.tif", pixels, imagej=True, metadata=metadata)
    video = read(tmp_path / "video.tif", dx=1.0)
    np.testing.assert_allclose(np.diff(video["time"]), interval)
    assert video["time"].attrs["units"] == "s"
    in_minutes = read(tmp_path / "video.tif", dx=1.0, time_unit="min")
    np.testing.assert_allclose(np.diff(in_minutes["time"]), interval / 60)


@pytest.mark.parametrize(
    ("unit", "size"), [("micron", 0.65), ("\\u00B5m", 0.65), ("um", 0.65), ("nm", 0.00065), ("cm", 6500.0)]
)
def test_imagej_pixel_sizes_are_read_from_the_resolution(
    unit: str, size: float, pixels: Pixels, tmp_path: Path
) -> None:
    metadata = {"axes": "TYX", "finterval": 1.0, "unit": unit}
    tifffile.imwrite(tmp_path / "video.tif", pixels, imagej=True, resolution=(1 / 0.65, 1 / 1.3), metadata=metadata)
    video = read(tmp_path / "video.tif")
    np.testing.assert_allclose(np.diff(video["x"]), size, rtol=1e-6)
    np.testing.assert_allclose(np.diff(video["y"]), 2 * size, rtol=1e-6)
    assert video["y"].attrs["units"] == video["x"].attrs["units"] == "µm"


def test_a_resolution_for_printers_is_no_pixel_size(pixels: Pixels, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "video.tif", pixels, resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(UserError, match="does not say the size of a pixel"):
        read(tmp_path / "video.tif", dt=1.0)


def test_ome_planes_have_times_of_their_own_and_axes_units_of_their_own(pixels: Pixels, tmp_path: Path) -> None:
    times = np.cumsum(np.linspace(100.0, 900.0, FRAMES))
    delays = [float(time + delay) for time in times for delay in (0.0, 7.0)]
    metadata = {
        "axes": "TCYX",
        "PhysicalSizeX": 650.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.65,
        "TimeIncrement": 1.0,
        "Plane": {"DeltaT": delays, "DeltaTUnit": ["ms"] * len(delays)},
    }
    both = np.stack([pixels, pixels + 1], 1)
    tifffile.imwrite(tmp_path / "video.ome.tif", both, ome=True, photometric="minisblack", metadata=metadata)
    video = read(tmp_path / "video.ome.tif", channel=1)
    np.testing.assert_array_equal(video, pixels + 1)
    np.testing.assert_allclose(video["time"], (times - times[0]) / 1000, atol=1e-9)
    np.testing.assert_allclose(np.diff(video["x"]), 0.65)
    np.testing.assert_allclose(np.diff(video["y"]), 0.65)
    assert [video[axis].attrs["units"] for axis in video.dims] == ["s", "µm", "µm"]


def test_pages_of_a_tiff_have_times_of_their_own(pixels: Pixels, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "video.tif") as writer:
        for index, frame in enumerate(pixels):
            writer.write(frame, contiguous=False, datetime=f"2024:05:01 10:00:{index**2:02d}")
    np.testing.assert_allclose(read(tmp_path / "video.tif", dx=1.0)["time"], np.arange(FRAMES) ** 2)


def test_lsm_metadata_give_times_and_pixel_size(pixels: Pixels, tmp_path: Path) -> None:
    # The head of CZ_LSMINFO, in which lengths are in metres, and behind it a block of time stamps.
    times = np.cumsum(np.linspace(0.1, 0.9, FRAMES))
    path = tmp_path / "film.lsm"
    info = bytearray(512)
    struct.pack_into("<Ii5i", info, 0, 0x0400494C, 512, COLUMNS, ROWS, 1, 1, FRAMES)
    struct.pack_into("<3d", info, 40, 0.65e-6, 0.7e-6, 1e-6)
    struct.pack_into("<H", info, 88, 3)  # frames over time
    struct.pack_into("<d", info, 112, 0.5)
    with tifffile.TiffWriter(path) as writer:
        for index, frame in enumerate(pixels):
            tags = [(34412, "B", len(info), bytes(info), False)] if index == 0 else []
            options: dict[str, Any] = {"contiguous": False, "photometric": "minisblack", "metadata": None}
            writer.write(frame, extratags=tags, **options)
            writer.write(frame[::4, ::4], subfiletype=1, **options)
    size = path.stat().st_size
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(bytes(info[:40])) + 132, size)
    path.write_bytes(bytes(content) + struct.pack(f"<ii{FRAMES}d", 8 + 8 * FRAMES, FRAMES, *times))
    video = read(path)
    np.testing.assert_array_equal(video, pixels)
    np.testing.assert_allclose(video["time"], times - times[0])
    np.testing.assert_allclose(np.diff(video["x"]), 0.65)
    np.testing.assert_allclose(np.diff(video["y"]), 0.7)


def test_one_channel_and_one_slice_can_be_chosen(pixels: Pixels, tmp_path: Path) -> None:
    # (time, z, channel, y, x)
    hyperstack = np.stack([np.stack([pixels + 10 * z + c for c in range(2)], 1) for z in range(3)], 1)
    tifffile.imwrite(tmp_path / "video.tif", hyperstack, imagej=True, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(read(tmp_path / "video.tif", channel=1, z=2, **WITHOUT_SCALE), pixels + 21)
    np.save(tmp_path / "video.npy", hyperstack)
    found = read(tmp_path / "video.npy", channel=0, z=1, axes="tzcyx", **WITHOUT_SCALE)
    np.testing.assert_array_equal(found, pixels + 10)
    with pytest.raises(UserError, match="has 3 slices in z"):
        read(tmp_path / "video.tif", channel=1, **WITHOUT_SCALE)


@pytest.mark.parametrize("compression", ["lzw", "jpeg"])
def test_compressed_tiff_is_read_and_a_missing_codec_is_not_called_damage(
    compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "video.tif"
    tifffile.imwrite(path, bright(), photometric="minisblack", compression=compression)
    video = read(path, **WITHOUT_SCALE)
    assert float(np.abs(video.to_numpy().astype(float) - bright()).mean()) < (0.01 if compression == "lzw" else 3.0)
    assert any("compressed with loss (JPEG)" in text for text in video.attrs["warnings"]) == (compression == "jpeg")

    def without(self: object, key: int) -> None:
        raise KeyError(f"<COMPRESSION.{compression.upper()}: {key}> requires the 'imagecodecs' package")

    # What the library raises where imagecodecs is not installed.
    monkeypatch.setattr(type(tifffile.TIFF.DECOMPRESSORS), "__getitem__", without)
    name = compression.upper()
    with pytest.raises(UserError, match=rf"not installed .*COMPRESSION.{name}.*imagecodecs.*pip install"):
        read(path, **WITHOUT_SCALE)


def test_listed_times_take_the_place_of_those_of_the_file(pixels: Pixels, tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "TimeIncrement": 0.5}
    tifffile.imwrite(tmp_path / "video.ome.tif", pixels, ome=True, metadata=metadata)
    times = np.cumsum(np.linspace(1.0, 3.0, FRAMES))
    video = read(tmp_path / "video.ome.tif", times=times, time_unit="min", selection=Selection(frames=(1, 8, 2)))
    np.testing.assert_allclose(video["time"], times[1:8:2])
    assert video["time"].attrs["units"] == "min"


@pytest.mark.parametrize(
    "text",
    [
        "0\n0.5\n2\n",
        "0, 0.5, 2",
        "# seconds\n0 0.5 2",
        "time_s\n0\n0.5\n2",
        "Time (s)\n0\n0.5\n2",
        "frame,time [s],level\n0,0,17\n1,0.5,18\n2,2,19\n",
        "frame;t\n0;0\n1;0.5\n2;2\n",
    ],
)
def test_times_are_read_from_a_text_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text(text)
    np.testing.assert_array_equal(read_times(tmp_path / "times.txt"), [0.0, 0.5, 2.0])


@pytest.mark.parametrize(
    "text",
    [
        "2010:04:29 13:01:42.718",
        "2010-04-29T13:01:42.718Z",
        "04/29/2010 01:01:42.718 PM",
        "29/04/2010 13:01:42,718",
        "20100429 13:01:42.718",
    ],
)
def test_dates_are_understood_as_software_writes_them(text: str) -> None:
    since = (datetime(2010, 4, 29, 13, 1, 42, 718000) - datetime(1970, 1, 1)).total_seconds()
    assert seconds_of(text) == pytest.approx(since, abs=1e-6)
    assert seconds_of("sometime in spring") is None


def test_reference_images_are_cut_like_the_film(pixels: Pixels, tmp_path: Path) -> None:
    selection = Selection(roi=(3, 15, 4, 20))
    np.save(tmp_path / "video.npy", pixels)
    film = read(tmp_path / "video.npy", selection=selection, **WITHOUT_SCALE)
    tifffile.imwrite(tmp_path / "reference.tif", pixels[0])
    Image.fromarray(pixels[0]).save(tmp_path / "reference.png")
    for name in ("reference.tif", "reference.png"):
        found = read_image(tmp_path / name, film, selection)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, pixels[0, 3:15, 4:20])


def test_masks_are_images_of_any_format(pixels: Pixels, tmp_path: Path) -> None:
    mask = (pixels[0] > 30000).astype(np.uint8)
    nothing = np.zeros_like(mask)
    np.save(tmp_path / "mask.npy", mask)
    Image.fromarray(mask * 255).save(tmp_path / "mask.png")
    Image.fromarray(np.stack([mask * 255, nothing, nothing], -1)).save(tmp_path / "red.png")
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    for name in ("mask.npy", "mask.png", "red.png", "mask.tif"):
        found = read_mask(tmp_path / name, Selection(roi=(3, 15, 4, 20)))
        np.testing.assert_array_equal(found, mask[3:15, 4:20] > 0)


@pytest.mark.parametrize("level", [False, True])
def test_the_command_hands_reference_and_dark_to_the_fit(
    level: bool, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def remember(video: Any, **options: Any) -> None:
        given.update(options)
        raise UserError("seen enough")

    monkeypatch.setattr("safe_pit_cm.inference.fit.fit", remember)
    np.save(tmp_path / "video.npy", pixels)
    np.save(tmp_path / "reference.npy", pixels[0])
    np.save(tmp_path / "dark.npy", pixels[1])
    (tmp_path / "times.csv").write_text("\n".join(str(time**2) for time in range(FRAMES)))
    options = ["--dx", "1", "--times", str(tmp_path / "times.csv"), "--roi", "3:15,4:20", "--quiet"]
    options += [
        "--reference",
        str(tmp_path / "reference.npy"),
        "--dark",
        "7.5" if level else str(tmp_path / "dark.npy"),
    ]
    assert cli.main(["fit", str(tmp_path / "video.npy"), *options, "--output", str(tmp_path / "result")]) == 2
    np.testing.assert_array_equal(given["reference"], pixels[0, 3:15, 4:20])
    np.testing.assert_array_equal(given["dark"], 7.5 if level else pixels[1, 3:15, 4:20])
