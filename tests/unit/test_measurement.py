"""Fits of measured videos: bias, standard errors, and rejected input."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from numpy.typing import NDArray

import safe_pit_cm
from films import DIFFUSIVITY, INTERVAL, NOISE, SPACING, TIMES, evolve, noisy, start
from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Discretisation, Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference import modes as modes_of_videos
from safe_pit_cm.inference.cramer_rao import cramer_rao_bound
from safe_pit_cm.inference.intervals import interval, limits
from safe_pit_cm.inference.likelihood import fit_modes
from safe_pit_cm.inference.mode_fields import reduce_video
from safe_pit_cm.inference.safe_fits import ZERO_SHOT

ROOT = Path(__file__).parents[2]


def fitted(frames: NDArray[Any], **options: Any) -> dict[str, Any]:
    options = {"dx": SPACING, "dt": INTERVAL, "boundary": "periodic", **options}
    return dict(safe_pit_cm.fit(xr.DataArray(frames, dims=("time", "y", "x")), **options).attrs)


def standard_errors_off(found: dict[str, Any]) -> float:
    return abs(found["diffusivity"] - DIFFUSIVITY) / found["stderr"]


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet"])
def test_reaches_the_bound_with_every_known_boundary(boundary: Boundary) -> None:
    field = start() - 0.5
    found = fitted(noisy(evolve(field, boundary=boundary)), boundary=boundary, nuisances="none")
    assert standard_errors_off(found) < 3
    assert found["fits"]
    assert found["noise"] == pytest.approx(NOISE, rel=0.03)
    low, high = found["ci95"]
    assert low < found["diffusivity"] < high
    assert high - low == pytest.approx(2 * 1.96 * found["stderr"], rel=0.02)
    bound = cramer_rao_bound(field, TIMES, DIFFUSIVITY, NOISE, (SPACING, SPACING), boundary)
    if boundary != "dirichlet":  # there the background costs something
        assert found["stderr"] == pytest.approx(bound, rel=0.05)
        assert found["cramer_rao"] == pytest.approx(bound, rel=0.05)


def test_what_it_returns_is_fit_for_json_and_describes_itself() -> None:
    video = xr.DataArray(noisy(evolve(start())), dims=("time", "y", "x"))
    found = safe_pit_cm.fit(video, dx=SPACING, dt=INTERVAL, boundary="periodic")
    assert json.loads(json.dumps(found.attrs))["alpha"] == -found.attrs["diffusivity"]
    assert float(found["log_likelihood"].max()) == pytest.approx(0, abs=1e-6)
    assert found["residual"].sizes == {"frame": 3, "y": 32, "x": 32}
    # The first frame is what the amplitudes follow most; the last is left to the noise.
    assert float(found["residual"][-1].std()) == pytest.approx(NOISE, rel=0.1)


@pytest.mark.parametrize(("scheme", "substep"), [("euler", 0.02), ("five-point", None), ("continuous", None)])
def test_goodness_of_fit_tells_the_discretisations_apart(scheme: Scheme, substep: float | None) -> None:
    frames = noisy(evolve(start(), scheme=scheme, substep=substep), noise=1e-4)
    for name, step in (("euler", 0.02), ("five-point", None), ("continuous", None)):
        assert fitted(frames, discretisation=name, substep=step)["fits"] == (name == scheme), name


def test_mobility_is_read_backwards() -> None:
    frames = noisy(evolve(start()))
    found = fitted(frames[::-1], process="mobility")
    assert found["alpha"] == pytest.approx(fitted(frames)["diffusivity"], rel=1e-9)


def test_uneven_times_rectangles_and_anisotropic_pixels() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.05, 0.5, 20))
    spacing = (0.4, 0.7)
    frames = noisy(evolve(start()[:, :24], spacing=spacing, times=times - times[0]))
    video = xr.DataArray(frames, dims=("time", "y", "x"), coords={"time": times})
    assert standard_errors_off(safe_pit_cm.fit(video, dx=spacing, boundary="periodic").attrs) < 3


def test_missing_pixels_and_frames() -> None:
    frames = noisy(evolve(start()))
    frames[np.random.default_rng(2).random(frames.shape) < 0.1] = np.nan
    frames[7] = np.nan
    found = fitted(frames, mask=np.arange(32 * 32).reshape(32, 32) % 97 == 0)
    assert standard_errors_off(found) < 3
    assert found["frames"] == len(TIMES) - 1
    assert found["stderr"] > fitted(noisy(evolve(start())))["stderr"]
    assert found["noise"] == pytest.approx(NOISE, rel=0.05)


def test_gain_and_offset_even_flickering_change_nothing() -> None:
    frames = noisy(evolve(start()))
    flicker = np.random.default_rng(3).normal(size=(len(TIMES), 1, 1))
    assert fitted(37 * frames + 100 + flicker)["diffusivity"] == pytest.approx(fitted(frames)["diffusivity"], rel=1e-7)


def test_quantised_intensities_give_the_same_within_the_error_bar() -> None:
    frames = np.round(37 * noisy(evolve(start())) + 100).astype(np.uint8)
    assert standard_errors_off(fitted(frames)) < 3


def test_bleaching_harms_unless_it_is_estimated() -> None:
    frames = noisy(evolve(start(), other=0.05))
    assert standard_errors_off(fitted(frames)) > 5
    assert not fitted(frames)["fits"]
    found = fitted(frames, bleaching=True)
    assert standard_errors_off(found) < 3
    assert found["nuisances"]["bleaching"]["rate"] == pytest.approx(0.05, abs=0.01)


def test_a_constant_background_harms_unless_it_is_estimated() -> None:
    frames = noisy(evolve(start())) + 0.3 * start(parent="004")
    assert standard_errors_off(fitted(frames)) > 5
    found = fitted(frames, background=True)
    assert standard_errors_off(found) < 3
    assert found["fits"]


def flow(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    wavenumber = 2 * np.pi * np.fft.fftfreq(32, SPACING)
    shift = np.exp(-1j * 0.2 * wavenumber * TIMES[:, None, None])
    return np.fft.ifft2(np.fft.fft2(frames) * shift).real


def varying() -> NDArray[np.float64]:
    field, frames = start(), [start()]
    diffusivity = DIFFUSIVITY * (1 + 0.3 * np.cos(2 * np.pi * np.arange(32) / 32))[None, :]
    at_edge = (diffusivity + np.roll(diffusivity, -1, 1)) / 2
    for _ in range(len(TIMES) - 1):
        for _ in range(10):
            along_x = at_edge * (np.roll(field, -1, 1) - field)
            along_y = diffusivity * (np.roll(field, -1, 0) - field)
            change = along_x - np.roll(along_x, 1, 1) + along_y - np.roll(along_y, 1, 0)
            field = field + INTERVAL / 10 / SPACING**2 * change
        frames.append(field)
    return np.stack(frames)


def not_diffusion(case: str, boundary: Boundary) -> dict[str, Any]:
    scheme: Scheme = "five-point" if case == "varying" else "continuous"
    frames = {
        "flow": lambda: flow(evolve(start())),
        "reaction": lambda: evolve(start() - start().mean(), other=0.1),
        "varying": varying,
    }[case]()
    # An open crop of a reaction with the mean taken out: only a mean that decays shows there, so give it one.
    frames = frames if case != "reaction" else frames + np.exp(-0.1 * TIMES)[:, None, None]
    return fitted(noisy(frames), boundary=boundary, discretisation=scheme)


@pytest.mark.parametrize("case", ["flow", "reaction", "varying"])
def test_what_is_not_diffusion_is_flagged(case: str) -> None:
    found = not_diffusion(case, "periodic")
    assert not found["fits"]
    assert "does not fit" in found["verdict"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["flow", "reaction", "varying"])
def test_in_an_open_crop_what_is_not_diffusion_is_flagged_and_the_total_error_covers_it(case: str) -> None:
    found = not_diffusion(case, "open")
    # A decay is what bleaching by the exposures does, and that is estimated along; a flow is what a drift does.
    assert found["grade"] == ("approximate" if case == "varying" else "noise")
    assert ("moves as a whole" in found["verdict"]) == (case == "flow")
    low, high = found["total_ci95"]
    assert low < DIFFUSIVITY < high
    assert found["total_stderr"] < 0.1 * DIFFUSIVITY


def test_the_safe_minimum_is_exact_when_clean_and_biased_by_noise_which_it_admits() -> None:
    frames = evolve(start())
    assert fitted(frames, method="safe")["diffusivity"] == pytest.approx(DIFFUSIVITY, rel=1e-5)
    found = fitted(noisy(frames, noise=0.05), method="safe")
    assert abs(found["diffusivity"] - DIFFUSIVITY) > 0.05
    assert found["stderr"] is None
    assert found["ci95"] is None
    json.dumps(found)


def test_zero_shot_runs_by_the_same_call() -> None:
    found = fitted(
        evolve(start()), method="zero-shot", discretisation="five-point", zero_shot={"steps": 2, "substeps": 2}
    )
    assert found["diffusivity"] > 0


def test_the_settings_of_zero_shot_are_those_of_the_config() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert ZERO_SHOT["substeps"] == config["safe_operator"]["substeps"]
    assert ZERO_SHOT["estimator"] == config["estimator"]
    assert {name: ZERO_SHOT[name] for name in config["zero_shot"]} == config["zero_shot"]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda frames: frames[:2], {}, "2 usable frames"),
        (lambda frames: np.full_like(frames, 3.0), {}, "nothing to diffuse"),
        (lambda frames: np.full_like(frames, np.nan), {}, "every pixel of the video is NaN"),
        (lambda frames: np.where(frames > 0.9, np.inf, frames), {}, "infinite"),
        (lambda frames: frames + 0j, {}, "real numbers"),
        (lambda frames: frames, {"dx": 0.0}, "pixel size"),
        (lambda frames: frames, {"dx": None}, "pixel size"),
        (lambda frames: frames, {"dt": -1.0}, "frame interval"),
        (lambda frames: frames, {"dt": None}, "frame interval"),
        (lambda frames: frames, {"boundary": "closed"}, "boundary"),
        (lambda frames: frames, {"boundary": "insulated"}, "insulated is now called no-flux"),
        (lambda frames: frames, {"boundary": "fixed"}, "fixed is now called dirichlet"),
        (lambda frames: frames, {"operator": "euler"}, "operator is now called discretisation"),
        (lambda frames: frames, {"process": "advection"}, "process"),
        (lambda frames: frames, {"discretisation": "euler"}, "sub-step"),
        (lambda frames: frames, {"discretisation": "spectral"}, "discretisation"),
        (lambda frames: frames, {"mask": np.ones((32, 32), bool)}, "no pixel"),
        (lambda frames: frames, {"mask": np.ones((3, 3), bool)}, "mask has the shape"),
        (lambda frames: frames, {"boundary": "open", "method": "safe"}, "needs a boundary"),
        (lambda frames: frames, {"nuisances": "vignetting"}, "'vignetting' is no nuisance"),
        (lambda frames: frames, {"method": "safe", "boundary": "periodic", "bleaching": True}, "bleaching"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(change: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        fitted(change(evolve(start())), **options)


def test_modes_in_many_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = reduce_video(noisy(evolve(start())), TIMES, (SPACING, SPACING), "periodic", Discretisation())
    whole = fit_modes(modes)
    ends, _ = interval(modes, whole)
    monkeypatch.setattr(modes_of_videos, "_BLOCK", 100)
    # A copy has no blocks yet.
    parts = replace(modes)
    again = fit_modes(parts)
    assert len(parts.over_blocks(lambda part, block: None)) > 2
    assert again.diffusivity == pytest.approx(whole.diffusivity, rel=1e-12)
    assert again.covariance == pytest.approx(whole.covariance, rel=1e-9)
    assert interval(parts, again)[0] == pytest.approx(ends, rel=1e-9)


def test_the_interval_ends_where_the_profile_likelihood_has_dropped_by_its_critical_value() -> None:
    # So much noise that the profile is no parabola.
    modes = reduce_video(noisy(evolve(start()), 3, 0.3), TIMES, (SPACING, SPACING), "periodic", Discretisation())
    found = fit_modes(modes)
    (low, high), curve = interval(modes, found)
    assert high - found.diffusivity != pytest.approx(found.diffusivity - low, rel=1e-3)
    active = np.flatnonzero(found.weights > 0)
    strong, weights = modes.subset(active), found.weights[active]
    drops = [
        (strong.residual_power(np.array([end]), weights) - strong.residual_power(found.theta, weights))
        / (2 * found.noise**2 * found.inflation)
        for end in (low, high)
    ]
    assert drops == pytest.approx([1.92, 1.92], abs=0.01)
    assert -curve(np.array([low, high])) == pytest.approx(drops, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.001, 0.01, 0.05])
def test_the_interval_covers_and_the_error_is_at_the_bound(noise: float) -> None:
    field, frames = start(), evolve(start())
    bound = cramer_rao_bound(field, TIMES, DIFFUSIVITY, noise, (SPACING, SPACING))
    covered, errors = [], []
    for seed in range(1000):
        modes = reduce_video(noisy(frames, seed, noise), TIMES, (SPACING, SPACING), "periodic", Discretisation())
        found = fit_modes(modes)
        (low, high), _ = interval(modes, found)
        covered.append(low <= DIFFUSIVITY <= high)
        errors.append(found.diffusivity - DIFFUSIVITY)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(bound, rel=0.05)


def test_noise_alone_is_answered_by_bounds_at_most() -> None:
    # The best D may lie at the end of what the sub-steps allow, where it has no neighbour on one side.
    times = np.asarray(0.1 * np.arange(11), dtype=np.float64)
    at_end = 0
    for seed in range(20):
        frames = 1 + 0.01 * np.random.default_rng(seed).normal(size=(11, 16, 16))
        modes = reduce_video(frames, times, (SPACING, SPACING), "periodic", Discretisation("euler", 0.005))
        found = fit_modes(modes)
        at_end += found.diffusivity > 0.99 * modes.discretisation.largest_diffusivity(float(modes.symbol.max()))
        assert np.isfinite(found.stderr)
        assert not limits(modes, found)[2] or found.stderr > 0.3 * found.diffusivity
    assert at_end
