"""Random configurations, command lines, equations and films: accepted or answered in a sentence, without a traceback.

A few dozen cases here; a thousand each, from a random seed, with -m long.
"""

import copy
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
import yaml
import zarr
from PIL import Image

import safe_pit_cm
from checkout import ROOT
from films import write_movie
from safe_pit_cm import cli, config
from safe_pit_cm.errors import UserError
from safe_pit_cm.models.model import Model
from safe_pit_cm.video import reading

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
# A film of a few hundred bytes must not ask for more.
MEMORY = 6_000_000_000


def seed() -> int:
    """Seed of the long version: another one each time, repeated by FUZZ_SEED."""
    chosen = int(os.environ.get("FUZZ_SEED", time.time_ns() % 1_000_000))
    print(f"FUZZ_SEED={chosen}")
    return chosen


def odd(draw: random.Random, value: Any) -> Any:
    """Another value, often absurd."""
    number = draw.choice([0, -1, 1, 2, 3, 7, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 1e308, 1e-308, -0.0, 0.5])
    choices: list[Any] = [
        *(number, -number, float(number), float("inf"), float("nan"), None, True, False, "", "1e-3", "ten", "\0"),
        *([], [number], [number, "x"], [[1]], {}, {"a": 1}, [0, 0], [value], [value] * 3, list(range(20))),
    ]
    if isinstance(value, int | float) and not isinstance(value, bool):
        choices += [value * 2, value + 1, value - 1, value / 2, value * 1e6, -value] * 2
    if isinstance(value, list):
        choices += [value[::-1], value * 2, value[:1], [*value, number], [number] * len(value)] * 2
    return draw.choice(choices)


def mutated(draw: random.Random) -> dict[str, Any]:
    """The configuration of the paper with one to three values replaced, removed or added."""
    mutant = copy.deepcopy(CONFIG)
    for _ in range(draw.randint(1, 3)):
        section = mutant
        key = draw.choice(list(section))
        while isinstance(section[key], dict) and section[key] and draw.random() < 0.95:
            section = section[key]
            key = draw.choice(list(section))
        match draw.random():
            case chance if chance < 0.05:
                del section[key]
                # The next mutation needs something to choose from.
                section.setdefault("other", 1)
            case chance if chance < 0.1:
                section[draw.choice(["x", "", "seed ", "größe", "../x"])] = odd(draw, 1)
            case _:
                section[key] = odd(draw, section[key])
    return mutant


def refusal(mutant: dict[str, Any]) -> str | None:
    """Why a configuration cannot be used, or None."""
    try:
        config.validate(mutant, SCHEMA)
    except UserError as error:
        return str(error)
    return None


def check_configurations(draw: random.Random, count: int) -> int:
    accepted = 0
    for _ in range(count):
        mutant = mutated(draw)
        sentences = refusal(mutant)
        if sentences is None:
            accepted += 1
        else:
            assert sentences.strip(), mutant
    return accepted


def test_a_configuration_is_accepted_or_every_key_is_named() -> None:
    accepted = check_configurations(random.Random(0), 150)
    assert 5 <= accepted < 100


@pytest.mark.long
def test_a_thousand_configurations() -> None:
    check_configurations(random.Random(seed()), 1000)


WORDS = [
    *("fit", "simulate", "frap", "verify", "trace", "crate", "film.npy", "missing.tif", "film.zarr", ".", "/dev/null"),
    *("--output", "--dx", "--dt", "--process", "--boundary", "--frames", "--roi", "--size", "--seed", "--results"),
    *("--diffusivity", "--noise", "--zip", "--overwrite", "--quiet", "--times", "--axes", "--help", "--version", "--"),
    *("1", "0", "-1", "1e400", "nan", "inf", "0:5", "5:0", "0:4,0:4", "8", "4x4", "1x1", "99999999999", "periodic"),
    *("out", "ö ö", "", "\u202e", "a" * 300, "mobility", "tyx", "$(touch x)", "; rm -rf /tmp/none", "%s"),
]


def check_commands(draw: random.Random, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(count):
        arguments = [draw.choice(WORDS[:6]), *draw.choices(WORDS[6:], k=draw.randint(0, 6))]
        code = cli.main(arguments)
        shown = capsys.readouterr()
        assert code in {0, 2}, (arguments, shown.err)
        assert "Traceback" not in shown.err, arguments
        assert code == 0 or shown.err.strip(), arguments


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a film in it, too short to fit for long."""
    np.save(tmp_path / "film.npy", np.random.default_rng(0).random((3, 8, 8)).astype("f4"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_command_line_is_run_or_answered_in_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_commands(random.Random(0), 60, capsys)
    assert not (folder / "x").exists()


@pytest.mark.long
def test_a_thousand_command_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = seed()
    check_commands(random.Random(number), 1000, capsys)


def expression(draw: random.Random, depth: int = 0) -> str:
    """A right-hand side of an evolution equation, most often a senseless one."""
    kind = draw.random()
    if depth > 3 or kind < 0.3:
        return draw.choice(["u", "D", "K", "r", "1", "2.5", "0", "1e14", "1e-9", "-u"])
    if kind < 0.6:
        return f"({expression(draw, depth + 1)} {draw.choice('+-*/')} {expression(draw, depth + 1)})"
    if kind < 0.7:
        return f"{expression(draw, depth + 1)}**{draw.choice(['2', '3', '-1', '0.5', 'K', '8'])}"
    function = draw.choice(["laplace", "dx", "dy", "exp", "log", "sqrt", "sin", "tanh"])
    return f"{function}({expression(draw, depth + 1)})"


def film_of_a_wave() -> xr.DataArray:
    """A small film of a wave that fades."""
    place = 2 * np.pi * np.arange(12) / 12
    wave = np.sin(place)[:, None] * np.cos(place)
    noise = 0.01 * np.random.default_rng(0).normal(size=(6, 12, 12))
    return xr.DataArray(1 + 0.3 * np.exp(-0.1 * np.arange(6))[:, None, None] * wave + noise, dims=("time", "y", "x"))


def check_equations(draw: random.Random, count: int) -> int:
    """Fit so many equations that can be read to a film; returns how many gave a result."""
    film = film_of_a_wave()
    accepted = results = 0
    while accepted < count:
        equation = draw.choice(["{}", "D*laplace(u) + {}"]).format(expression(draw))
        try:
            Model.of_text(equation)
        except UserError:
            continue
        accepted += 1
        print(equation)
        with suppress(UserError):
            safe_pit_cm.fit(film, equation=equation, boundary="periodic", dx=1.0, dt=1.0)
            results += 1
    return results


def test_an_equation_is_fitted_or_answered_in_a_sentence() -> None:
    assert check_equations(random.Random(1), 12)


@pytest.mark.parametrize(
    "equation",
    [
        "D*laplace(u) + sqrt(log(D*1e-9))",
        "D*laplace(u) + r**K/tanh(1e14)",
        "1e-9/(u*u) + log(1e14 - K) - dy(log(1e-9) + u)",
        "exp((u + D + 1e14)**3)",
    ],
)
def test_an_equation_without_a_real_value_is_answered_in_a_sentence(equation: str) -> None:
    with pytest.raises(UserError, match=r"no real solution|did not converge|grows without bound|cannot tell"):
        safe_pit_cm.fit(film_of_a_wave(), equation=equation, boundary="periodic", dx=1.0, dt=1.0)


@pytest.mark.long
def test_a_thousand_equations() -> None:
    check_equations(random.Random(seed()), 1000)


# Reads films in a process of its own, whose memory is limited: a decoder may crash.
READER = """
import json, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from safe_pit_cm.errors import UserError
from safe_pit_cm.video import reading
warnings.simplefilter("ignore")
for line in sys.stdin:
    path = json.loads(line)
    print(json.dumps(path), flush=True)
    try:
        reading.read(path, dx=1.0, dt=1.0)
    except UserError as error:
        assert str(error).strip()
"""


def _npy(path: Path, frames: Any) -> None:
    np.save(path, frames)


def _tiff(path: Path, frames: Any) -> None:
    tifffile.imwrite(path, frames, photometric="minisblack")


def _packed_tiff(path: Path, frames: Any) -> None:
    tifffile.imwrite(path, frames, photometric="minisblack", compression="zlib", ome=True, metadata={"axes": "TYX"})


def _hdf5(path: Path, frames: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("film", data=frames, compression="gzip")


def _movie(path: Path, frames: Any) -> None:
    write_movie(path, frames, "ffv1", "gray")


def _png(path: Path, frames: Any) -> None:
    Image.fromarray(frames[0]).save(path)


WRITERS: dict[str, Callable[[Path, Any], None]] = {
    ".npy": _npy,
    ".npz": lambda path, frames: np.savez_compressed(path, film=frames),
    ".tif": _tiff,
    ".ome.tif": _packed_tiff,
    ".h5": _hdf5,
    ".mkv": _movie,
    ".png": _png,
}


def damage(draw: random.Random, content: bytes) -> bytes:
    """Cut, flip, repeat or overwrite parts of a file, most often of its header."""
    mutant = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        if not mutant:
            break
        place = draw.randrange(min(len(mutant), draw.choice([64, 512, len(mutant)])))
        match draw.randrange(5):
            case 0:
                mutant[place] ^= 1 << draw.randrange(8)
            case 1:
                mutant[place : place + 4] = draw.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"9999"])
            case 2:
                del mutant[place : place + draw.randrange(1, 64)]
            case 3:
                mutant[place:place] = mutant[place : place + 32]
            case _:
                del mutant[place : None if draw.random() < 0.3 else place + 1]
    return bytes(mutant)


def check_films(draw: random.Random, count: int, folder: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16), dtype=np.uint8)
    for suffix, write in WRITERS.items():
        write(folder / f"good{suffix}", frames)
    zarr.create_array(folder / "good.zarr", data=frames, chunks=(1, 16, 16))
    paths = []
    for number in range(count):
        suffix = draw.choice([*WRITERS, ".zarr"])
        # One in ten has the suffix of another format.
        named = suffix if draw.random() < 0.9 else draw.choice(list(WRITERS))
        path = folder / f"film-{number}{named if suffix != '.zarr' else suffix}"
        if suffix == ".zarr":
            path.mkdir()
            for file in (folder / "good.zarr").rglob("*"):
                if file.is_file():
                    target = path / file.relative_to(folder / "good.zarr")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(damage(draw, file.read_bytes()) if draw.random() < 0.5 else file.read_bytes())
        else:
            path.write_bytes(damage(draw, (folder / f"good{suffix}").read_bytes()))
        paths.append(str(path))
    done = subprocess.run(
        [sys.executable, "-c", READER, str(MEMORY)],
        input="".join(f"{json.dumps(path)}\n" for path in paths),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60 + 2 * count,
    )
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last}: {done.stderr[-3000:]}"
    assert len(done.stdout.splitlines()) == count


def test_a_damaged_film_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    check_films(random.Random(0), 100, tmp_path)


@pytest.mark.long
def test_a_thousand_damaged_films(tmp_path: Path) -> None:
    check_films(random.Random(seed()), 1000, tmp_path)


def test_pages_that_form_a_circle_are_refused(tmp_path: Path) -> None:
    # The last page of a TIFF names the first as the next one.
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, np.zeros((3, 16, 16), "u1"), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1]
        assert isinstance(last, tifffile.TiffPage)
        content = bytearray(path.read_bytes())
        place = last.offset + 2 + 12 * len(last.tags)
    content[place : place + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UserError, match="circle"):
        reading.read(path, dx=1.0, dt=1.0)
