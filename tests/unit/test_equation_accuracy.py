"""Errors of fits over many videos against the Cramér–Rao bound, and coverage of their intervals."""

import numpy as np
import pytest
import torch

import safe_pit_cm
from equation_videos import INTERVAL, SPACING, TRUTH, clean, noisy
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.normal_equations import NormalEquations
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.models import catalogue

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "noise", "videos"),
    [
        ("advection-diffusion-decay", 0.05, 40),
        ("fisher-kpp", 0.05, 12),
        ("allen-cahn", 0.01, 8),
        ("cahn-hilliard", 0.05, 8),
        ("cahn-hilliard", 0.01, 8),
    ],
)
def test_errors_reach_the_bound_and_intervals_cover(name: str, noise: float, videos: int) -> None:
    model, truth = catalogue.named(name), np.array(TRUTH[name])
    scaled, covered, refused = [], [], 0
    for seed in range(videos):
        frames = torch.from_numpy(clean(name, seed))
        grid = Grid((32, 32), (SPACING, SPACING), dtype=torch.float32)
        equations = NormalEquations(
            Solver(Compiled(model, grid), np.arange(len(frames), dtype=np.float64) * INTERVAL, 1), Observations(frames)
        )
        step = equations.step(truth, frames[0], torch.zeros_like(frames), noise_power=noise**2, tolerance=1e-3)
        bound = noise * np.sqrt(np.diag(np.linalg.inv(step.schur)))
        found = safe_pit_cm.fit(
            noisy(name, noise, seed), model=name, boundary="periodic", dx=SPACING, dt=INTERVAL
        ).attrs
        values = np.array([each["value"] for each in found["coefficients"].values()])
        ends = np.array([each["ci95"] for each in found["coefficients"].values()])
        scaled.append((values - truth) / bound)
        covered.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
        refused += not found["fits"]
    # The root mean square of n normal errors scatters by 1/√(2n).
    ratio = np.sqrt(np.square(scaled).mean(0))
    assert (ratio <= 1.15 + 2 / np.sqrt(2 * videos)).all(), ratio
    share = np.mean(covered)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / (videos * len(truth))), share
    assert refused <= 1


@pytest.mark.parametrize("noise", [0.05, 0.01])
def test_open_crops_are_neither_biased_nor_too_sure(noise: float) -> None:
    truth, videos, frame = np.array(TRUTH["fisher-kpp"]), 10, slice(8, 40)
    scaled, covered, refused = [], [], 0
    for seed in range(videos):
        crop = noisy("fisher-kpp", noise, seed, size=48)[:, frame, frame]
        found = safe_pit_cm.fit(crop, model="fisher-kpp", boundary="open", dx=SPACING, dt=INTERVAL).attrs
        refused += not found["fits"]
        coefficients = list(found["coefficients"].values())
        values, errors = (np.array([each[name] for each in coefficients]) for name in ("value", "stderr"))
        ends = np.array([each["ci95"] for each in coefficients])
        scaled.append((values - truth) / errors)
        covered.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert refused <= 1
    assert (np.abs(np.mean(scaled, axis=0)) < 4 / np.sqrt(videos)).all(), scaled
    assert (np.sqrt(np.square(scaled).mean(0)) < 1.15 + 2 / np.sqrt(2 * videos)).all(), scaled
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / (videos * len(truth))), covered
