"""A folder of images is a film: in the order and at the times that the images say, else in the order of their names."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.reading import read
from safe_pit_cm.video.selection import Selection

ROWS, COLUMNS = 16, 24
SECONDS = (10.0, 20.048, 30.0, 60.5, 90.0, 360.25)
NAMES = ("10s", "20s", "30s", "1m", "1m30s", "6m")
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(60, 200, (len(NAMES), ROWS, COLUMNS)).astype(np.uint8)


def _clock(seconds: float) -> tuple[str, str]:
    """Date with time of day, and the fraction of the second."""
    whole = int(seconds)
    return f"2024:05:01 10:{whole // 60:02d}:{whole % 60:02d}", f"{round((seconds - whole) * 1000):03d}"


def _tiffs(folder: Path, pixels: Pixels) -> None:
    for name, seconds, frame in zip(NAMES, SECONDS, pixels, strict=True):
        date, fraction = _clock(seconds)
        tags = [(306, "s", 0, f"{date}.{fraction}", True)]
        tifffile.imwrite(folder / f"{name}.tif", frame, photometric="minisblack", extratags=tags, metadata=None)


def _ome_tiffs(folder: Path, pixels: Pixels) -> None:
    for name, seconds, frame in zip(NAMES, SECONDS, pixels, strict=True):
        date, _ = _clock(int(seconds))
        metadata = {
            "axes": "YX",
            "AcquisitionDate": date.replace(":", "-", 2).replace(" ", "T"),
            "Plane": {"DeltaT": [seconds % 1]},
            "PhysicalSizeX": 0.5,
            "PhysicalSizeY": 0.5,
        }
        tifffile.imwrite(folder / f"{name}.ome.tif", frame, ome=True, photometric="minisblack", metadata=metadata)


def _with_exif(folder: Path, pixels: Pixels, suffix: str) -> None:
    for name, seconds, frame in zip(NAMES, SECONDS, pixels, strict=True):
        date, fraction = _clock(seconds)
        exif = Image.Exif()
        exif[0x8769] = {0x9003: date, 0x9291: fraction}
        Image.fromarray(frame).save(folder / f"{name}{suffix}", exif=exif, quality=95)


@pytest.mark.parametrize(
    ("write", "lossy"),
    [
        (_tiffs, False),
        (_ome_tiffs, False),
        (lambda folder, pixels: _with_exif(folder, pixels, ".png"), False),
        (lambda folder, pixels: _with_exif(folder, pixels, ".jpg"), True),
    ],
    ids=["TIFF", "OME-TIFF", "PNG", "JPEG"],
)
def test_images_are_ordered_by_their_times(
    write: Callable[[Path, Pixels], None], lossy: bool, pixels: Pixels, tmp_path: Path
) -> None:
    write(tmp_path, pixels)
    video = read(tmp_path, dx=1.0)
    np.testing.assert_allclose(video["time"], np.array(SECONDS) - SECONDS[0], atol=1e-6)
    assert video["time"].attrs["units"] == "s"
    assert float(np.abs(video.to_numpy().astype(float) - pixels).mean()) < (6.0 if lossy else 0.01)
    assert any("compressed with loss (JPEG)" in text for text in video.attrs["warnings"]) == lossy


def test_what_the_images_say_of_their_pixels_is_kept(pixels: Pixels, tmp_path: Path) -> None:
    _ome_tiffs(tmp_path, pixels)
    video = read(tmp_path)
    np.testing.assert_allclose(np.diff(video["x"]), 0.5)
    assert video["x"].attrs["units"] == "µm"


def test_without_times_the_names_give_the_order(pixels: Pixels, tmp_path: Path) -> None:
    for index, frame in enumerate(np.concatenate([pixels, pixels])):
        tifffile.imwrite(tmp_path / f"frame_{index}.tif", frame)
    video = read(tmp_path, dx=1.0, dt=2.0, selection=Selection(frames=(1, 12, 5), roi=(2, 12, 3, 20)))
    np.testing.assert_array_equal(video, np.concatenate([pixels, pixels])[1:12:5, 2:12, 3:20])
    np.testing.assert_allclose(video["time"], [2.0, 12.0, 22.0])
    with pytest.raises(UserError, match=r"does not say the time between frames; give it by --dt or.*--times"):
        read(tmp_path, dx=1.0)


def test_what_is_no_frame_is_left_out_by_a_pattern(pixels: Pixels, tmp_path: Path) -> None:
    _tiffs(tmp_path, pixels)
    tifffile.imwrite(tmp_path / "before.tif", pixels[0])
    with pytest.raises(UserError, match=r"before\.tif, beside numbered ones; leave them out by --pattern"):
        read(tmp_path, dx=1.0)
    np.testing.assert_array_equal(read(tmp_path, dx=1.0, pattern="*[0-9]*"), pixels)
    # The option that lists times counts the frames that are left.
    video = read(tmp_path, dx=1.0, pattern="[1-3]0s.tif", times=[0.0, 1.0, 5.0])
    np.testing.assert_array_equal(video, pixels[:3])
    np.testing.assert_allclose(video["time"], [0.0, 1.0, 5.0])


def test_images_of_another_size_are_named(pixels: Pixels, tmp_path: Path) -> None:
    _tiffs(tmp_path, pixels)
    tifffile.imwrite(tmp_path / "2m.tif", pixels[0, :8])
    tifffile.imwrite(tmp_path / "3m.tif", pixels[0, :8])
    with pytest.raises(UserError, match=r"most have 16 × 24 pixels of uint8, and 2m\.tif, 3m\.tif 8 × 24 .*--pattern"):
        read(tmp_path, dx=1.0)


def test_times_to_the_second_are_doubted_and_equal_ones_not_used(pixels: Pixels, tmp_path: Path) -> None:
    for index, frame in enumerate(pixels):
        tifffile.imwrite(tmp_path / f"{index}.tif", frame, datetime=f"2024:05:01 10:00:{2 * index:02d}")
    video = read(tmp_path, dx=1.0)
    np.testing.assert_allclose(video["time"], 2.0 * np.arange(len(pixels)))
    assert "only to the second" in video.attrs["warnings"][0]
    tifffile.imwrite(tmp_path / "0.tif", pixels[0], datetime="2024:05:01 10:00:02")
    assert "the same time" in read(tmp_path, dx=1.0, dt=1.0).attrs["warnings"][0]
    with pytest.raises(UserError, match="does not say the time between frames"):
        read(tmp_path, dx=1.0)


def test_twelve_bits_packed_in_three_bytes_are_read(pixels: Pixels, tmp_path: Path) -> None:
    twelve = pixels.astype(np.uint16) * 16 + 5
    pairs = twelve.reshape(len(twelve), -1, 2).astype(np.uint32)
    bits = (pairs[..., 0] << 12) | pairs[..., 1]
    packed = np.stack([bits >> 16, (bits >> 8) & 255, bits & 255], -1).astype(np.uint8).reshape(len(twelve), -1)
    for index, data in enumerate(packed):
        # A little-endian TIFF written by hand: the library writes no 12 bits.
        tags = [(256, COLUMNS), (257, ROWS), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, ROWS)]
        tags.append((279, data.size))
        directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags)
        header = b"II*\0" + struct.pack("<I", 8 + data.size)
        (tmp_path / f"{index}.tif").write_bytes(header + data.tobytes() + directory + bytes(4))
    video = read(tmp_path, dx=1.0, dt=1.0)
    np.testing.assert_array_equal(video, twelve)
    assert video.attrs["saturation"] == 4095
