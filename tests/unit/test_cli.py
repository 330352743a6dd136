"""The command line measures what it simulated, and writes all of its results or none."""

import hashlib
import json
import math
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from films import noisy, smooth
from safe_pit_cm import cli
from safe_pit_cm.data import stores
from safe_pit_cm.inference import fit as estimation
from safe_pit_cm.video import simulation

COMMAND = Path(sys.executable).with_name("safe-pit-cm")
SIMULATE = ("--diffusivity", "0.35", "--dx", "0.65", "--dt", "0.2", "--size", "32", "--frames", "20", "--quiet")
NAMES = {"fit.json", "fit.png", "fit.zarr", "index.html"}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.tif"
    assert cli.main(["simulate", str(path), "--boundary", "periodic", *SIMULATE]) == 0
    return path


def _fit(film: Path, *options: str, output: str = "result") -> Path:
    target = film.with_name(output)
    assert cli.main(["fit", str(film), "--boundary", "periodic", "--output", str(target), "--quiet", *options]) == 0
    return target


def test_a_simulated_film_is_measured_within_its_error_bar(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    target = _fit(film)
    output = capsys.readouterr().out
    assert {path.name for path in target.iterdir()} == NAMES
    record = json.loads((target / "fit.json").read_text(encoding="utf-8"))
    assert abs(record["diffusivity"] - 0.35) < 4 * record["stderr"]
    assert record["alpha"] == -record["diffusivity"]
    assert record["ci95"][0] < record["diffusivity"] < record["ci95"][1]
    assert record["stderr"] < 0.002
    assert record["fits"] is True
    assert (record["boundary"], record["discretisation"]) == ("periodic", "continuous")
    assert "operator" not in record
    assert record["units"]["diffusivity"] == "µm^2/s"
    assert re.match(r"D = 0\.3\d+ ± 0\.000\d+ µm²/s \(statistical\), 95 % interval 0\.3\d+ to 0\.3\d+\n", output)
    assert record["verdict"] in output


def test_the_store_is_checked_and_holds_the_record(film: Path) -> None:
    target = _fit(film)
    found = stores.read(target / "fit.zarr", "measurement")
    record = json.loads((target / "fit.json").read_text(encoding="utf-8"))
    assert {key: found.attrs[key] for key in record} == record
    assert {"observed", "predicted", "residual"} <= set(found.data_vars)


def test_two_runs_write_the_same_bytes(film: Path) -> None:
    def digests(target: Path) -> dict[str, str]:
        return {
            str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(target.rglob("*"))
            if path.is_file()
        }

    assert digests(_fit(film)) == digests(_fit(film, output="again"))


def test_the_page_needs_no_other_file_and_cannot_be_broken_by_a_name(film: Path) -> None:
    evil = film.rename(film.with_name("<script>alert(1)<!--.tif"))
    page = (_fit(evil) / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "D = 0.3" in page


def test_a_film_that_sharpens_has_a_positive_coefficient(film: Path) -> None:
    backwards = film.with_name("backwards.tif")
    assert cli.main(["simulate", str(backwards), "--boundary", "periodic", "--process", "mobility", *SIMULATE]) == 0
    record = json.loads((_fit(backwards, "--process", "mobility") / "fit.json").read_text(encoding="utf-8"))
    assert record["alpha"] == record["diffusivity"] > 0
    assert abs(record["alpha"] - 0.35) < 4 * record["stderr"]


def test_options_for_scale_reach_the_result(film: Path) -> None:
    plain = json.loads((_fit(film) / "fit.json").read_text(encoding="utf-8"))
    options = ("--dx", "1.3", "--dt", "0.1", "--length-unit", "nm", "--time-unit", "h")
    scaled = json.loads((_fit(film, *options, output="scaled") / "fit.json").read_text(encoding="utf-8"))
    # (2 Δx)² / (Δt / 2)
    assert math.isclose(scaled["diffusivity"], 8 * plain["diffusivity"], rel_tol=1e-6)
    assert scaled["units"]["diffusivity"] == "nm^2/h"


def test_frames_are_cut_with_their_times(film: Path) -> None:
    record = json.loads((_fit(film, "--frames", "2:20:2") / "fit.json").read_text(encoding="utf-8"))
    assert record["frames"] == 9
    assert math.isclose(record["dt"], 0.4, rel_tol=1e-6)
    assert abs(record["diffusivity"] - 0.35) < 4 * record["stderr"]


def test_the_command_gives_what_the_python_function_gives(film: Path) -> None:
    record = json.loads((_fit(film) / "fit.json").read_text(encoding="utf-8"))
    settings = simulation.Settings(
        diffusivity=0.35, dx=0.65, dt=0.2, size=(32, 32), frames=20, boundary="periodic", length_unit="µm"
    )
    found = estimation.fit(simulation.simulate(settings), boundary="periodic")
    assert math.isclose(found.attrs["diffusivity"], record["diffusivity"], rel_tol=1e-6)


def test_earlier_results_are_replaced_only_when_asked(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = _fit(film)
    before = (target / "fit.json").read_bytes()
    assert cli.main(["fit", str(film), "--output", str(target), "--quiet"]) == 2
    assert (target / "fit.json").read_bytes() == before
    _fit(film, "--frames", "0:15", "--overwrite")
    assert json.loads((target / "fit.json").read_text(encoding="utf-8"))["frames"] == 15


@pytest.mark.parametrize("limit", [500, 20_000, 150_000])
def test_a_full_disk_leaves_neither_half_a_result_nor_an_earlier_one_harmed(limit: int, film: Path) -> None:
    """A limit on the size of a file makes the very write fail, as a full disk does."""
    target = _fit(film)
    before = {path: path.stat().st_mtime_ns for path in film.parent.rglob("*")}
    options = ("--boundary", "periodic", "--output", target, "--overwrite", "--quiet")
    command: list[str | Path] = [COMMAND, "fit", film, *options]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert "no space is left" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    after = {path: path.stat().st_mtime_ns for path in film.parent.rglob("*")}
    # Only the folder around it was touched.
    assert {**after, film.parent: 0} == {**before, film.parent: 0}


def test_a_mask_leaves_pixels_out(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, np.ndarray[tuple[int, int], np.dtype[np.bool_]]] = {}
    original = estimation.fit

    def fit(video: xr.DataArray, **options: object) -> xr.Dataset:
        seen["mask"] = options.pop("mask")  # type: ignore[assignment]
        return original(video, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(estimation, "fit", fit)
    image = np.zeros((32, 32), np.uint8)
    image[10:20, 20:] = 255
    Image.fromarray(image).save(film.with_name("mask.png"))
    _fit(film, "--mask", str(film.with_name("mask.png")), "--roi", "8:32,4:32")
    np.testing.assert_array_equal(seen["mask"], image[8:, 4:] > 0)


def test_nuisances_are_chosen_by_name(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def nuisances(*options: str, output: str) -> set[str]:
        return set(json.loads((_fit(film, *options, output=output) / "fit.json").read_text("utf-8"))["nuisances"])

    assert nuisances(output="auto") == set()
    assert nuisances("--nuisances", "background,bleaching", output="two") == {"background", "bleaching"}
    assert nuisances("--background", "--bleaching", output="same") == {"background", "bleaching"}
    capsys.readouterr()
    wrong = ["fit", str(film), "--nuisances", "dirt", "--output", str(film.with_name("wrong")), "--quiet"]
    assert cli.main(wrong) == 2
    assert capsys.readouterr().err.startswith("safe-pit-cm: 'dirt' is no nuisance; choose auto, none, all, or some of")


def test_a_film_that_only_bounds_the_coefficient_is_a_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "still.npy"
    np.save(path, noisy(np.repeat(smooth()[None], 8, axis=0)))
    scale = ("--dx", "0.5", "--dt", "0.25", "--length-unit", "µm", "--time-unit", "s")
    target = _fit(path, *scale)
    assert {each.name for each in target.iterdir()} == NAMES
    record = json.loads((target / "fit.json").read_text(encoding="utf-8"))
    assert record["diffusivity"] is None
    assert record["bound"]["kind"] == "upper"
    assert record["grade"] == "undetermined"
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"D < \S.* µm²/s \(95 %\)", first)
    assert second == record["verdict"]


def test_help_and_version_answer_without_heavy_imports() -> None:
    for arguments in (["--version"], ["fit", "--help"], ["frap", "--help"], ["simulate", "--help"]):
        code = (
            f"import sys\nfrom safe_pit_cm.cli import main\nassert main({arguments!r}) == 0\n"
            "assert not {'numpy', 'torch', 'xarray', 'matplotlib', 'scipy'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "example:" in done.stdout


@pytest.mark.parametrize("command", ["crate", "verify"])
def test_a_path_that_is_too_long_ends_in_a_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "a" * 5000]) == 2
    assert "longer than the file system allows: aaaa" in capsys.readouterr().err


def test_several_films_are_measured_in_one_go_and_a_bad_one_stops_no_other(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good, target = film.with_name("bad.tif"), film.with_name("good.tif"), film.with_name("results")
    bad.write_bytes(film.read_bytes()[:2000])
    good.write_bytes(film.read_bytes())
    capsys.readouterr()
    command = ["fit", str(film), str(bad), str(good), "--boundary", "periodic", "--output", str(target), "--quiet"]
    assert cli.main(command) == 2
    told = capsys.readouterr()
    assert [line for line in told.out.splitlines() if line.endswith(":")] == ["film:", "good:"]
    assert told.err.startswith("safe-pit-cm: bad: ")
    assert told.err.splitlines()[-1] == "safe-pit-cm: 1 of 3 videos were not measured: bad; see above"
    assert {path.name for path in target.iterdir()} == {"film", "good"}
    for name in ("film", "good"):
        assert {path.name for path in (target / name).iterdir()} == NAMES
    alone = json.loads((_fit(film) / "fit.json").read_text(encoding="utf-8"))
    assert json.loads((target / "film" / "fit.json").read_text(encoding="utf-8")) == alone
    # Nothing is measured where an earlier result, or another of the videos, is in the way.
    assert cli.main(command) == 2
    assert "film holds an earlier result" in capsys.readouterr().err
    assert cli.main(["fit", str(film), str(film), "--output", str(target)]) == 2
    assert "2 of the videos would write" in capsys.readouterr().err


def test_a_fit_of_a_diffusion_coefficient_needs_neither_torch_nor_sympy(film: Path) -> None:
    target = film.with_name("result")
    code = (
        "import sys\nfrom safe_pit_cm.cli import main\n"
        f"assert main(['fit', {str(film)!r}, '--boundary', 'periodic', '--output', {str(target)!r}]) == 0\n"
        "assert not {'torch', 'sympy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_installed_command_fits(film: Path) -> None:
    command: list[str | Path] = [COMMAND, "fit", film, "--boundary", "periodic", "--output", film.with_name("result")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("D = 0.3")
    assert "reading" in done.stderr
    assert {path.name for path in film.with_name("result").iterdir()} == NAMES
