"""Steps on a coarser grid and with factors: the same as without, for what both can resolve."""

import numpy as np
import pytest
import torch

from equation_videos import INTERVAL, SPACING, TRUTH, clean
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.factors import Factors
from safe_pit_cm.evolution.normal_equations import NormalEquations
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.resampling import moved, resampled, sufficient
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.models import catalogue

NOISE = 0.05


def low(shape: tuple[int, int], most: float, fields: int = 1) -> torch.Tensor:
    """Wavenumbers below a limit, of the half spectrum of each field."""
    along_y, along_x = Grid(shape, (1.0, 1.0)).wavenumbers()
    return (torch.sqrt(along_y**2 + along_x**2) < most)[None].repeat(fields, 1, 1)


def test_a_field_of_few_wavenumbers_is_the_same_on_another_grid_and_back() -> None:
    fine, coarse = (24, 30), (12, 16)
    draw = torch.randn((3, *fine), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    field = torch.fft.irfft2(torch.fft.rfft2(draw) * low(fine, 1.2), s=fine)
    there = resampled(field, coarse)
    torch.testing.assert_close(resampled(there, fine), field)
    # Both begin at the same point, so every second row of the fine grid is a row of the coarse one.
    torch.testing.assert_close(resampled(field, (12, 30)), field[:, ::2])
    kept = low(fine, 1.2)
    assert (moved(moved(kept, fine, coarse), coarse, fine) == kept).all()


def test_a_grid_suffices_if_it_resolves_the_frames_and_the_wavenumbers() -> None:
    wave = torch.cos(2 * np.pi * 3 * torch.arange(48, dtype=torch.float64) / 48)
    frames = (wave[:, None] * wave)[None, None]
    shape = sufficient(frames, low((48, 48), 0.3))
    assert shape[0] == shape[1] < 16
    assert sufficient(frames, low((48, 48), 3.0)) == (48, 48)


def test_factors_invert_a_matrix_among_the_wavenumbers_kept() -> None:
    shape = (12, 10)
    kept = low(shape, 2.0, fields=2)
    weight = 1 + torch.rand((2, *shape), generator=torch.Generator().manual_seed(1))

    def within(fields: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(fields) * kept, s=shape)

    factors = Factors.of(kept, shape, lambda fields: weight * fields)
    assert factors is not None
    given = within(torch.randn((3, 2, *shape), generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(factors.solve(within(weight * given)), given, rtol=1e-4, atol=1e-5)
    assert Factors.of(torch.ones_like(kept), shape, lambda fields: fields) is None


@pytest.mark.parametrize("name", ["fisher-kpp", "allen-cahn"])
@pytest.mark.parametrize("margin", [0, 4])
def test_a_step_with_factors_is_that_without(name: str, margin: int) -> None:
    frames = torch.from_numpy(clean(name, 1, frames=13))
    frames = frames + NOISE * torch.from_numpy(np.random.default_rng(0).standard_normal(frames.shape))
    truth = np.array(TRUTH[name])
    times = np.arange(len(frames)) * INTERVAL
    weights = prior = centre = None
    if margin:
        weights = torch.zeros_like(frames)
        weights[..., margin:-margin, margin:-margin] = 1.0
        prior, centre = 1e-3 * (1 - weights[0]), frames[0].clone()
    observations = Observations(frames, weights, prior, centre)
    grid = Grid((32, 32), (SPACING, SPACING), dtype=torch.float32)
    steps = []
    for factorised in (False, True):
        equations = NormalEquations(Solver(Compiled(catalogue.named(name), grid), times, 1), observations)
        equations.restrict(low((32, 32), 1.2))
        start = equations.truncate(truth, frames[0], NOISE**2 / 100)
        if factorised:
            # At another θ, and with fewer wavenumbers left than were factorised.
            equations.factorise(1.2 * truth, start)
            assert equations._factors is not None
        start = equations.truncate(truth, start, NOISE**2)
        left = Solver(Compiled(catalogue.named(name), grid), times, 1)
        left.stabilise(truth, start[None].float())
        residual = frames - left.solve(truth, start).fields.double()
        steps.append(equations.step(truth, start, residual, noise_power=NOISE**2, tolerance=1e-5))
    plain, fast = steps
    assert fast.iterations < plain.iterations
    np.testing.assert_allclose(fast.schur, plain.schur, rtol=0.01, atol=1e-3 * np.diag(plain.schur).max())
    stderr = NOISE * np.sqrt(np.diag(np.linalg.inv(plain.schur)))
    np.testing.assert_allclose(fast.theta / stderr, plain.theta / stderr, atol=0.05)


def test_a_step_on_a_coarser_grid_is_that_on_the_fine_one() -> None:
    name = "fisher-kpp"
    frames = torch.from_numpy(clean(name, 1, frames=13))
    noisy = frames + NOISE * torch.from_numpy(np.random.default_rng(0).standard_normal(frames.shape))
    truth, times = np.array(TRUTH[name]), np.arange(len(frames)) * INTERVAL
    grid = Grid((32, 32), (SPACING, SPACING), dtype=torch.float32)
    fine = NormalEquations(Solver(Compiled(catalogue.named(name), grid), times, 1), Observations(noisy))
    start = fine.truncate(truth, noisy[0], NOISE**2)
    coarse = fine.on((24, 24))
    assert coarse.unknowns == pytest.approx(fine.unknowns, rel=0.05)
    first, second = (
        each.step(truth, start, noisy - frames, noise_power=NOISE**2, tolerance=1e-4) for each in (fine, coarse)
    )
    np.testing.assert_allclose(second.schur, first.schur, rtol=0.02)
    stderr = NOISE * np.sqrt(np.diag(np.linalg.inv(first.schur)))
    np.testing.assert_allclose(second.theta / stderr, first.theta / stderr, atol=0.05)
    assert second.field.shape == first.field.shape
