"""The SAFE operator of any equation, its sub-steps, and zero-shot inference with several coefficients."""

import numpy as np
import pytest
import torch

from equation_videos import TRUTH
from safe_pit_cm.errors import UserError
from safe_pit_cm.models import catalogue
from safe_pit_cm.models.model import Model
from safe_pit_cm.safe import equation_zero_shot
from safe_pit_cm.safe.equation_operator import EquationOperator, stable_substeps
from safe_pit_cm.safe.operator import SafeOperator

ESTIMATOR = {"pooled_size": 16, "channels": 32, "stride": 2, "features": 64, "heads": 4}


def _fields(count: int, size: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((2, count, size, size)))


@pytest.mark.parametrize("path", ["stencil", "fourier"])
def test_diffusion_is_the_operator_of_the_paper(path: str) -> None:
    fields = _fields(1, 16)
    expected = SafeOperator(0.25, 0.5, 50, "stencil")(fields[:, 0], torch.tensor(-0.4, dtype=torch.float64))
    operator = EquationOperator(catalogue.named("diffusion"), 0.25, 0.5, 50, path)  # type: ignore[arg-type]
    found = operator(fields, torch.tensor([0.4], dtype=torch.float64))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_sub_steps_of_diffusion_are_those_of_the_bound_of_the_paper() -> None:
    model = catalogue.named("diffusion")
    # |α| Δτ λ_max = 5.6 at S = 1: two sub-steps leave 2.8, three 1.87.
    assert stable_substeps(model, np.array([0.7]), 0.25, 0.5) == 3
    assert stable_substeps(model, np.array([0.25]), 0.25, 0.5) == 1
    with pytest.raises(UserError, match="sub-steps"):
        stable_substeps(catalogue.named("cahn-hilliard"), np.array([50.0, 50.0]), 0.25, 0.1)


@pytest.mark.parametrize("name", ["advection-diffusion-decay", "swift-hohenberg"])
def test_the_bound_on_the_sub_steps_is_sharp(name: str) -> None:
    """One sub-step fewer amplifies a mode that decays; the bound itself amplifies none."""
    model = catalogue.named(name)
    theta = np.array(TRUTH[name])
    fewest = stable_substeps(model, theta, 0.25, 0.5)
    linear, _ = model.split[0]
    kappa = 2 * np.pi * np.fft.fftfreq(64, 0.5)
    from safe_pit_cm.models import operators
    from safe_pit_cm.models.pointwise import Pointwise

    factors = Pointwise.of([factor for _, factor in linear.terms])
    import sympy

    values = factors(dict(zip(map(sympy.Symbol, model.names), theta, strict=True)))
    rate = sum(
        value * operators.symbol(operator, (kappa[:, None], kappa[None]), (0.5, 0.5))
        for value, (operator, _) in zip(values, linear.terms, strict=True)
    )
    decays = np.real(rate) < -1e-9
    assert np.abs(1 + 0.25 / fewest * rate)[decays].max() <= 1 + 1e-9
    if fewest > 1:
        assert np.abs(1 + 0.25 / (fewest - 1) * rate)[decays].max() > 1


@pytest.mark.parametrize("name", ["fisher-kpp", "cahn-hilliard", "gray-scott", "nonlinear-diffusion"])
def test_gradients_equal_finite_differences(name: str) -> None:
    model = catalogue.named(name)
    theta = torch.tensor(TRUTH[name], dtype=torch.float64, requires_grad=True)
    fields = _fields(len(model.fields))[:1].requires_grad_()
    substeps = max(5, stable_substeps(model, theta.detach().numpy(), 0.25, 0.5, fields.detach()))
    assert torch.autograd.gradcheck(EquationOperator(model, 0.25, 0.5, substeps), (fields, theta))


def test_backward_keeps_the_square_root_of_the_states() -> None:
    model = catalogue.named("fisher-kpp")
    fields, theta = _fields(1).requires_grad_(), torch.tensor([0.3, 0.2], dtype=torch.float64)
    kept = [
        len(EquationOperator(model, 0.25, 0.5, substeps)(fields, theta).grad_fn.saved_tensors) for substeps in (25, 100)
    ]
    assert kept == [1 + 5, 1 + 10]


@pytest.mark.parametrize("name", ["fisher-kpp", "advection-diffusion"])
def test_zero_shot_recovers_several_coefficients_with_their_signs(name: str) -> None:
    model = catalogue.named(name)
    truth = np.array([each.example for each in model.coefficients])
    operator = EquationOperator(model, 0.25, 0.5, 10)
    draw = np.random.default_rng(1)
    spectrum = np.fft.rfft2(draw.standard_normal((32, 32))) * np.exp(-30 * np.fft.rfftfreq(32)[None] ** 2)
    frames = [torch.from_numpy(0.5 + 0.2 * np.fft.irfft2(spectrum * np.exp(-30 * np.fft.fftfreq(32)[:, None] ** 2)))]
    frames = [frames[0][None, None]]
    for _ in range(20):
        frames.append(operator(frames[-1], torch.from_numpy(truth)))
    found = equation_zero_shot.fit(
        torch.cat(frames).numpy(), model, interval=0.25, spacing=0.5, estimator=ESTIMATOR, substeps=10
    )
    values = np.array([found.attrs["coefficients"][each] for each in model.names])
    np.testing.assert_allclose(values, truth, rtol=1e-3)
    assert found.sizes["step"] == 201


def test_a_fresh_network_is_stable_without_a_given_number_of_sub_steps() -> None:
    model = Model.of_text("-D*laplace(laplace(u))", bounds={"D": (0, None)})
    frames = np.random.default_rng(0).random((4, 1, 16, 16)).astype(np.float32)
    found = equation_zero_shot.fit(
        frames, model, interval=0.25, spacing=0.5, estimator=ESTIMATOR, steps=1, largest=[0.1]
    )
    assert np.isfinite(found["loss"]).all()
