"""Baselines: what each method recovers, and what the table makes of it."""

import builtins
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from safe_pit_cm.equations.processes import Process, Propagation
from safe_pit_cm.errors import UserError
from safe_pit_cm.paper import baselines as table
from safe_pit_cm.simulation.integration import forward_euler
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.studies import baseline_fits, baseline_list
from safe_pit_cm.studies.baseline_list import BASELINES, LONG, QUICK

torch.set_num_threads(1)

DIFFUSIVITY, SPACING, STEP, SAVE_INTERVAL, FRAMES = 0.37, 0.5, 0.01, 25, 7
SETTINGS: dict[str, Any] = {
    "seed": 1,
    "substeps": SAVE_INTERVAL,
    "magnitude_low": 0.05,
    "magnitude_high": 1.0,
    "zero_shot": {"steps": 300, "learning_rate": 0.003},
    "estimator": {"pooled_size": 8, "channels": 8, "stride": 2, "features": 16, "heads": 4},
    "baselines": {
        "grid_points": 39,
        "population": 12,
        "generations": 10,
        "pinn_skip": 1,
        "pinn_frames": 6,
        "pinn_points": 300,
        "pinn_modes": 2,
        "pinn_width": 24,
        "pinn_steps": 1500,
    },
}
# How far off a method may be: Adam's last steps; Brent's tolerance and the data's float32; half the distance of the
# grid's coefficients; what its population resolves.
TOLERANCE = {"safe": 1e-4, "minimum": 1e-5, "grid": 0.0125, "genetic": 5e-3}
SEARCHES = [name for name, method in BASELINES.items() if method.approach in TOLERANCE]


def video_of(process: Process, start: np.ndarray | None = None) -> xr.Dataset:
    """Small clean video."""
    if start is None:
        start = np.random.default_rng(4).uniform(size=(16, 16))
    steps = (FRAMES - 1) * SAVE_INTERVAL
    frames = forward_euler(start, -DIFFUSIVITY, spacing=SPACING, step=STEP, steps=steps, save_interval=SAVE_INTERVAL)
    video = xr.Dataset(
        {"field": (("time", "y", "x"), frames)},
        coords={"time": np.arange(FRAMES) * STEP * SAVE_INTERVAL},
        attrs={
            "seed": 1,
            "parent": "004",
            "process": "diffusion",
            "transport_coefficient": -DIFFUSIVITY,
            "diffusivity": DIFFUSIVITY,
            "grid_spacing": SPACING,
            "time_step": STEP,
            "save_interval": SAVE_INTERVAL,
        },
    )
    return video if process == "diffusion" else reverse_time(video)


def problem(
    process: Process = "diffusion", propagation: Propagation = "stable", **changes: Any
) -> baseline_fits.Problem:
    """Problem with some settings of the section changed."""
    settings: Mapping[str, Any] = {**SETTINGS, "baselines": SETTINGS["baselines"] | changes}
    return baseline_fits.Problem(video_of(process), propagation, settings)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("process", ["diffusion", "mobility"])
def test_every_search_of_the_safe_loss_recovers_the_coefficient(name: str, process: Process) -> None:
    found = baseline_fits.find(name, problem(process))
    assert found.magnitude == pytest.approx(DIFFUSIVITY, abs=TOLERANCE[BASELINES[name].approach])


@pytest.mark.parametrize("name", [name for name in SEARCHES if BASELINES[name].approach != "safe"])
def test_a_search_counts_every_evaluation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    original = baseline_fits.Problem.loss

    def counted(self: baseline_fits.Problem, path: Any) -> Any:
        loss = original(self, path)

        def evaluate(magnitude: float) -> float:
            calls.append(magnitude)
            return loss(magnitude)

        return evaluate

    monkeypatch.setattr(baseline_fits.Problem, "loss", counted)
    found = baseline_fits.find(name, problem())
    assert found.evaluations == len(calls) > 1
    assert all(0.05 <= magnitude <= 1.0 for magnitude in calls)


@pytest.mark.parametrize("approach", ["safe", "grid", "genetic"])
def test_spectral_and_stencil_methods_find_the_same(approach: str) -> None:
    spectral = baseline_fits.find(f"{approach}_spectral", problem())
    stencil = baseline_fits.find(f"{approach}_stencil", problem())
    assert spectral.magnitude == pytest.approx(stencil.magnitude, abs=1e-4)
    assert spectral.evaluations == stencil.evaluations


def test_the_grid_takes_the_best_of_its_coefficients() -> None:
    # 0.05, 0.525, 1.0
    found = baseline_fits.find("grid_spectral", problem(grid_points=3))
    assert found.magnitude == pytest.approx(0.525)
    assert found.evaluations == 3


def test_the_genetic_algorithm_is_the_same_for_a_seed_and_another_for_another() -> None:
    same = [baseline_fits.find("genetic_spectral", problem()).magnitude for _ in range(2)]
    assert same[0] == same[1]
    other = baseline_fits.Problem(video_of("diffusion"), "stable", {**SETTINGS, "seed": 2})
    assert baseline_fits.find("genetic_spectral", other).magnitude != same[0]


def test_the_genetic_algorithm_leaves_the_caller_s_random_state_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    baseline_fits.find("genetic_spectral", problem())
    assert random.random() == expected


def test_more_generations_come_closer() -> None:
    errors = [
        abs(baseline_fits.find("genetic_spectral", problem(generations=number)).magnitude - DIFFUSIVITY)
        for number in (1, 40)
    ]
    assert errors[1] < 0.1 * errors[0]


@pytest.mark.parametrize(
    ("process", "propagation"), [("diffusion", "signed"), ("mobility", "signed"), ("mobility", "stable")]
)
def test_least_squares_is_numpy_s(process: Process, propagation: Propagation) -> None:
    case = problem(process, propagation)
    frames = case.frames.double().numpy()
    if process == "mobility" and propagation == "stable":
        frames = frames[::-1]
    neighbours = sum(np.roll(frames[:-1], shift, axis) for shift in (1, -1) for axis in (1, 2))
    curvature = (neighbours - 4 * frames[:-1]) / SPACING**2
    [slope], *_ = np.linalg.lstsq(curvature.reshape(-1, 1), np.diff(frames, axis=0).ravel(), rcond=None)
    # φ_{t+1} − φ_t = −α Δt_f ∇²φ_t, and the sign of α is that of the propagation.
    sign = 1 if (process, propagation) == ("mobility", "signed") else -1
    expected = sign * -slope / (STEP * SAVE_INTERVAL)
    assert baseline_fits.find("least_squares", case).magnitude == pytest.approx(expected, rel=1e-10)


def test_least_squares_is_the_minimum_of_the_one_step_loss() -> None:
    one_step = baseline_fits.Problem(video_of("diffusion"), "signed", {**SETTINGS, "substeps": 1})
    expected = baseline_fits.find("minimum_spectral", one_step).magnitude
    assert baseline_fits.find("least_squares", one_step).magnitude == pytest.approx(expected, abs=1e-6)


def test_least_squares_underestimates_sharp_fields_and_not_smooth_ones() -> None:
    assert baseline_fits.find("least_squares", problem()).magnitude < 0.8 * DIFFUSIVITY
    wave = np.cos(2 * np.pi * np.arange(64) / 64)[:, None] * np.ones((1, 64))
    smooth = baseline_fits.Problem(video_of("diffusion", wave), "signed", SETTINGS)
    assert baseline_fits.find("least_squares", smooth).magnitude == pytest.approx(DIFFUSIVITY, rel=0.01)


def test_a_missing_deepxde_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "deepxde":
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="uv sync --group baselines"):
        baseline_fits.find("pinn", problem())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("process", ["diffusion", "mobility"])
def test_the_inverse_pinn_comes_near_the_coefficient(process: Process) -> None:
    pytest.importorskip("deepxde", reason="DeepXDE is not installed: uv sync --group baselines")
    start = np.random.default_rng(4).uniform(size=(16, 16))
    modes = np.fft.fft2(start)
    frequency = np.abs(np.fft.fftfreq(16, 1 / 16))
    modes[np.maximum(frequency[:, None], frequency[None, :]) > 2] = 0
    smooth = np.fft.ifft2(modes).real
    smooth /= np.abs(smooth - smooth.mean()).max()
    case = baseline_fits.Problem(video_of(process, smooth), "signed", SETTINGS)
    # The geometric mean of the interval, where it starts, is 40 % off.
    assert baseline_fits.find("pinn", case).magnitude == pytest.approx(DIFFUSIVITY, rel=0.15)


def test_every_method_has_its_row_and_only_the_readings_that_differ() -> None:
    rows = baseline_fits.run(video_of("mobility"), SETTINGS, ["grid_spectral", "least_squares"])
    assert rows[baseline_fits.KEY].to_numpy().tolist() == [
        [name, "004", "mobility", propagation]
        for name in ("grid_spectral", "least_squares")
        for propagation in ("signed", "stable")
    ]
    assert (rows["true"] == DIFFUSIVITY).all()
    assert (rows["recovered"] > 0).all()
    assert (rows["seconds"] > 0).all()
    assert (baseline_fits.run(video_of("diffusion"), SETTINGS, ["grid_spectral"])["recovered"] < 0).all()


def test_all_but_the_time_is_the_same_in_a_second_run() -> None:
    first, second = (
        baseline_fits.run(video_of("diffusion"), SETTINGS, QUICK).drop(columns="seconds") for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_the_quick_and_the_long_methods_are_all_of_them() -> None:
    assert list(BASELINES) == QUICK + LONG
    assert {method.approach for method in BASELINES.values()} == set(baseline_fits._APPROACHES)
    assert baseline_list.BASELINES["safe_stencil"].path == "autograd"


# The table


def record(method: str, parent: str, recovered: float, seconds: float, **others: Any) -> dict[str, Any]:
    """Row of a method on a diffusion video with α = −0.5, or −0.3 for parent 2."""
    true = -0.3 if parent == "002" else -0.5
    row = {"method": method, "parent": parent, "process": "diffusion", "propagation": "signed", "true": true}
    return {**row, "recovered": recovered, "evaluations": 10, "seconds": seconds, **others}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Records of two videos of this run, and a reference with the paper's own way."""
    own = [record(name, parent, -0.4, 0.5) for name in QUICK for parent in ("001", "002")]
    reference = [record("safe_stencil", "001", -0.5, 100.0), record("grid_spectral", "001", -0.49, 0.5)]
    whole = pd.DataFrame(own)
    whole.drop(columns="seconds").to_csv(tmp_path / "recovered.csv", index=False)
    whole[[*table.KEY, "seconds"]].to_csv(tmp_path / "seconds.csv", index=False)
    remark = "# A remark.\n"
    (tmp_path / "reference.csv").write_text(remark + pd.DataFrame(reference).to_csv(index=False), encoding="utf-8")
    return {
        "recovered": [tmp_path / "recovered.csv"],
        "seconds": [tmp_path / "seconds.csv"],
        "reference": tmp_path / "reference.csv",
    }


def test_the_table_says_of_every_row_in_which_run_it_was_measured(files: dict[str, Any]) -> None:
    data = table.build(table.records(**files)).data
    columns = ["method", "process", "propagation", "mae", "mae_low", "mae_high", "r2"]
    columns += ["seconds", "evaluations", "n", "run"]
    assert list(data.columns) == columns
    rows: dict[Any, Any] = data.set_index(["run", "method"]).to_dict("index")
    assert set(data["method"][data["run"] == "reference"]) == {"safe_stencil", "grid_spectral"}
    own = rows["this run", "grid_spectral"]
    assert own["mae"] == pytest.approx(0.1)
    assert (own["mae_low"], own["mae_high"]) == pytest.approx((0.1, 0.1))
    assert own["r2"] == pytest.approx(0.0)
    assert own["n"] == 2
    # One video does not scatter.
    assert math.isnan(rows["reference", "grid_spectral"]["mae_low"])
    assert rows["reference", "grid_spectral"]["mae"] == pytest.approx(0.01)


def test_times_are_compared_within_a_run_and_on_the_same_videos(files: dict[str, Any]) -> None:
    rows = table.records(**files)
    assert table.ratios(rows) == {"grid_spectral": pytest.approx(200.0)}
    assert "on the same videos: grid search, spectral 200." in table.build(rows).finding


def test_long_methods_of_this_run_take_the_place_of_the_reference(files: dict[str, Any], tmp_path: Path) -> None:
    longer = pd.DataFrame([record("safe_stencil", "001", -0.5, 50.0)])
    longer.drop(columns="seconds").to_csv(tmp_path / "long.csv", index=False)
    longer[[*table.KEY, "seconds"]].to_csv(tmp_path / "long_seconds.csv", index=False)
    files["recovered"].append(tmp_path / "long.csv")
    files["seconds"].append(tmp_path / "long_seconds.csv")
    rows = table.records(**files)
    assert set(rows["run"]) == {"this run"}
    assert table.ratios(rows)["least_squares"] == pytest.approx(100.0)


def test_an_empty_reference_leaves_the_paper_s_way_out(files: dict[str, Any]) -> None:
    header = ",".join(pd.DataFrame([record("pinn", "001", 0.0, 0.0)]).columns)
    Path(files["reference"]).write_text(f"{header}\n", encoding="utf-8")
    assert "was not measured" in table.build(table.records(**files)).finding
