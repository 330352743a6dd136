"""Films of microscopes give their pixels, times, scales, channels and bits; without a reader, what to install.

CZI is written by the library of Zeiss. For the others no writer exists, so that the files are put together here.
"""

import importlib
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from pylibCZIrw import czi

from compound import write_compound
from safe_pit_cm.errors import UserError
from safe_pit_cm.video.reading import read
from safe_pit_cm.video.selection import Selection

FRAMES, ROWS, COLUMNS = 6, 16, 24
SECONDS = np.array([0.0, 1.0, 2.5, 3.0, 10.0, 60.25])
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Two channels, ``(time, channel, y, x)``."""
    return np.random.default_rng(0).integers(100, 4000, (FRAMES, 2, ROWS, COLUMNS)).astype(np.uint16)


def _czi_segment(name: bytes, content: bytes) -> bytes:
    return struct.pack("<16sqq", name, len(content), len(content)) + content


def _czi(path: Path, pixels: Pixels) -> None:
    with czi.create_czi(str(path)) as writer:
        for t, channels in enumerate(pixels):
            for c, frame in enumerate(channels):
                writer.write(frame[..., None], plane={"T": t, "C": c, "Z": 0})
        writer.write_metadata("film", channel_names={0: "GFP", 1: "DAPI"}, scale_x=0.65e-6, scale_y=0.7e-6)
    # The library does not write time stamps, which microscopes attach at the end.
    content = bytearray(path.read_bytes())
    stamps = struct.pack(f"<ii{FRAMES}d", 8 + 8 * FRAMES, FRAMES, *(SECONDS + 17.0))
    entry = struct.pack("<2s10xqi16s8s80s", b"A1", len(content), 0, b"", b"CZTIMS", b"TimeStamps")
    attachment = _czi_segment(b"ZISRAWATTACH", struct.pack("<q8x", len(stamps)) + entry + bytes(112) + stamps)
    struct.pack_into("<q", content, 32 + 72, len(content) + len(attachment))
    directory = _czi_segment(b"ZISRAWATTDIR", struct.pack("<i252x", 1) + entry)
    path.write_bytes(bytes(content) + attachment + directory)


def _lif_text(text: str) -> bytes:
    return struct.pack("<BI", 0x2A, len(text)) + text.encode("utf-16-le")


def _lif(path: Path, pixels: Pixels) -> None:
    def dimension(number: int, count: int, step: float, unit: str, increment: int) -> str:
        length = step * (count - 1)
        return (
            f'<DimensionDescription DimID="{number}" NumberOfElements="{count}" Origin="0" Length="{length}" '
            f'Unit="{unit}" BitInc="0" BytesInc="{increment}"/>'
        )

    plane = 2 * ROWS * COLUMNS
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="12" LUTName="{name}" BytesInc="{index * plane}" '
        'NameOfMeasuredQuantity="" Min="0" Max="4095" Unit="" IsLUTInverted="0" BitInc="0"/>'
        for index, name in enumerate(("Green", "Blue"))
    )
    dimensions = "".join(
        [
            dimension(1, COLUMNS, 0.65e-6, "m", 2),
            dimension(2, ROWS, 0.7e-6, "m", 2 * COLUMNS),
            dimension(4, FRAMES, 5.0, "s", 2 * plane),
        ]
    )
    # In units of 100 ns since 1601, for every plane.
    stamps = [130_000_000_000_000_000 + round(1e7 * (second + c / 100)) for second in SECONDS for c in range(2)]
    document = (
        '<LMSDataContainerHeader Version="2"><Element Name="film.lif"><Children><Element Name="FRAP 1"><Data><Image>'
        f"<ImageDescription><Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>"
        f'<TimeStampList NumberOfTimeStamps="{len(stamps)}">{" ".join(f"{stamp:x}" for stamp in stamps)}'
        f'</TimeStampList></Image></Data><Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_1"/></Element>'
        "</Children></Element></LMSDataContainerHeader>"
    )
    header = struct.pack("<II", 0x70, 2 * len(document) + 5) + _lif_text(document)
    name = "MemBlock_1"
    block = struct.pack("<IIBQ", 0x70, 2 * len(name) + 14, 0x2A, pixels.nbytes) + _lif_text(name)
    path.write_bytes(header + block + pixels.tobytes())


def _oif_settings() -> dict[str, dict[str, object]]:
    sizes = {"X": COLUMNS, "Y": ROWS, "C": 2, "Z": 1, "T": FRAMES, "A": 1, "L": 1, "P": 1}
    axes: dict[str, dict[str, object]] = {
        f"Axis {number} Parameters Common": {"AxisCode": f'"{code}"', "MaxSize": size}
        for number, (code, size) in enumerate(sizes.items())
    }
    axes["Axis 4 Parameters Common"] |= {"StartPosition": 0.0, "EndPosition": 2500.0, "UnitName": '"ms"'}
    scale = {"WidthConvertValue": 0.65, "WidthUnit": '"um"', "HeightConvertValue": 0.7, "HeightUnit": '"um"'}
    return axes | {
        "ProfileSaveInfo": {"Name": '"OifFileMainProfile"', "Version": '"1.0.0.0"'},
        "Axis Parameter Common": {"AxisOrder": '"XYCT"'},
        "Reference Image Parameter": {**scale, "ValidBitCounts": 12},
        "Channel 1 Parameters": {"DyeName": '"GFP"'},
        "Channel 2 Parameters": {"DyeName": '"DAPI"'},
    }


def _settings_text(settings: dict[str, dict[str, object]]) -> bytes:
    lines = [line for name, keys in settings.items() for line in (f"[{name}]", *(f"{k}={v}" for k, v in keys.items()))]
    return b"\xff\xfe" + "\r\n".join([*lines, ""]).encode("utf-16-le")


def _oif_planes(pixels: Pixels) -> dict[str, bytes]:
    planes = {}
    for t, channels in enumerate(pixels):
        for c, frame in enumerate(channels):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, frame, metadata=None)
            planes[f"s_C{c + 1:03d}T{t + 1:03d}.tif"] = buffer.getvalue()
    return planes


def _oif(path: Path, pixels: Pixels) -> None:
    path.write_bytes(_settings_text(_oif_settings()))
    storage = path.with_name(path.name + ".files")
    storage.mkdir()
    for name, content in _oif_planes(pixels).items():
        (storage / name).write_bytes(content)


def _oib(path: Path, pixels: Pixels) -> None:
    files = {"film.oif": _settings_text(_oif_settings())}
    files |= {f"Storage00001/{name}": content for name, content in _oif_planes(pixels).items()}
    info: dict[str, object] = {"Name": '"OibSaveInfo"', "Version": '"2.0.0.0"', "MainFileName": '"Stream00000"'}
    streams = {}
    for number, (name, content) in enumerate(files.items()):
        info[f"Stream{number:05d}"] = f'"{name}"'
        folder = "Storage00001/" if "/" in name else ""
        streams[f"{folder}Stream{number:05d}"] = content
    info["Storage00001"] = '"film.oif.files"'
    streams["OibInfo.txt"] = _settings_text({"OibSaveInfo": info})
    write_compound(path, streams)


def _nd2_value(name: str, value: Any) -> bytes:
    """A value with its type and name, as the format nests them."""
    label = (name + "\0").encode("utf-16-le")
    if isinstance(value, dict):
        inner = [_nd2_value(key, each) for key, each in value.items()]
        size = 2 + len(label) + 12 + sum(map(len, inner))
        head = struct.pack("<BB", 11, len(label) // 2) + label + struct.pack("<IQ", len(inner), size)
        return head + b"".join(inner) + bytes(8 * len(inner))
    kinds: dict[type, tuple[int, Callable[[Any], bytes]]] = {
        bool: (1, lambda given: struct.pack("<B", given)),
        int: (3, lambda given: struct.pack("<I", given)),
        float: (6, lambda given: struct.pack("<d", given)),
        str: (8, lambda given: (given + "\0").encode("utf-16-le")),
    }
    kind, pack = kinds[type(value)]
    return struct.pack("<BB", kind, len(label) // 2) + label + pack(value)


def _nd2(path: Path, pixels: Pixels) -> None:
    pytest.importorskip("nd2", reason="needs --group microscopes")
    attributes = {
        "uiWidth": COLUMNS,
        "uiWidthBytes": COLUMNS * 4,
        "uiHeight": ROWS,
        "uiComp": 2,
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 12,
        "uiSequenceCount": FRAMES,
    }
    planes = {
        f"a{index}": {"sDescription": name, "uiCompCount": 1, "pFluorescentProbe": {"uiCount": 0}}
        for index, name in enumerate(("GFP", "DAPI"))
    }
    picture = {"bCalibrated": True, "dCalibration": 0.65, "sPicturePlanes": {"uiCount": 2, "sPlaneNew": planes}}
    loop = {"uiCount": FRAMES, "dStart": 0.0, "dPeriod": 1000.0, "dDuration": 0.0}
    chunks = {
        b"ImageAttributesLV!": _nd2_value("SLxImageAttributes", attributes),
        b"ImageMetadataSeqLV|0!": _nd2_value("SLxPictureMetadata", picture),
        b"ImageMetadataLV!": _nd2_value("SLxExperiment", {"eType": 1, "uLoopPars": loop}),
        b"CustomData|AcqTimesCache!": struct.pack(f"<{FRAMES}d", *(1000 * (SECONDS + 3.0))),
    }
    for index, frame in enumerate(pixels):
        # Channels alternate from pixel to pixel, behind the time of eight bytes.
        chunks[b"ImageDataSeq|%d!" % index] = bytes(8) + np.ascontiguousarray(np.moveaxis(frame, 0, -1)).tobytes()
    name_length = 4072
    content = bytearray(struct.pack("<IIQ32s64s", 0x0ABECEDA, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0"))
    entries = b""
    for name, data in chunks.items():
        entries += name + struct.pack("<QQ", len(content), len(data))
        content += struct.pack("<IIQ", 0x0ABECEDA, name_length, len(data)) + name.ljust(name_length, b"\0") + data
    place = len(content)
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", place)
    content += struct.pack("<IIQ32s", 0x0ABECEDA, 32, len(entries) + 40, b"ND2 FILEMAP SIGNATURE NAME 0001!")
    path.write_bytes(bytes(content) + entries + end)


WRITERS: dict[str, Callable[[Path, Pixels], None]] = {
    "film.czi": _czi,
    "film.lif": _lif,
    "film.nd2": _nd2,
    "film.oib": _oib,
    "film.oif": _oif,
}
NAMES = {"film.lif": "Green, Blue"}
ROW_HEIGHT = {"film.nd2": 0.65}
# Of OIB and OIF the mean interval is read; of the others the time of each frame.
TIMES = {"film.oib": 0.5 * np.arange(FRAMES), "film.oif": 0.5 * np.arange(FRAMES)}
# The library that writes CZI names no bits.
SATURATION = {"film.czi": 65535}


@pytest.mark.parametrize("name", WRITERS)
def test_a_film_gives_its_pixels_times_scales_and_bits(name: str, pixels: Pixels, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, pixels)
    video = read(tmp_path / name, channel=1)
    np.testing.assert_array_equal(video, pixels[:, 1])
    np.testing.assert_allclose(video["time"], TIMES.get(name, SECONDS), atol=2e-3)
    np.testing.assert_allclose(np.diff(video["x"]), 0.65)
    np.testing.assert_allclose(np.diff(video["y"]), ROW_HEIGHT.get(name, 0.7))
    assert [video[axis].attrs["units"] for axis in video.dims] == ["s", "µm", "µm"]
    assert video.attrs["saturation"] == SATURATION.get(name, 4095)
    selection = Selection(frames=(1, 6, 2), roi=(2, 12, 3, 20))
    part = read(tmp_path / name, channel=0, selection=selection)
    np.testing.assert_array_equal(part, pixels[1:6:2, 0, 2:12, 3:20])


@pytest.mark.parametrize("name", WRITERS)
def test_channels_are_named_where_one_must_be_chosen(name: str, pixels: Pixels, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, pixels)
    with pytest.raises(UserError, match=rf"has 2 channels \({NAMES.get(name, 'GFP, DAPI')}\).*--channel 0 to 1"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", [*WRITERS, "film.zvi"])
def test_without_the_reader_one_sentence_says_what_to_install(
    name: str, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS.get(name, _oib)(tmp_path / name, pixels)

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"needs the library \w+, .*pip install 'safe-pit-cm\[microscopes\]'"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_cut_short_is_refused(name: str, pixels: Pixels, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, pixels)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged or cut short"):
        read(tmp_path / name, channel=0, dx=1.0, dt=1.0)


def test_without_the_times_of_the_frames_the_period_of_nd2_counts(pixels: Pixels, tmp_path: Path) -> None:
    _nd2(tmp_path / "film.nd2", pixels)
    content = (tmp_path / "film.nd2").read_bytes()
    (tmp_path / "film.nd2").write_bytes(content.replace(b"AcqTimesCache", b"AcqTimesOther"))
    np.testing.assert_allclose(read(tmp_path / "film.nd2", channel=0)["time"], np.arange(FRAMES))
