"""What noise and an unknown boundary do to every method."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from safe_pit_cm.equations.processes import PROCESSES, Process
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference import fit
from safe_pit_cm.studies import crop_scan, noise_scan, noisy_videos, replicates

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
OWN: dict[str, Any] = CONFIG["robustness"]
SETTINGS: dict[str, Any] = {
    "seed": CONFIG["seed"],
    "substeps": CONFIG["safe_operator"]["substeps"],
    # The network's own accuracy is tested elsewhere.
    "steps": 2,
    "learning_rate": 0.001,
    "estimator": {"pooled_size": 8, "channels": 4, "stride": 2, "features": 8, "heads": 4, "reads": "frames"},
    "noise": [0, 0.001, 0.01, 0.05],
    "zero_shot_parents": ["042"],
    "zero_shot_noise": [0.01],
    "weak": {name: OWN[f"weak_{name}"] for name in ("boxes", "side", "duration")},
    "weak_threshold": CONFIG["loss"]["magnitude_low"],
}


@pytest.fixture(scope="module")
def videos() -> dict[Process, xr.Dataset]:
    """Two videos of the paper."""
    initial = {**CONFIG["grid"], **CONFIG["microstructure"]}
    return replicates.simulate(CONFIG["seed"], "042", initial, {**CONFIG["transport"], **CONFIG["time"]})


@pytest.fixture(scope="module")
def rows(videos: dict[Process, xr.Dataset]) -> pd.DataFrame:
    return pd.concat([noise_scan.scan([video], SETTINGS) for video in videos.values()], ignore_index=True)


def errors(rows: pd.DataFrame, method: str, process: Process, propagation: str) -> dict[float, float]:
    """|error of α| by noise level."""
    wanted = {"method": method, "process": process, "propagation": propagation}
    own = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    return dict(zip(own["noise"], (own["recovered"] - own["true"]).abs(), strict=True))


def test_the_noise_is_white_and_of_the_level_asked_for(videos: dict[Process, xr.Dataset]) -> None:
    video = videos["diffusion"]
    noisy = noisy_videos.with_noise(video, 0.01, 1)["field"]
    added = noisy.to_numpy() - video["field"].to_numpy()
    assert noisy.dtype == np.float64
    assert added.std() == pytest.approx(0.01, rel=0.01)
    assert abs(np.corrcoef(added[1:].ravel(), added[:-1].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(added[:, 1:].ravel(), added[:, :-1].ravel())[0, 1]) < 0.01
    assert np.array_equal(noisy_videos.with_noise(video, 0, 1)["field"], video["field"])


def test_the_noise_depends_on_seed_parent_process_and_level_alone(videos: dict[Process, xr.Dataset]) -> None:
    video = videos["diffusion"]

    def draw(of: xr.Dataset, level: float, seed: int) -> float:
        return float((noisy_videos.with_noise(of, level, seed)["field"] - of["field"])[0, 0, 0]) / level

    first = draw(video, 0.01, 1)
    assert draw(video, 0.01, 1) == first
    others = [
        draw(video, 0.01, 2),
        draw(video, 0.05, 1),
        draw(video.assign_attrs(parent="043"), 0.01, 1),
        draw(video.assign_attrs(process="mobility"), 0.01, 1),
    ]
    assert len({round(each, 6) for each in [first, *others]}) == 5


@pytest.mark.parametrize("process", PROCESSES)
def test_maximum_likelihood_stays_at_the_bound(rows: pd.DataFrame, process: Process) -> None:
    own = rows[(rows["method"] == "maximum_likelihood") & (rows["process"] == process) & (rows["noise"] > 0)]
    assert ((own["recovered"] - own["true"]).abs() < 3 * own["bound"]).all()
    assert own["stderr"].to_numpy() == pytest.approx(own["bound"].to_numpy(), rel=0.05)
    away = (own["recovered"] - own["true"]).abs() / own["stderr"]
    assert own["covered"].to_numpy().tolist() == (away < 1.96).astype(float).tolist()
    assert rows[rows["method"] != "maximum_likelihood"][["stderr", "covered"]].isna().all(axis=None)


def test_the_bound_is_that_of_the_noise_and_the_same_for_a_video_and_its_reversal(rows: pd.DataFrame) -> None:
    table: Any = rows.groupby(["process", "noise"])["bound"].first().unstack("process")
    assert table["diffusion"].to_numpy() == pytest.approx(table["mobility"].to_numpy(), rel=1e-12)
    assert table.loc[0, "diffusion"] == 0
    assert table.loc[0.05, "diffusion"] == pytest.approx(50 * table.loc[0.001, "diffusion"])


def test_noise_biases_the_safe_loss_ever_more(rows: pd.DataFrame) -> None:
    # It grows about as the noise variance.
    for process, propagation in (("diffusion", "signed"), ("mobility", "stable")):
        found = errors(rows, "safe", process, propagation)  # type: ignore[arg-type]
        assert found[0] < 1e-6
        assert 1e-4 < found[0.001] < 2e-3
        assert 0.01 < found[0.01] < 0.08
        assert found[0.05] > 0.3


def test_sharpening_noise_destroys_mobility_as_published(rows: pd.DataFrame) -> None:
    found = errors(rows, "safe", "mobility", "signed")
    true = rows["true"].abs().iloc[0]
    assert found[0] < 0.1 * true
    assert found[0.01] > 0.5 * true


def test_least_squares_is_off_on_clean_videos_and_the_weak_form_hardly(rows: pd.DataFrame) -> None:
    squares, weak = (errors(rows, name, "diffusion", "signed") for name in ("least_squares", "weak_form"))
    assert 0.1 < squares[0] < 0.4
    assert weak[0] < 0.005


@pytest.mark.parametrize("process", PROCESSES)
def test_the_methods_come_in_the_order_that_theory_says(rows: pd.DataFrame, process: Process) -> None:
    smoothing = "signed" if process == "diffusion" else "stable"
    found = [
        errors(rows, method, process, propagation)[0.01]
        for method, propagation in (
            ("maximum_likelihood", smoothing),
            ("weak_form", "signed"),
            ("safe", smoothing),
            ("least_squares", smoothing),
        )
    ]
    assert found == sorted(found)


def test_zero_shot_faces_the_parents_and_levels_that_it_is_asked_to(
    rows: pd.DataFrame, videos: dict[Process, xr.Dataset]
) -> None:
    own = rows[rows["method"] == "zero_shot"]
    assert own[["process", "noise", "propagation"]].to_numpy().tolist() == [
        ["diffusion", 0.01, "signed"],
        ["mobility", 0.01, "signed"],
    ]
    assert np.isfinite(own["recovered"]).all()
    none = noise_scan.scan([videos["diffusion"]], {**SETTINGS, "noise": [0.01], "zero_shot_parents": []})
    assert "zero_shot" not in set(none["method"])


def test_a_method_that_finds_nothing_leaves_a_gap(
    videos: dict[Process, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise UserError("nothing can be found")

    monkeypatch.setattr(fit, "fit", refuse)
    # And boxes that hold too few points.
    settings = {**SETTINGS, "noise": [0.01], "zero_shot_parents": [], "weak": {**SETTINGS["weak"], "side": 0.01}}
    found = noise_scan.scan([videos["diffusion"]], settings).set_index("method")["recovered"]
    assert found.index[found.isna()].tolist() == ["weak_form", "maximum_likelihood"]


def test_the_clean_field_is_known_at_all_times(videos: dict[Process, xr.Dataset]) -> None:
    video = videos["diffusion"]
    fields, slopes = crop_scan.evolution(video)
    assert fields == pytest.approx(video["field"].to_numpy(), abs=1e-6)
    diffusivity = video.attrs["diffusivity"]
    shifted = [crop_scan.evolution(video.assign_attrs(diffusivity=diffusivity + step))[0] for step in (1e-4, -1e-4)]
    assert slopes == pytest.approx((shifted[0] - shifted[1]) / 2e-4, abs=1e-5)


def test_open_crops_tell_less_than_the_whole_and_reach_their_bound(videos: dict[Process, xr.Dataset]) -> None:
    told: list[str] = []
    found = crop_scan.scan([videos["diffusion"]], {"seed": 1, "widths": [16, 24, 65], "noise": 0.01}, told.append)
    assert found[["width", "boundary"]].to_numpy().tolist() == [[16, "open"], [24, "open"], [64, "periodic"]]
    assert ((found["recovered"] - found["true"]).abs() < 3 * found["bound"]).all()
    assert found["stderr"].to_numpy() == pytest.approx(found["bound"].to_numpy(), rel=0.15)
    assert found["bound"].is_monotonic_decreasing
    assert len(told) == 3
