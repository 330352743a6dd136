"""Whatever is wrong with the input: exit code 2, one sentence that says what to do, and nothing written."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from films import write_movie
from safe_pit_cm import cli
from safe_pit_cm.data import files
from safe_pit_cm.video import simulation

COMMAND = Path(sys.executable).with_name("safe-pit-cm")
SCALE = ("--dx", "1", "--dt", "1")


def _good(frames: int = 6) -> NDArray[np.float32]:
    return simulation.simulate(simulation.Settings(frames=frames, size=(16, 24))).to_numpy()


def _tree(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_size for path in sorted(folder.rglob("*"))}


def _saved(array: NDArray[Any]) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        np.save(folder / "video.npy", array)
        return [str(folder / "video.npy"), *SCALE]

    return make


def _with(value: float) -> Callable[[Path], list[str]]:
    video = _good()
    video[3, 5, 7] = value
    return _saved(video)


def _options(*options: str, scale: tuple[str, ...] = SCALE) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        np.save(folder / "video.npy", _good())
        return [str(folder / "video.npy"), *scale, *options]

    return make


def _bytes(name: str, content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(content)
        return [str(folder / name), *SCALE]

    return make


def _cut(name: str, write: Callable[[Path], object], keep: float) -> Callable[[Path], list[str]]:
    """A file of which the end is missing."""

    def make(folder: Path) -> list[str]:
        write(folder / name)
        os.truncate(folder / name, int((folder / name).stat().st_size * keep))
        return [str(folder / name), *SCALE]

    return make


def _tiff(path: Path, **options: Any) -> None:
    tifffile.imwrite(path, _good(), photometric="minisblack", **options)


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = _good()


def _movie(path: Path, colour: bool = False) -> None:
    frames = np.random.default_rng(0).integers(60, 180, (20, 32, 48, 3)).astype(np.uint8)
    write_movie(path, frames if colour else frames[..., 0], "mpeg4", "yuv420p")


def _colour_movie(folder: Path) -> list[str]:
    _movie(folder / "video.mp4", colour=True)
    return [str(folder / "video.mp4"), *SCALE]


def _colour_tiff(folder: Path) -> list[str]:
    tifffile.imwrite(
        folder / "video.tif",
        np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3)).astype(np.uint8),
        photometric="rgb",
    )
    return [str(folder / "video.tif"), *SCALE]


def _two_channels(folder: Path) -> list[str]:
    tifffile.imwrite(folder / "video.tif", np.stack([_good(), _good() + 1], 1), imagej=True, metadata={"axes": "TCYX"})
    return [str(folder / "video.tif"), *SCALE]


def _z_and_time(folder: Path) -> list[str]:
    tifffile.imwrite(folder / "video.tif", np.stack([_good()] * 4, 1), imagej=True, metadata={"axes": "TZYX"})
    return [str(folder / "video.tif"), *SCALE]


def _png(size: tuple[int, int] = (16, 24), seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, size).astype(np.uint8))


def _folder(*images: Image.Image | bytes, names: tuple[str, ...] = ()) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "images").mkdir()
        for index, image in enumerate(images):
            path = folder / "images" / (names[index] if names else f"{index}.png")
            path.write_bytes(image) if isinstance(image, bytes) else image.save(path)
        return [str(folder / "images"), *SCALE]

    return make


def _two_named_channels(folder: Path) -> list[str]:
    metadata = {"axes": "TCYX", "Channel": {"Name": ["GFP", "DAPI"]}}
    tifffile.imwrite(folder / "video.ome.tif", np.stack([_good(), _good() + 1], 1), ome=True, metadata=metadata)
    return [str(folder / "video.ome.tif"), *SCALE]


def _ome_z_stack(folder: Path) -> list[str]:
    _tiff(folder / "video.ome.tif", ome=True, metadata={"axes": "ZYX"})
    return [str(folder / "video.ome.tif"), *SCALE]


def _ome_pixels(folder: Path) -> list[str]:
    scale = {f"PhysicalSize{axis}{suffix}": value for axis in "XY" for suffix, value in (("", 1.0), ("Unit", "pixel"))}
    _tiff(folder / "video.ome.tif", ome=True, metadata={"axes": "TYX", **scale})
    return [str(folder / "video.ome.tif"), "--dt", "1", "--length-unit", "nm"]


def _folder_of_films(folder: Path) -> list[str]:
    (folder / "images").mkdir()
    for index in range(3):
        _tiff(folder / "images" / f"{index}.tif")
    return [str(folder / "images"), *SCALE]


def _grey_movie(folder: Path) -> list[str]:
    _movie(folder / "video.mp4")
    return [str(folder / "video.mp4")]


def _timed(text: str, scale: tuple[str, ...] = SCALE) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "times.txt").write_text(text)
        return [*_options(scale=scale)(folder), "--times", str(folder / "times.txt")]

    return make


def _with_image(option: str, shape: tuple[int, ...]) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        np.save(folder / "image.npy", np.ones(shape))
        return [*_options()(folder), option, str(folder / "image.npy")]

    return make


def _single_png(folder: Path) -> list[str]:
    _png().save(folder / "video.png")
    return [str(folder / "video.png"), *SCALE]


def _pickled(folder: Path) -> list[str]:
    np.save(folder / "video.npy", np.array([{"not": "numbers"}], dtype=object), allow_pickle=True)
    return [str(folder / "video.npy"), *SCALE]


def _sparse_npy(folder: Path) -> list[str]:
    # 10 GB that take no room on the disk.
    header = {"descr": "<f4", "fortran_order": False, "shape": (2500, 1000, 1000)}
    with (folder / "video.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 10_000_000_000)
    return [str(folder / "video.npy"), *SCALE]


def _sparse_tiff(folder: Path) -> list[str]:
    tifffile.memmap(folder / "video.tif", shape=(2500, 1000, 1000), dtype="float32", bigtiff=True)
    return [str(folder / "video.tif"), *SCALE]


def _sparse_hdf5(folder: Path) -> list[str]:
    with h5py.File(folder / "video.h5", "w") as file:
        file.create_dataset("images", shape=(2500, 1000, 1000), dtype="f4", chunks=(1, 1000, 1000))
    return [str(folder / "video.h5"), *SCALE]


def _sparse_zarr(folder: Path) -> list[str]:
    zarr.create_array(folder / "video.zarr", shape=(2500, 1000, 1000), dtype="f4", chunks=(1, 1000, 1000))
    return [str(folder / "video.zarr"), *SCALE]


def _damaged_zarr(folder: Path) -> list[str]:
    (folder / "video.zarr").mkdir()
    (folder / "video.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type"')
    return [str(folder / "video.zarr"), *SCALE]


def _two_arrays(folder: Path) -> list[str]:
    np.savez(folder / "video.npz", first=_good(), second=_good())
    return [str(folder / "video.npz"), *SCALE]


def _no_array(folder: Path) -> list[str]:
    with h5py.File(folder / "video.h5", "w") as file:
        file["line"] = np.arange(3)
    return [str(folder / "video.h5"), *SCALE]


def _ome_zero_interval(folder: Path) -> list[str]:
    _tiff(folder / "video.tif", ome=True, metadata={"axes": "TYX", "PhysicalSizeX": 0.5, "TimeIncrement": 0.0})
    return [str(folder / "video.tif"), "--dx", "1"]


def _random(dtype: Any, low: int, high: int) -> NDArray[Any]:
    return np.random.default_rng(0).integers(low, high, (6, 16, 16)).astype(dtype)


# Brightness that rose above 255 and came round to 0, as a sum of two uint8 images does.
WRAPPED = ((np.arange(6)[:, None, None] * 10 + np.arange(16)[:, None] * 6 + 150 + np.zeros(16)) % 256).astype(np.uint8)

CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "NaN": (_with(np.nan), "1 NaN or infinite pixels in frame 3 .*row 5, column 7.*--roi"),
    "infinite": (_with(-np.inf), "1 NaN or infinite pixels in frame 3"),
    "constant": (_saved(np.full((5, 16, 16), 7.0)), "is constant .*7.*a fit needs a field that changes"),
    "one frame repeated": (_saved(np.repeat(_good()[:1], 5, 0)), "every frame of .* is the same"),
    "two frames": (_saved(_good()[:2]), "gives 2 frames.*at least 3"),
    "a single image": (_saved(_good()[0]), "2 axes .*a single image is no video"),
    "few pixels": (_saved(_good()[:, :4]), "4 × 24 pixels; at least 8"),
    "five axes": (_saved(np.zeros((2, 3, 4, 5, 6))), "has 5 axes .*--axes"),
    "complex numbers": (_saved(_good().astype(complex)), "holds complex128 and no real numbers"),
    "text": (_saved(np.full((5, 16, 16), "a")), "no real numbers"),
    "colour array": (
        _saved(_random(np.uint8, 0, 255)[..., None] + np.arange(3, dtype=np.uint8) * 40),
        "has 3 channels, and a field has one value a pixel.*--channel 0 to 2",
    ),
    "colour TIFF": (_colour_tiff, r"has 3 channels \(red, green, blue\).*--channel 0 to 2"),
    "colour movie": (_colour_movie, r"has 3 channels \(red, green, blue\).*--channel 0 to 2"),
    "colour PNG": (
        _folder(*[Image.merge("RGB", [_png(seed=i + c) for c in range(3)]) for i in range(4)]),
        r"has 3 channels \(red, green, blue\).*--channel 0 to 2",
    ),
    "two channels": (_two_channels, "has 2 channels, .*--channel 0 to 1"),
    "two named channels": (_two_named_channels, r"has 2 channels \(GFP, DAPI\), .*--channel 0 to 1"),
    "a channel that is not there": (
        lambda f: [*_two_channels(f), "--channel", "2"],
        "has the channels 0 to 1: --channel 2 is none of them",
    ),
    "slices without a time": (_ome_z_stack, "one time with 6 slices in z.*--axes tyx"),
    "one colour image": (_saved(np.zeros((64, 48, 3), np.uint8)), "looks like one colour image"),
    "planes and time": (_z_and_time, "has 4 slices in z.*--z 0 to 3"),
    "wrong axis order": (_saved(np.moveaxis(_good()[:, :16, :16], 0, -1)), r"looks like \(y, x, time\).*--axes yxt"),
    "axes that do not fit": (_options("--axes", "tyxc"), "--axes tyxc does not fit .* 3 axes"),
    "axes with nonsense": (_options("--axes", "abc"), "--axes abc does not fit"),
    "integer overflow": (_saved(WRAPPED), "integer overflow.*more bits"),
    "integers beyond exactness": (_saved(_random(np.int64, 2**60, 2**61)), "looks like an overflow.*divide"),
    "floats beyond squares": (_saved(_good().astype(float) * 1e200), "looks like an overflow.*divide"),
    "zero dx": (_options(scale=("--dx", "0", "--dt", "1")), "--dx must be a positive number, and is 0"),
    "negative dx": (_options(scale=("--dx", "-0.5", "--dt", "1")), "--dx must be a positive number, and is -0.5"),
    "zero dt": (_options(scale=("--dx", "1", "--dt", "0")), "--dt must be a positive number, and is 0"),
    "negative dt": (_options(scale=("--dx", "1", "--dt", "-1")), "--dt must be a positive number, and is -1"),
    "NaN dt": (_options(scale=("--dx", "1", "--dt", "nan")), "--dt must be a positive number"),
    "dx is no number": (_options(scale=("--dx", "small", "--dt", "1")), "'small' is no pixel size"),
    "no dx anywhere": (_options(scale=("--dt", "1")), "does not say the size of a pixel; give it by --dx"),
    "no dt anywhere": (_options(scale=("--dx", "1")), "does not say the time between frames; give it by --dt"),
    "zero interval in the metadata": (_ome_zero_interval, "metadata of .*--dt.* must be a positive number"),
    "frames out of range": (_options("--frames", "0:7"), "--frames 0:7 goes beyond .*0:6"),
    "frames reversed": (_options("--frames", "5:1"), "--frames 5:1 is no range"),
    "frames beyond integers": (_options("--frames", "0:99999999999999999999"), "no range of frames"),
    "too few frames chosen": (_options("--frames", "0:6:3"), "gives 2 frames"),
    "roi out of range": (_options("--roi", "0:16,0:25"), "--roi 0:16,0:25 goes beyond .*0:16,0:24"),
    "roi is no region": (_options("--roi", "middle"), "--roi middle is no region.*16:80,0:64"),
    "roi too small": (_options("--roi", "0:16,0:4"), "16 × 4 pixels"),
    "truncated TIFF": (_cut("video.tif", _tiff, 0.6), "damaged or cut short"),
    "truncated compressed TIFF": (
        _cut("video.tif", lambda p: _tiff(p, compression="zlib"), 0.6),
        "damaged or cut short",
    ),
    "truncated OME-TIFF": (_cut("video.ome.tif", lambda p: _tiff(p, ome=True), 0.6), "damaged or cut short"),
    "truncated NumPy": (_cut("video.npy", lambda p: np.save(p, _good()), 0.6), "damaged or cut short"),
    "truncated archive": (_cut("video.npz", lambda p: np.savez(p, a=_good()), 0.6), "damaged or cut short"),
    "truncated HDF5": (_cut("video.h5", _hdf5, 0.6), "damaged or cut short"),
    "truncated movie": (_cut("video.mp4", _movie, 0.6), "damaged or cut short"),
    "truncated AVI": (_cut("video.avi", _movie, 0.6), "damaged or cut short"),
    "damaged Zarr": (_damaged_zarr, "damaged or cut short"),
    "NumPy header that lies": (
        _bytes(
            "video.npy",
            b"\x93NUMPY\x01\x00\x76\x00"
            + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 99999999, 9999), }".ljust(117)
            + b"\n",
        ),
        "damaged or cut short",
    ),
    "empty file": (_bytes("video.tif", b""), "is empty"),
    "text named TIFF": (_bytes("video.tif", b"time,y,x\n0,1,2\n"), "named like a TIFF but holds something else"),
    "text without a suffix": (_bytes("video", b"time,y,x\n0,1,2\n"), "of no format that can be read; give TIFF"),
    "NumPy named TIFF": (lambda f: _renamed(f, "video.npy", "video.tif"), "named like a TIFF but holds a NumPy array"),
    "TIFF named movie": (lambda f: _renamed(f, "video.tif", "video.mp4"), "named like a movie but holds a TIFF"),
    "pickle": (_pickled, "damaged or cut short|no real numbers|Object arrays"),
    "single PNG": (_single_png, "is a single image of 16 × 24; .*as images in one folder"),
    "missing file": (lambda f: [str(f / "nowhere.tif"), *SCALE], "there is no file .*nowhere.tif"),
    "folder without images": (_folder(), "holds no image; give TIFF"),
    "images of unequal size": (
        _folder(_png(), _png(), _png((16, 25))),
        "differ: most have 16 × 24 pixels of uint8, and 2.png 16 × 25 pixels",
    ),
    "an image that is none": (
        _folder(_png(), _png(), b"not an image"),
        "2.png is named like a PNG image but holds something else",
    ),
    "10 GB NumPy": (_sparse_npy, r"holds 10.0 GB .*of memory are free.*--roi .*--frames"),
    "10 GB TIFF": (_sparse_tiff, r"holds 10.0 GB .*of memory are free.*--roi .*--frames"),
    "10 GB HDF5": (_sparse_hdf5, r"holds 10.0 GB .*of memory are free.*--roi .*--frames"),
    "10 GB Zarr": (_sparse_zarr, r"holds 10.0 GB .*of memory are free.*--roi .*--frames"),
    "several arrays": (_two_arrays, "choose one by --variable first or second"),
    "an array that is not there": (
        lambda f: [*_two_arrays(f), "--variable", "third"],
        "no array third.*first or second",
    ),
    "no array": (_no_array, "holds no array of 3 axes"),
    "folder with images before the film": (
        _folder(*[_png(seed=i) for i in range(4)], names=("1.png", "2.png", "3.png", "before.png")),
        r"before\.png, beside numbered ones; leave them out by --pattern '\*\[0-9\]\*'",
    ),
    "folder with two kinds of images": (
        _folder(*[_png(seed=i) for i in range(4)], names=("1.png", "2.png", "3.png", "3.jpg")),
        r"holds \.jpg and \.png images; .*--pattern '\*\.jpg'",
    ),
    "pattern that matches nothing": (
        lambda f: [*_folder(_png(), _png())(f), "--pattern", "*s.tif"],
        r"matches --pattern '\*s\.tif'; it has 0\.png, 1\.png",
    ),
    "pattern for a file": (_options("--pattern", "*.tif"), "--pattern chooses among the files of a folder"),
    "folder of films": (_folder_of_films, "holds 6 frames, and a folder has one image a frame"),
    "movie without an interval": (
        lambda f: [*_grey_movie(f), "--dx", "1"],
        "is played at 12.5 frames a second, which does not say how fast it was recorded; .*--dt",
    ),
    "times and interval": (_timed("0 1 2 3 4 5"), "--dt and --times both give the times"),
    "too few times": (_timed("0 1 2 3", scale=("--dx", "1")), "--times gives 4 times and .* has 6 frames"),
    "times that do not grow": (_timed("0 1 3 2 4 5", scale=("--dx", "1")), "frame 3 is at 2 and the one before at 3"),
    "times that are no numbers": (_timed("0\n1\ntwo\n3", scale=("--dx", "1")), "'two' as the time of frame 2"),
    "no times": (_timed("# nothing\n", scale=("--dx", "1")), "holds no times"),
    "a table without times": (_timed("frame,level\n0,1\n1,2", scale=("--dx", "1")), "no column called time"),
    "missing times": (_options("--times", "nowhere.txt", scale=("--dx", "1")), "there is no file nowhere.txt; --times"),
    "unit that cannot be converted": (_ome_pixels, "gives its y axis in pixel, which cannot be converted to .* nm"),
    "missing reference": (_options("--reference", "nowhere.tif"), "there is no file nowhere.tif; --reference"),
    "reference of another size": (
        _with_image("--reference", (16, 25)),
        r"image.npy has 16 × 25 pixels and a frame of the film 16 × 24; --reference needs",
    ),
    "dark film": (_with_image("--dark", (4, 16, 24)), r"has 3 axes of 4 × 16 × 24; --dark needs an image of one frame"),
    "dark that is no number": (_options("--dark", "nan"), "'nan' is no level"),
    "former name no-flux": (_options("--boundary", "insulated"), "insulated is now called no-flux"),
    "former name dirichlet": (_options("--boundary", "fixed"), "fixed is now called dirichlet"),
    "former option": (_options("--operator", "euler"), "--operator is now called --discretisation"),
    "unknown method": (_options("--method", "magic"), "invalid choice: 'magic'"),
    "unknown option": (_options("--colour", "blue"), "unrecognized arguments"),
}


def _renamed(folder: Path, name: str, other: str) -> list[str]:
    simulation.write(simulation.simulate(simulation.Settings(frames=4, size=(16, 16))), folder / name)
    (folder / name).rename(folder / other)
    return [str(folder / other), *SCALE]


def _is_one_sentence(stderr: str) -> bool:
    lines = [line for line in stderr.splitlines() if not line.startswith(("reading ", "fitting ", "writing "))]
    return len(lines) == 1 and lines[0].startswith("safe-pit-cm") and "Traceback" not in stderr


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_in_one_sentence(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, expected = CASES[case]
    # The machine that runs this may well have the 30 GB.
    monkeypatch.setattr("safe_pit_cm.video.reading.memory_available", lambda: 8_000_000_000)
    arguments = make(tmp_path)
    before = _tree(tmp_path)
    code = cli.main(["fit", *arguments, "--output", str(tmp_path / "result")])
    stderr = capsys.readouterr().err
    assert code == 2, stderr
    assert _is_one_sentence(stderr), stderr
    assert re.search(expected, stderr), stderr
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("case", ["NaN", "truncated TIFF", "10 GB NumPy", "unknown option", "truncated movie"])
def test_the_installed_command_refuses_bad_input_alike(case: str, tmp_path: Path) -> None:
    make, expected = CASES[case]
    arguments = make(tmp_path)
    before = _tree(tmp_path)
    done = subprocess.run(
        [COMMAND, "fit", *arguments, "--output", tmp_path / "result"], capture_output=True, text=True, check=False
    )
    if case == "10 GB NumPy" and done.returncode == 2:
        # Where there is memory for it, the zeros of a sparse file are refused too.
        expected = f"{expected}|is constant"
    assert done.returncode == 2, done.stderr
    assert _is_one_sentence(done.stderr), done.stderr
    assert re.search(expected, done.stderr), done.stderr
    assert _tree(tmp_path) == before


def _target_file(folder: Path) -> Path:
    (folder / "result").write_text("a file")
    return folder / "result"


def _below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("a file")
    return folder / "file" / "result"


def _other_files(folder: Path) -> Path:
    (folder / "result").mkdir()
    (folder / "result" / "thesis.tex").write_text("years of work")
    return folder / "result"


def _earlier_result(folder: Path) -> Path:
    (folder / "result").mkdir()
    (folder / "result" / "fit.json").write_text("{}")
    return folder / "result"


@pytest.mark.parametrize(
    ("make", "options", "expected"),
    [
        (_target_file, (), "is a file or a link, and --output needs a folder"),
        (_below_a_file, (), "is a file, not a folder"),
        (_other_files, (), "holds other files; choose a new or empty folder"),
        (_other_files, ("--overwrite",), "holds other files; choose a new or empty folder"),
        (_earlier_result, (), "holds an earlier result; give --overwrite"),
    ],
)
def test_what_stands_in_the_place_of_the_output_is_never_lost(
    make: Callable[[Path], Path],
    options: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = make(tmp_path)
    arguments = _options(*options)(tmp_path)
    before = _tree(tmp_path)
    assert cli.main(["fit", *arguments, "--output", str(output)]) == 2
    stderr = capsys.readouterr().err
    assert _is_one_sentence(stderr), stderr
    assert re.search(expected, stderr), stderr
    assert _tree(tmp_path) == before


def test_a_place_without_permission_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is replaced.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cli.main(["fit", *_options()(tmp_path), "--output", str(tmp_path / "result")]) == 2
    assert re.search("no permission to write .*result", capsys.readouterr().err)


@pytest.mark.parametrize("suffix", simulation.SUFFIXES)
def test_a_full_disk_leaves_no_half_video(suffix: str, tmp_path: Path) -> None:
    """A limit on the size of a file makes the very write fail, as a full disk does."""
    command: list[str | Path] = [COMMAND, "simulate", tmp_path / f"video{suffix}", "--quiet"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 2, done.stderr
    assert _is_one_sentence(done.stderr), done.stderr
    assert "no space is left" in done.stderr
    assert _tree(tmp_path) == {}


def test_no_space_left_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "replacing", full)
    assert cli.main(["simulate", str(tmp_path / "video.tif"), "--quiet"]) == 2
    assert "no space is left" in capsys.readouterr().err


def test_an_interrupted_command_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    command: list[str | Path] = [COMMAND, "simulate", tmp_path / "video.tif", "--size", "512", "--frames", "2000"]

    def heed_interrupts() -> None:
        # A shell that starts the tests in the background has them ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as process:
        assert process.stderr is not None
        # The first line of progress comes at a quarter; interrupt well before, and after start-up.
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "safe-pit-cm: interrupted; nothing was written"
    assert "Traceback" not in stderr
    assert _tree(tmp_path) == {}


def test_an_error_of_ours_is_not_blamed_on_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a mistake of ours")

    monkeypatch.setattr(simulation, "simulate", broken)
    assert cli.main(["simulate", str(tmp_path / "video.tif")]) == 1
    assert "please report it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["video.mp4"], "video.mp4 has a suffix that cannot be written"),
        (["video.tif", "--size", "big"], "'big' is not a size"),
        (["video.tif", "--boundary", "insulated"], "insulated is now called no-flux"),
        (["video.tif", "--dt", "0"], "--dt must be a positive number"),
        (["video.tif", "--frames", "two"], "invalid int value"),
    ],
)
def test_settings_of_a_simulation_that_cannot_work_are_refused(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["simulate", str(tmp_path / arguments[0]), *arguments[1:]]) == 2
    stderr = capsys.readouterr().err
    assert _is_one_sentence(stderr), stderr
    assert expected in stderr
    assert _tree(tmp_path) == {}


def test_a_file_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "video.tif")
    assert cli.main(["simulate", path, "--quiet"]) == 0
    assert cli.main(["simulate", path, "--quiet"]) == 2
    assert "exists; give --overwrite" in capsys.readouterr().err
    assert cli.main(["simulate", path, "--quiet", "--overwrite"]) == 0
