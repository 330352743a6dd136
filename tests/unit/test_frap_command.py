"""The command frap writes what fit writes, the recovery and a sentence for the paper, or one line of error."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr

from films import SPACING, bleached, noisy
from safe_pit_cm import cli
from safe_pit_cm.frap import analysis, figure, report
from safe_pit_cm.inference import fit

TIMES = np.arange(12.0)
D = 0.5
SCALE = ("--dx", str(SPACING), "--dt", "1", "--length-unit", "µm", "--time-unit", "s")
# The quickest boundary: these tests are about the command.
BOUNDARY = ("--boundary", "no-flux")
NAMES = {"fit.json", "fit.png", "fit.zarr", "frap.json", "frap.png", "index.html"}
LIGHT = 800 + 4 * np.arange(48.0)[:, None] + 2 * np.arange(48.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with three frames from before bleaching, the same film without, and images that belong to it."""
    folder = tmp_path_factory.mktemp("frap")
    field = bleached(size=48, centre=(24.2, 22.7), width=5.0, diffusivity=D, times=TIMES)
    field = np.concatenate([np.ones((3, 48, 48)), field])
    film = (100 + noisy(field, 2, 0.01) * LIGHT).astype(np.uint16)
    np.save(folder / "whole.npy", film)
    np.save(folder / "film.npy", film[3:])
    tifffile.imwrite(folder / "before.tif", film[:3].mean(0).astype(np.float32))
    tifffile.imwrite(folder / "dark.tif", np.full((48, 48), 100, np.uint16))
    mask = np.zeros((48, 48), np.uint8)
    mask[40:, 40:] = 1
    tifffile.imwrite(folder / "mask.tif", mask)
    tifffile.imwrite(folder / "small.tif", np.full((40, 48), 900, np.uint16))
    return folder


def _run(folder: Path, *options: str, film: str = "film.npy", output: str = "result") -> int:
    return cli.main(["frap", str(folder / film), *SCALE, *BOUNDARY, "--output", str(folder / output), *options])


@pytest.fixture(scope="module")
def fitted() -> list[xr.Dataset]:
    """Results of the fit, which takes seconds, for tests that can do with one that was had before."""
    return []


@pytest.fixture(scope="module")
def written(folder: Path, fitted: list[xr.Dataset]) -> Path:
    def kept(*args: Any, **options: Any) -> xr.Dataset:
        fitted.append(inference_fit(*args, **options))
        return fitted[-1]

    before = ("--prebleach", str(folder / "before.tif"), "--dark", str(folder / "dark.tif"))
    inference_fit = fit.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "fit", kept)
        assert _run(folder, *before, "--quiet", output="written") == 0
    return folder / "written"


def test_all_is_written(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == NAMES
    record = json.loads((written / "frap.json").read_text(encoding="utf-8"))
    assert record["spot"]["centre_pixels"] == pytest.approx([24.2, 22.7], abs=0.2)
    assert record["spot"]["radius"]["value"] == pytest.approx(5.0 * SPACING, rel=0.03)
    mobile = record["mobile_fraction"]
    assert abs(mobile["value"] - 1) < 4 * mobile["stderr"]
    curve = next(each for each in record["classical"] if each["method"] == "disc_curve")
    assert abs(curve["value"] - D) < 4 * curve["stderr"]
    assert record["half_time"]["value"] == pytest.approx(0.224 * (5.0 * SPACING) ** 2 / D, rel=0.15)
    assert len(record["recovery"]["value"]) == len(TIMES) == len(record["width"]["variance"])
    fit = json.loads((written / "fit.json").read_text(encoding="utf-8"))
    assert record["maximum_likelihood"]["diffusivity"] == fit["diffusivity"]
    assert (fit["input"]["dark"], fit["input"]["prebleach"]) == ("dark.tif", "before.tif")


def test_the_page_has_the_sentence_for_the_paper_and_needs_no_other_file(written: Path) -> None:
    page = (written / "index.html").read_text(encoding="utf-8")
    record = json.loads((written / "frap.json").read_text(encoding="utf-8"))
    assert record["sentence"] in page
    assert re.match(r"D = .* µm²/s, mobile fraction .* ± .*, half time .* ± .* s; ", record["sentence"])
    assert "n = 12 frames over 11 s" in record["sentence"]
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64") == 2
    for each in record["classical"]:
        assert each["citation"] in page
        assert each["assumption"] in page


def test_frames_from_before_bleaching_may_be_part_of_the_film(
    folder: Path,
    written: Path,
    fitted: list[xr.Dataset],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fit, "fit", lambda *args, **options: fitted[0])
    options = ("--prebleach", "3", "--dark", "100", "--roi", "2:48,4:48", "--mask", str(folder / "mask.tif"))
    assert _run(folder, *options, film="whole.npy", output="parts") == 0
    shown = capsys.readouterr()
    assert "spot: row 24." in shown.out
    assert "for the paper: D = " in shown.out
    assert "analysing the recovery" in shown.err
    alone, part = (
        json.loads((place / "frap.json").read_text(encoding="utf-8")) for place in (written, folder / "parts")
    )
    assert part["spot"]["centre_pixels"] == pytest.approx(alone["spot"]["centre_pixels"], abs=0.05)
    assert part["mobile_fraction"]["value"] == pytest.approx(alone["mobile_fraction"]["value"], abs=0.02)


@pytest.mark.parametrize(
    ("film", "options", "message"),
    [
        ("film.npy", ["--prebleach", "10"], "in 2 frames after bleaching"),
        ("film.npy", ["--prebleach", "0"], "--prebleach 0 of a film of 12 frames"),
        ("film.npy", ["--prebleach", "small.tif"], r"small\.tif"),
        ("film.npy", ["--prebleach", "none.tif"], r"none\.tif"),
        ("film.npy", ["--dark", "before.tif"], "no brighter than --dark"),
        ("film.npy", ["--spot", "90,20,5"], "--spot is not in the region"),
        ("film.npy", ["--spot", "20,20,0.2"], "radius of 0.2 pixels"),
        ("film.npy", ["--spot", "20,20"], "row, column and radius"),
        ("film.npy", ["--spot", "4,4,4"], "does not recover"),
        ("whole.npy", ["--frames", "0:3", "--prebleach", "before.tif"], "no bleached spot stands out"),
        ("film.npy", ["--boundary", "periodic"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_sentence(
    film: str, options: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folder / each) if each.endswith(".tif") else each for each in options]
    assert _run(folder, *given, "--quiet", film=film, output="wrong") == 2
    shown = capsys.readouterr()
    assert re.search(message, shown.err), shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""
    assert not (folder / "wrong").exists()


def test_a_result_is_replaced_only_when_asked(folder: Path, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(folder, "--quiet", output=written.name) == 2
    assert "--overwrite" in capsys.readouterr().err
    # A plain fit does not know the files of this command, and leaves them alone.
    arguments = ["fit", str(folder / "film.npy"), *SCALE, "--output", str(written), "--overwrite", "--quiet"]
    assert cli.main(arguments) == 2
    assert "holds other files" in capsys.readouterr().err


def _found(**facts: object) -> xr.Dataset:
    interval = [0.497, 0.528]
    plain = {"process": "diffusion", "diffusivity": 0.5123, "stderr": 0.0078, "ci95": interval, "total_ci95": interval}
    units = {"length": "µm", "time": "s", "diffusivity": "µm^2/s"}
    parts = ["some"] if facts.get("systematic") else []
    rest: dict[str, object] = {
        "total_stderr": 0.0078,
        "systematic": None,
        "bound": None,
        "effects": [],
        "nuisances": {},
        "parts": parts,
    }
    return xr.Dataset(attrs={**plain, **rest, "grade": "noise", "units": units, **facts})


# A film that does not determine D.
NO_VALUE: dict[str, object] = {
    **dict.fromkeys(("diffusivity", "stderr", "ci95", "systematic", "total_stderr", "total_ci95")),
    "grade": "undetermined",
}


@pytest.fixture(scope="module")
def analysed() -> tuple[analysis.Analysis, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    frames = noisy(bleached(size=48, centre=(24.2, 22.7), width=5.0, diffusivity=D, times=TIMES), 2, 0.01)
    positions = np.arange(48) * SPACING
    video = xr.DataArray(frames, dims=("time", "y", "x"), coords={"time": TIMES, "y": positions, "x": positions})
    return analysis.analyse(video, corrected=True), frames[0]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "D = 0.5123 ± 0.0078 (stat.) µm²/s"),
        ({"systematic": 0.126}, "D = 0.512 ± 0.008 (stat.) ± 0.126 (syst.) µm²/s"),
        ({"systematic": 0.0031}, "D = 0.5123 ± 0.0078 (stat.) ± 0.0031 (syst.) µm²/s"),
        ({"systematic": 0.126, "stderr": 0.0012}, "D = 0.512 ± 0.001 (stat.) ± 0.126 (syst.) µm²/s"),
        (
            {"systematic": 0.126e7, "diffusivity": 5123e3, "stderr": 78e3},
            "D = (5.12 ± 0.08 (stat.) ± 1.26 (syst.)) × 10⁶ µm²/s",
        ),
        (dict.fromkeys(["stderr", "ci95", "total_stderr", "total_ci95"]), "D = 0.5123 µm²/s, without an error bar"),
        ({"grade": "refused"}, None),
        ({**NO_VALUE, "bound": {"kind": "upper", "value": 0.0213}}, "D < 0.021 µm²/s (95 %)"),
        ({**NO_VALUE, "bound": {"kind": "lower", "value": 12.34}}, "D > 12 µm²/s (95 %)"),
        (NO_VALUE, None),
    ],
)
def test_the_coefficient_has_both_errors_or_is_a_bound_or_none(facts: dict[str, object], expected: str | None) -> None:
    assert report.coefficient(_found(**facts)) == expected


def test_there_is_no_sentence_for_the_paper_without_d(
    analysed: tuple[analysis.Analysis, np.ndarray[tuple[int, int], np.dtype[np.float64]]],
) -> None:
    found, _ = analysed
    for facts in ({"grade": "refused"}, NO_VALUE):
        assert report.sentence(found, _found(**facts)) is None
        assert report.lines(found, _found(**facts))[-1] == report.NOTHING
        assert report.record(found, _found(**facts))["sentence"] is None
    text = report.sentence(found, _found()) or ""
    assert text.startswith("D = 0.5123 ± 0.0078 (stat.) µm²/s, mobile fraction ")
    assert "surroundings" not in text
    without = report.sentence(replace(found, normalisation="reference"), _found()) or ""
    assert re.search(r"mobile fraction \d\.\d+ ± 0\.\d+ \(relative to the surroundings\), half time", without)


def test_estimates_that_exclude_one_another_are_pointed_out(
    analysed: tuple[analysis.Analysis, np.ndarray[tuple[int, int], np.dtype[np.float64]]],
) -> None:
    found, _ = analysed
    assert report.disagreement(found, _found()) is None
    assert "lies outside" in (report.disagreement(found, _found(diffusivity=0.2, total_ci95=[0.19, 0.21])) or "")
    assert report.disagreement(found, _found(diffusivity=0.2, total_ci95=[0.1, 0.6])) is None
    assert report.disagreement(found, _found(**NO_VALUE)) is None


@pytest.mark.parametrize("facts", [{}, {"total_ci95": [0.4, 0.6], "total_stderr": 0.05}, NO_VALUE])
def test_the_figure_is_drawn_alike_twice_and_for_a_film_that_only_bounds_d(
    facts: dict[str, object],
    analysed: tuple[analysis.Analysis, np.ndarray[tuple[int, int], np.dtype[np.float64]]],
    tmp_path: Path,
) -> None:
    found = _found(**facts)
    for name in ("one.png", "two.png"):
        figure.draw(*analysed, found, report.likelihood_estimate(found), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
