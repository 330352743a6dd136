"""A ZVI film gives its pixels, times, pixel size, channels and bits; what cannot be read is said so."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compound import write_compound
from safe_pit_cm.errors import UserError
from safe_pit_cm.video.reading import read
from safe_pit_cm.video.selection import Selection

FRAMES, ROWS, COLUMNS = 6, 24, 32
# Days of an OLE date: 29 April 2010, 13:01:42, and then uneven steps.
SECONDS = np.array([0.0, 9.985, 20.032, 30.0, 60.0, 350.0])
DAYS = 40297.542847 + SECONDS / 86400
MICROMETRES, NANOMETRES = 76, 77
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(100, 4000, (FRAMES, ROWS, COLUMNS)).astype(np.uint16)


def _i4(value: int) -> bytes:
    return struct.pack("<Hi", 3, value)


def _r8(value: float) -> bytes:
    return struct.pack("<Hd", 5, value)


def _date(value: float) -> bytes:
    return struct.pack("<Hd", 7, value)


def _text(value: str) -> bytes:
    encoded = value.encode("utf-16-le") + b"\0\0"
    return struct.pack("<Hi", 8, len(encoded)) + encoded


def _tags(tags: dict[int, bytes]) -> bytes:
    triples = b"".join(value + _i4(identifier) + _i4(0) for identifier, value in tags.items())
    return _i4(0x1000) + _i4(len(tags)) + triples


def _image(frame: Pixels, *, t: int, z: int = 0, c: int = 0, form: int = 4, bits: int = 12, data: bytes = b"") -> bytes:
    """Stream of an image: the values before it, its place, its size and its pixels."""
    rows, columns = frame.shape[:2]
    blob = struct.pack("<8i", 0, 0, z, c, t, 0, 0, 0) + bytes(44)
    # Version, type, its description, file name, columns, rows, depth, pixel format, count, bits, class.
    head = _i4(0x1000) + _i4(0) + _text("") + _text("") + _i4(columns) + _i4(rows) + _i4(1) + _i4(form) + _i4(1)
    head += _i4(bits) + struct.pack("<H16x", 13)
    # Place, layers, scaling and two more.
    head += struct.pack("<Hi", 65, len(blob)) + blob
    head += struct.pack("<H16x", 13) + struct.pack("<H16x", 13) + _text("") + struct.pack("<Hh", 11, 1) + _i4(0)
    head += struct.pack("<7i", 0x1000, columns, rows, 1, frame.dtype.itemsize, form, bits)
    return head + (data or frame.tobytes())


def _item(number: int, image: bytes, tags: dict[int, bytes]) -> dict[str, bytes]:
    return {f"Image/Item({number})/Contents": image, f"Image/Item({number})/Tags/Contents": _tags(tags)}


SCALE = {769: _r8(0.3185), 770: _i4(MICROMETRES), 772: _r8(318.5), 773: _i4(NANOMETRES)}


def _film(pixels: Pixels) -> dict[str, bytes]:
    _, rows, columns = pixels.shape
    head = _i4(0x1000) + _i4(0) + _text("") + _text("") + _i4(columns) + _i4(rows) + _i4(1) + _i4(4) + _i4(len(pixels))
    scaling = _i4(0x1000) + _text("Scaling") + _i4(0) + _r8(0.3185) + _i4(MICROMETRES)
    streams = {"Image/Contents": head, "Image/Tags/Contents": _tags(SCALE), "Image/Scaling/Contents": scaling}
    # Items in another order than time, as the file may have them.
    for number, t in enumerate(reversed(range(len(pixels)))):
        streams |= _item(number, _image(pixels[t], t=t), {1025: _date(float(DAYS[t])), 1284: _text("GFP")})
    return streams


def test_a_film_gives_its_pixels_times_and_scales(pixels: Pixels, tmp_path: Path) -> None:
    write_compound(tmp_path / "film.zvi", _film(pixels))
    video = read(tmp_path / "film.zvi")
    np.testing.assert_array_equal(video, pixels)
    np.testing.assert_allclose(video["time"], SECONDS, atol=1e-4)
    np.testing.assert_allclose(np.diff(video["y"]), 0.3185)
    np.testing.assert_allclose(np.diff(video["x"]), 0.3185)
    assert [video[axis].attrs["units"] for axis in video.dims] == ["s", "µm", "µm"]
    assert video.attrs["saturation"] == 4095
    part = read(tmp_path / "film.zvi", selection=Selection(frames=(1, 6, 2), roi=(2, 20, 3, 30)))
    np.testing.assert_array_equal(part, pixels[1:6:2, 2:20, 3:30])


def test_packed_images_are_unpacked(pixels: Pixels, tmp_path: Path) -> None:
    noisy = np.random.default_rng(1).integers(0, 40000, (3, 40, 48)).astype(np.uint16)
    streams: dict[str, bytes] = {"Image/Contents": b""}
    for t, frame in enumerate(noisy):
        data = b"WZL\0" + struct.pack("<i", 0) + zlib.compress(frame.tobytes())
        streams |= _item(t, _image(frame, t=t, bits=0, data=data), {})
    write_compound(tmp_path / "film.zvi", streams)
    np.testing.assert_array_equal(read(tmp_path / "film.zvi", dx=1.0, dt=1.0), noisy)


def test_a_channel_is_chosen_by_number_and_refused_without(pixels: Pixels, tmp_path: Path) -> None:
    streams: dict[str, bytes] = {"Image/Tags/Contents": _tags(SCALE)}
    for t in range(FRAMES):
        for c, name in enumerate(("GFP", "DAPI")):
            tags = {1025: _date(float(DAYS[t]) + c / 86400), 1284: _text(name)}
            streams |= _item(2 * t + c, _image(pixels[t] + c, t=t, c=c), tags)
    write_compound(tmp_path / "film.zvi", streams)
    np.testing.assert_array_equal(read(tmp_path / "film.zvi", channel=1), pixels + 1)
    with pytest.raises(UserError, match=r"has 2 channels \(GFP, DAPI\)"):
        read(tmp_path / "film.zvi")


def test_single_images_in_a_folder_are_a_film(pixels: Pixels, tmp_path: Path) -> None:
    for t, frame in enumerate(pixels):
        # In reverse order of names: the times win.
        streams = {"Image/Tags/Contents": _tags(SCALE)} | _item(0, _image(frame, t=0), {1025: _date(float(DAYS[t]))})
        write_compound(tmp_path / f"image_{FRAMES - t}.zvi", streams)
    video = read(tmp_path)
    np.testing.assert_array_equal(video, pixels)
    np.testing.assert_allclose(video["time"], SECONDS, atol=1e-4)


def test_images_that_cannot_be_read_are_said_so(pixels: Pixels, tmp_path: Path) -> None:
    write_compound(tmp_path / "film.zvi", _film(pixels) | {"Image/Item(2)/Contents": _image(pixels[3], t=3, bits=0)})
    with pytest.raises(UserError, match=r"images compressed by JPEG.*export the film as OME-TIFF"):
        read(tmp_path / "film.zvi")
    write_compound(tmp_path / "film.zvi", _film(pixels) | {"Image/Item(2)/Contents": _image(pixels[3], t=3, z=1)})
    with pytest.raises(UserError, match="images of some frames are missing"):
        read(tmp_path / "film.zvi")
    write_compound(tmp_path / "film.zvi", _film(pixels))
    cut = (tmp_path / "film.zvi").read_bytes()[:8000]
    (tmp_path / "film.zvi").write_bytes(cut)
    with pytest.raises(UserError, match="damaged or cut short"):
        read(tmp_path / "film.zvi")


def test_a_compound_file_of_another_program_is_refused(tmp_path: Path) -> None:
    write_compound(tmp_path / "film.zvi", {"WordDocument": b"text" * 2000})
    with pytest.raises(UserError, match="no ZVI film"):
        read(tmp_path / "film.zvi")
