"""The solver of any equation: derivatives, convergence, and what it shares with the diffusion of the paper."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.fine_solver import FineSolver
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.models import catalogue
from safe_pit_cm.models.model import Model

TIMES = np.array([0.0, 0.25, 0.5, 1.0, 1.25])
MODELS = [catalogue.named(name) for name in catalogue.names()] + [
    Model.of_text("u_t = div(a + b*v, u) - c*u*dx(v); v_t = d*laplace(v) + tanh(e*u)/(g + v**2)")
]


def _solver(model: Model, scheme: str = "continuous") -> tuple[Solver, NDArray[np.float64], torch.Tensor]:
    solver = Solver(Compiled(model, Grid((8, 10), (0.5, 0.6), scheme)), TIMES, 2)  # type: ignore[arg-type]
    theta = np.array([each.example or 0.3 for each in model.coefficients])
    draw = np.random.default_rng(0)
    start = torch.from_numpy(0.3 + 0.3 * draw.standard_normal((len(model.fields), 8, 10)))
    solver.stabilise(theta, start)
    return solver, theta, start


@pytest.mark.parametrize("scheme", ["continuous", "five-point"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name[:20])
def test_adjoint_and_tangent_agree_and_equal_finite_differences(model: Model, scheme: str) -> None:
    solver, theta, start = _solver(model, scheme)
    draw = np.random.default_rng(1)
    at = solver.solve(theta, start, derivatives=True)
    change = torch.from_numpy(draw.standard_normal((2, *start.shape)))
    frames = torch.from_numpy(draw.standard_normal((len(TIMES), 2, *start.shape)))
    forward, backward = solver.tangent(at, change), solver.adjoint(at, frames)
    gap = (forward * frames).sum() - (change * backward).sum()
    assert float(gap.abs() / (forward.norm() * frames.norm())) <= 1e-12
    size = 1e-6
    ahead, behind = (solver.solve(theta, start + sign * size * change[0]).fields for sign in (1, -1))
    slope = (ahead - behind) / (2 * size)
    assert float((slope - forward[:, 0]).norm() / slope.norm()) < 1e-8
    columns = solver.tangent(at, None, coefficients=True)
    for index in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[index] = size
        slope = (solver.solve(theta + shift, start).fields - solver.solve(theta - shift, start).fields) / (2 * size)
        assert float((slope - columns[:, index]).norm() / slope.norm()) < 1e-7


@pytest.mark.parametrize("order", [2, 4])
def test_the_solution_converges_to_that_of_an_independent_integrator(order: int) -> None:
    mobility, width, spacing = 0.5, 0.8, 0.5

    def rate(field: NDArray[np.float64]) -> NDArray[np.float64]:
        neighbours = sum(np.roll(field, shift, axis) for shift in (-1, 1) for axis in (0, 1))
        return mobility * (width**2 * (neighbours - 4 * field) / spacing**2 + field - field**3)

    field = 0.6 * np.random.default_rng(2).standard_normal((16, 16))
    start, step = torch.from_numpy(field)[None], 0.25 / 64
    for _ in range(4 * 64):
        first = rate(field)
        second = rate(field + step / 2 * first)
        third = rate(field + step / 2 * second)
        field = field + step / 6 * (first + 2 * second + 2 * third + rate(field + step * third))
    compiled = Compiled(catalogue.named("allen-cahn"), Grid((16, 16), (spacing, spacing), "five-point"))
    theta, times, errors = [mobility, width], np.arange(5) * 0.25, []
    for substeps in (4, 8, 16) if order == 2 else (1, 2, 4):
        if order == 2:
            frames = Solver(compiled, times, substeps).solve(theta, start).fields
        else:
            frames = FineSolver(compiled, times, substeps).solve(theta, start)
        errors.append(float((frames[-1, 0] - torch.from_numpy(field)).abs().max()))
    assert errors[-1] < (1e-4 if order == 2 else 1e-5)
    # Half the step, a quarter or a sixteenth of the error.
    for error, smaller in itertools.pairwise(errors):
        assert error / smaller == pytest.approx(2**order, rel=0.35)


@pytest.mark.parametrize("scheme", ["continuous", "five-point"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name[:20])
def test_both_orders_converge_to_the_same_solution(model: Model, scheme: str) -> None:
    solver, theta, start = _solver(model, scheme)
    finest, fine = FineSolver(solver.compiled, TIMES, 16), FineSolver(solver.compiled, TIMES, 2)
    rough = [Solver(solver.compiled, TIMES, substeps) for substeps in (8, 16)]
    # The same slopes are linear for all: at the largest wavenumber this changes the discrete equation.
    for each in (finest, fine, *rough):
        each.shift = solver.shift
    exact = finest.solve(theta, start)
    scale = float((exact - exact[0]).abs().max())
    assert float((fine.solve(theta, start) - exact).abs().max()) < 1e-2 * scale
    errors = [float((each.solve(theta, start).fields - exact).abs().max()) for each in rough]
    assert errors[0] < 3e-2 * scale
    assert errors[1] <= 0.4 * errors[0] + 1e-12


def test_a_flux_of_two_fields_conserves_its_field() -> None:
    model = Model.of_text("u_t = div(a + b*v, u); v_t = c*laplace(v)")
    solver, _, start = _solver(model, "five-point")
    fields = solver.solve([0.3, 0.2, 0.1], start).fields
    np.testing.assert_allclose(fields.sum((-2, -1)), fields[:1].sum((-2, -1)).expand(len(TIMES), -1), rtol=1e-10)
