"""Ablations: which frames are kept, and what stands at which point."""

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from safe_pit_cm.equations.processes import Process, Propagation, propagations_of
from safe_pit_cm.safe import zero_shot
from safe_pit_cm.safe.minimum import minimise
from safe_pit_cm.simulation.integration import simulate
from safe_pit_cm.simulation.microstructure import initial_condition
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.simulation.videos import frame_interval
from safe_pit_cm.studies import step_ablations

torch.set_num_threads(1)

SAVE_INTERVAL = 10
ADAM: dict[str, Any] = {
    "seed": 1,
    "steps": 3,
    "learning_rate": 0.003,
    "estimator": {"pooled_size": 8, "channels": 2, "stride": 2, "features": 4, "heads": 2},
}


def video_of(process: Process, steps: int = 80) -> xr.Dataset:
    start = initial_condition(
        seed=1, parent="007", size=16, spacing=0.5, grains_min=3, grains_max=5, interface_width=0.5, roughness=0.3
    )
    diffusion = simulate(
        start,
        magnitude_min=0.4,
        magnitude_max=0.4,
        step=0.005,
        steps=steps,
        save_interval=SAVE_INTERVAL,
        largest_step_reduction=1,
    )
    return diffusion if process == "diffusion" else reverse_time(diffusion)


def known(video: xr.Dataset) -> dict[Propagation, xr.Dataset]:
    return {
        propagation: zero_shot.fit(video, propagation=propagation, substeps=SAVE_INTERVAL, **ADAM)
        for propagation in propagations_of(video.attrs["process"])
    }


@pytest.mark.parametrize(("step", "times"), [(1, range(9)), (2, [0, 2, 4, 6, 8]), (3, [0, 3, 6]), (8, [0, 8])])
def test_every_nth_frame_is_kept_with_its_time_and_the_interval_follows(step: int, times: list[int]) -> None:
    video = video_of("mobility")
    kept = step_ablations.every(video, step)
    assert np.array_equal(kept["field"], video["field"][list(times)])
    assert frame_interval(kept) == pytest.approx(np.diff(kept["time"])[0])
    assert kept.attrs["time_step"] == video.attrs["time_step"]
    assert video.attrs["save_interval"] == SAVE_INTERVAL


@pytest.mark.parametrize("process", ["diffusion", "mobility"])
def test_every_number_of_substeps_is_fitted_and_minimised_in_every_propagation(process: Process) -> None:
    video = video_of(process)
    result = step_ablations.substeps(video, [1, 4, SAVE_INTERVAL], default=SAVE_INTERVAL, known=known(video), **ADAM)
    own = propagations_of(process)
    assert dict(result.sizes) == {"substeps": 3, "propagation": len(own)}
    for position, propagation in enumerate(own):
        for row, count in enumerate([1, 4, SAVE_INTERVAL]):
            # The known fit is what fitting again would give.
            fit = zero_shot.fit(video, propagation=propagation, substeps=count, **ADAM)
            assert result["alpha"][row, position] == fit.attrs["alpha"]
            assert result["loss"][row, position] == fit["loss"][-1]
            magnitude, lowest = minimise(step_ablations.safe_loss(video, propagation, count))
            assert abs(result["alpha_minimum"][row, position]) == magnitude
            assert result["loss_minimum"][row, position] == lowest <= fit["loss"].min()
    assert (np.sign(result["alpha_minimum"]) == np.sign(video.attrs["transport_coefficient"])).all()


def test_a_fit_that_is_known_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    video = video_of("diffusion")
    fits = known(video)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr(zero_shot, "fit", refuse)
    step_ablations.substeps(video, [SAVE_INTERVAL], default=SAVE_INTERVAL, known=fits, **ADAM)
    step_ablations.frame_steps(video, [1], default=SAVE_INTERVAL, known=fits, **ADAM)


def test_leaving_out_frames_keeps_the_size_of_the_substeps_or_their_number() -> None:
    video = video_of("mobility")
    result = step_ablations.frame_steps(video, [1, 4, 9], default=SAVE_INTERVAL, known=known(video), **ADAM)
    # Nine frames: a frame step of nine would leave one.
    assert result["frame_step"].values.tolist() == [1, 4]
    assert result["frames"].values.tolist() == [9, 3]
    kept = step_ablations.every(video, 4)
    for position, count in enumerate([4 * SAVE_INTERVAL, SAVE_INTERVAL]):
        expected = minimise(step_ablations.safe_loss(kept, "stable", count))[0]
        assert result["alpha_minimum"].values[1, position, 1] == expected
    # In steps of the size of the data, diffusion is recovered from few frames as from many.
    assert result["alpha_minimum"].values[:, 0, 1] == pytest.approx(0.4, rel=1e-5)
    # The estimator is fitted where the size is kept, and where nothing is left out.
    assert np.isnan(result["alpha"].values[:, 1]).tolist() == [[False, False], [True, True]]
    assert np.isfinite(result["alpha"].values[:, 0]).all()


def test_a_fit_that_diverges_is_recorded_with_an_infinite_loss() -> None:
    video = video_of("mobility", steps=60000)
    kept = step_ablations.every(video, 3000)
    result = step_ablations.frame_steps(kept, [2], default=SAVE_INTERVAL * 3000, known={}, **ADAM)
    assert np.isnan(result["alpha"].values[0, 0, 0])
    assert result["loss"].values[0, 0, 0] == np.inf
    # Its loss has a minimum all the same, and stable propagation is none the worse.
    assert np.isfinite(result["loss_minimum"].values).all()
    assert np.isfinite(result["alpha"].values[0, 0, 1])
