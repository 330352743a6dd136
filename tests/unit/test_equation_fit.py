"""Fits of equations: values, error bars, boundaries, gaps, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import safe_pit_cm
from equation_videos import INTERVAL, SPACING, TRUTH, clean, noisy
from safe_pit_cm import cli
from safe_pit_cm.data import stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.equation_comparison import compare
from safe_pit_cm.models import catalogue

GRID: dict[str, Any] = {"dx": SPACING, "dt": INTERVAL}


def _z(found: xr.Dataset, truth: tuple[float, ...]) -> np.ndarray[Any, Any]:
    coefficients = list(found.attrs["coefficients"].values())[: len(truth)]
    return np.array([(each["value"] - true) / each["stderr"] for each, true in zip(coefficients, truth, strict=True)])


@pytest.mark.parametrize("name", ["fisher-kpp", "cahn-hilliard", "advection-diffusion-decay", "diffusion-source"])
def test_coefficients_are_found_within_their_errors(name: str) -> None:
    found = safe_pit_cm.fit(noisy(name), model=name, boundary="periodic", **GRID)
    assert np.abs(_z(found, TRUTH[name])).max() < 3.5
    assert found.attrs["fits"], found.attrs["verdict"]
    assert found.attrs["time_step_bias"] < 0.1
    for one, row in found.attrs["correlations"].items():
        assert row[one] == pytest.approx(1)
        assert all(abs(value) <= 1 + 1e-9 for value in row.values())


def test_two_fields_are_fitted_together() -> None:
    video = noisy("gray-scott", 0.01, size=16, frames=31)
    found = safe_pit_cm.fit(video, model="gray-scott", boundary="periodic", **GRID)
    assert np.abs(_z(found, TRUTH["gray-scott"])).max() < 3.5
    with pytest.raises(UserError, match="fields u, v"):
        safe_pit_cm.fit(video.isel(field=0), model="gray-scott", boundary="periodic", **GRID)


def test_the_name_and_the_text_of_an_equation_give_the_same_fit() -> None:
    video = noisy("diffusion-source")
    named = safe_pit_cm.fit(video, model="diffusion-source", boundary="periodic", **GRID)
    text = catalogue.named("diffusion-source").source
    written = safe_pit_cm.fit(video, equation=text, bounds={"D": (0, None)}, boundary="periodic", **GRID)
    for name, each in named.attrs["coefficients"].items():
        assert written.attrs["coefficients"][name]["value"] == pytest.approx(each["value"], abs=1e-2 * each["stderr"])


def test_diffusion_as_an_equation_equals_the_fit_of_diffusion() -> None:
    video = noisy("diffusion-source")
    plain = safe_pit_cm.fit(video, boundary="periodic", **GRID)
    named = safe_pit_cm.fit(video, equation="K*laplace(u)", boundary="periodic", **GRID)
    found = named.attrs["coefficients"]["K"]
    assert found["value"] == plain.attrs["diffusivity"]
    assert found["stderr"] == plain.attrs["stderr"]
    assert found["ci95"] == plain.attrs["ci95"]


def test_the_closed_form_of_diffusion_equals_the_likelihood_of_today() -> None:
    from safe_pit_cm.inference.equation_fit import fit_equation

    video = noisy("diffusion-source")
    video = video - video.mean(("y", "x"))
    plain = safe_pit_cm.fit(video, boundary="periodic", **GRID).attrs
    general = fit_equation(video, catalogue.named("diffusion"), boundary="periodic", **GRID).attrs["coefficients"]["D"]
    # Weights are of bands along another measure of the wavenumber.
    assert general["value"] == pytest.approx(plain["diffusivity"], abs=0.2 * plain["stderr"])
    assert general["stderr"] == pytest.approx(plain["stderr"], rel=0.05)


@pytest.mark.parametrize("boundary", ["open", "no-flux"])
def test_frames_with_an_edge(boundary: Any) -> None:
    if boundary == "open":
        video = noisy("fisher-kpp").isel(y=slice(4, 28), x=slice(4, 28))
    else:
        half = _mirrored_video(clean("fisher-kpp", size=16, frames=2)[0, 0])
        video = xr.DataArray(half, dims=("time", "y", "x"))
    found = safe_pit_cm.fit(video, model="fisher-kpp", boundary=boundary, **GRID)
    assert np.abs(_z(found, TRUTH["fisher-kpp"])).max() < 3.5
    assert found.attrs["fits"], found.attrs["verdict"]


def _mirrored_video(quarter: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Solution without flux through the edges, by mirror images on a periodic grid, with noise."""
    import torch

    from safe_pit_cm.evolution.compiled import Compiled, Grid
    from safe_pit_cm.evolution.solver import Solver

    rows, columns = quarter.shape
    whole = np.concatenate([quarter, quarter[::-1]], axis=0)
    whole = np.concatenate([whole, whole[:, ::-1]], axis=1)
    grid = Grid((2 * rows, 2 * columns), (SPACING, SPACING))
    solver = Solver(Compiled(catalogue.named("fisher-kpp"), grid), np.arange(31) * INTERVAL, 16)
    frames = solver.solve(TRUTH["fisher-kpp"], torch.from_numpy(whole)[None]).fields[:, 0, :rows, :columns].numpy()
    return np.asarray(frames + 0.02 * np.random.default_rng(4).standard_normal(frames.shape))


def test_missing_frames_missing_pixels_and_uneven_times() -> None:
    video = noisy("fisher-kpp").assign_coords(time=np.arange(41) * INTERVAL)
    frames = video.to_numpy().copy()
    frames[7] = frames[20:22] = np.nan
    frames[:, 3:6, 10:14] = np.nan
    video = video.copy(data=frames).isel(time=[*range(25), *range(25, 41, 3)])
    found = safe_pit_cm.fit(video, model="fisher-kpp", boundary="periodic", dx=SPACING)
    assert np.abs(_z(found, TRUTH["fisher-kpp"])).max() < 3.5
    assert found.attrs["frames"] == 41 - 3 - 10


def test_gain_and_offset_are_found_where_the_equation_has_levels() -> None:
    video = 100 * noisy("fisher-kpp") + 30
    found = safe_pit_cm.fit(video, model="fisher-kpp", affine=True, boundary="periodic", **GRID)
    assert np.abs(_z(found, (*TRUTH["fisher-kpp"], 100.0, 30.0))).max() < 3.5
    with pytest.raises(UserError, match="linear"):
        safe_pit_cm.fit(video, model="diffusion-decay", affine=True, boundary="periodic", **GRID)


def test_a_wrong_equation_is_refused_and_the_right_one_preferred() -> None:
    video = noisy("fisher-kpp")
    records = compare(
        video,
        [catalogue.named(name) for name in ("diffusion-decay", "allen-cahn", "fisher-kpp")],
        boundary="periodic",
        **GRID,
    )
    assert records[0]["model"] == "fisher-kpp"
    assert records[0]["fits"]
    for each in records[1:]:
        assert not each["fits"]
        assert each["goodness_of_fit"] < 1e-3
        assert each["aic_difference"] > 10


@pytest.mark.parametrize(
    ("equation", "names"), [("D*laplace(u) + a*u - b*u", "a and b"), ("D*laplace(u) + r*k*u*(1 - u)", "r and k")]
)
def test_coefficients_that_cannot_be_told_apart_are_named(equation: str, names: str) -> None:
    with pytest.raises(UserError, match=f"cannot tell {names} .* apart"):
        safe_pit_cm.fit(noisy("fisher-kpp"), equation=equation, boundary="periodic", **GRID)


def test_a_profile_interval_agrees_with_the_standard_error_where_the_likelihood_is_a_parabola() -> None:
    found = safe_pit_cm.fit(noisy("fisher-kpp"), model="fisher-kpp", profile=True, boundary="periodic", **GRID)
    assert found.attrs["intervals"] == "profile likelihood"
    for each in found.attrs["coefficients"].values():
        low, high = each["ci95"]
        assert (each["value"] - low) / each["stderr"] == pytest.approx(1.96, rel=0.1)
        assert (high - each["value"]) / each["stderr"] == pytest.approx(1.96, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "fisher-kpp", "boundary": "dirichlet"}, "dirichlet"),
        ({"model": "advection-diffusion", "boundary": "no-flux"}, "mirror"),
        ({"model": "fisher-kpp", "discretisation": "euler"}, "euler"),
        ({"model": "fisher-kpp", "method": "safe"}, "diffusion alone"),
        ({"model": "fisher-kpp", "nuisances": "gain"}, "affine"),
        ({"model": "fisher-kpp", "process": "mobility"}, "process"),
        ({"fix": {"K": 1}}, "give one"),
        ({"model": "fisher-kpp", "equation": "u"}, "either"),
        ({"model": "diffusion", "fix": {"D": 1}}, "nothing to estimate"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    settings = {
        "boundary": "periodic",
        "substep": 0.01 if options.get("discretisation") == "euler" else None,
        **options,
    }
    with pytest.raises(UserError, match=message):
        safe_pit_cm.fit(noisy("fisher-kpp"), **settings, **GRID)


def test_a_film_that_is_too_large_is_refused_before_the_fit_starts() -> None:
    video = xr.DataArray(np.random.default_rng(0).random((60, 1200, 1200), dtype=np.float32), dims=("time", "y", "x"))
    with pytest.raises(UserError, match="bin its pixels"):
        safe_pit_cm.fit(video, model="fisher-kpp", boundary="periodic", **GRID)


def test_the_command_writes_coefficients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "film.npy", noisy("fisher-kpp").to_numpy().astype(np.float32))
    options = ["--dx", "0.5", "--dt", "0.25", "--boundary", "periodic", "--quiet", "--length-unit", "µm"]
    text = ["--equation", "D*laplace(u) + r*u*(1 - u/K)", "--fix", "K=1", "--bounds", "D=0:"]
    assert cli.main(["fit", str(tmp_path / "film.npy"), *options, *text, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out/fit.json").read_text(encoding="utf-8"))
    assert record["coefficients"]["D"]["unit"] == "µm²"
    assert record["coefficients"]["r"]["value"] == pytest.approx(0.2, abs=0.002)
    assert record["fixed"] == {"K": 1.0}
    assert stores.read(tmp_path / "out/fit.zarr", "equation").attrs["coefficients"] == record["coefficients"]
    assert "D = 0.3" in capsys.readouterr().out
    broken = ["--equation", "D*laplace(u", "--output", str(tmp_path / "other")]
    assert cli.main(["fit", str(tmp_path / "film.npy"), *options, *broken]) == 2
    assert "at column" in capsys.readouterr().err
