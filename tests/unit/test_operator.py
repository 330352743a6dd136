"""The SAFE operator against independent references, exact solutions and its own second path."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from safe_pit_cm.equations.amplification import amplification_factor
from safe_pit_cm.equations.stability import largest_eigenvalue
from safe_pit_cm.safe.operator import OperatorPath, SafeOperator, laplacian, laplacian_symbol

# The fields are tiny: more threads would only wait for one another.
torch.set_num_threads(1)

Array = NDArray[np.float64]

PATHS: tuple[OperatorPath, ...] = get_args(OperatorPath)
every_path = pytest.mark.parametrize("path", PATHS)
every_property = settings(deadline=None, max_examples=40, derandomize=True)


@dataclass(frozen=True)
class Case:
    """A grid, an operator and a coefficient that does not overflow."""

    rows: int
    columns: int
    substeps: int
    interval: float
    spacing: float
    number: float  # α Δt_f λ_max, signed
    seed: int

    @property
    def alpha(self) -> float:
        """Signed transport coefficient."""
        return self.number / (self.interval * largest_eigenvalue(self.spacing))

    @property
    def growth(self) -> float:
        """Bound on the amplification of any mode, and so of any rounding error."""
        return max(1.0, abs(1.0 + self.number / self.substeps) ** self.substeps)

    def operator(self, path: OperatorPath) -> SafeOperator:
        """The SAFE operator of this case."""
        return SafeOperator(self.interval, self.spacing, self.substeps, path)

    def draw(self, stream: int) -> Tensor:
        """A random field, one for each ``stream``."""
        return torch.from_numpy(np.random.default_rng([self.seed, stream]).uniform(-1, 1, (self.rows, self.columns)))

    def tolerance(self, dtype: torch.dtype) -> float:
        """Rounding error that S sub-steps on a field of order one may leave behind."""
        return 32 * self.substeps * self.growth * torch.finfo(dtype).eps


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Grids of odd and even sides, S in 1..50, α from the stability bound of diffusion to e⁶-fold mobility."""
    substeps = draw(st.integers(1, 50))
    return Case(
        rows=draw(st.integers(5, 17)),
        columns=draw(st.integers(4, 16)),
        substeps=substeps,
        interval=draw(st.floats(0.01, 2.0)),
        spacing=draw(st.floats(0.1, 3.0)),
        number=draw(st.floats(-2.0 * substeps, 6.0)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def value_and_gradients(case: Case, path: OperatorPath, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """The propagated field, and the gradients of a random linear function of it in the field and in α."""
    field = case.draw(0).to(dtype).requires_grad_()
    alpha = torch.tensor(case.alpha, dtype=dtype, requires_grad=True)
    output = case.operator(path)(field, alpha)
    by_field, by_alpha = torch.autograd.grad((output * case.draw(1).to(dtype)).sum(), (field, alpha))
    return output.detach(), by_field, by_alpha


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@given(case=cases())
@every_property
def test_both_paths_agree_in_value_and_in_both_gradients_to_rounding(dtype: torch.dtype, case: Case) -> None:
    value, by_field, by_alpha = value_and_gradients(case, "fourier", dtype)
    reference, reference_by_field, reference_by_alpha = value_and_gradients(case, "stencil", dtype)
    tolerance = case.tolerance(dtype)
    torch.testing.assert_close(value, reference, rtol=0, atol=tolerance)
    torch.testing.assert_close(by_field, reference_by_field, rtol=0, atol=tolerance)
    # ∂/∂α brings a factor of at most Δt_f λ_max and a sum over the pixels.
    scale = case.interval * largest_eigenvalue(case.spacing) * case.rows * case.columns
    torch.testing.assert_close(by_alpha, reference_by_alpha, rtol=0, atol=scale * tolerance)


@every_path
@given(case=cases())
@every_property
def test_the_operator_is_repeated_forward_euler_with_the_laplacian_of_scipy(path: OperatorPath, case: Case) -> None:
    expected = case.draw(0).numpy()
    for _ in range(case.substeps):
        laplacian_of_scipy = scipy.ndimage.laplace(expected, mode="wrap") / case.spacing**2
        expected = expected - case.alpha * case.interval / case.substeps * laplacian_of_scipy
    value = case.operator(path)(case.draw(0), torch.tensor(case.alpha, dtype=torch.float64))
    np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=case.tolerance(torch.float64))


def circulant_laplacian(rows: int, columns: int, spacing: float) -> Array:
    """Dense matrix of the periodic five-point Laplacian on row-major fields."""

    def second_difference(size: int) -> Array:
        one = np.eye(size)
        return np.roll(one, 1, axis=0) + np.roll(one, -1, axis=0) - 2 * one

    along_y = np.kron(second_difference(rows), np.eye(columns))
    along_x = np.kron(np.eye(rows), second_difference(columns))
    return (along_y + along_x) / spacing**2


@every_path
@pytest.mark.parametrize("alpha", [-0.7, 0.3])
@pytest.mark.parametrize(("rows", "columns"), [(5, 4), (6, 7)])
def test_the_operator_is_a_power_of_the_dense_circulant_matrix(
    path: OperatorPath, alpha: float, rows: int, columns: int
) -> None:
    interval, spacing, substeps = 0.25, 0.5, 9
    field = np.random.default_rng(0).normal(size=(rows, columns))
    step = np.eye(rows * columns) - alpha * interval / substeps * circulant_laplacian(rows, columns, spacing)
    expected = (np.linalg.matrix_power(step, substeps) @ field.ravel()).reshape(rows, columns)
    operator = SafeOperator(interval, spacing, substeps, path)
    value = operator(torch.from_numpy(field), torch.tensor(alpha, dtype=torch.float64))
    np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(("rows", "columns"), [(5, 4), (6, 7), (8, 8)])
def test_the_symbol_holds_the_eigenvalues_of_the_dense_circulant_matrix(rows: int, columns: int) -> None:
    symbol = laplacian_symbol((rows, columns), 0.5).numpy()
    # The columns that rfft2 leaves out are mirror images of those it keeps.
    mirrored = symbol[:, [min(column, columns - column) for column in range(columns)]]
    eigenvalues = np.linalg.eigvalsh(-circulant_laplacian(rows, columns, 0.5))
    np.testing.assert_allclose(np.sort(mirrored.ravel()), eigenvalues, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (6, 16), (16, 10)])
def test_the_symbol_reaches_the_largest_eigenvalue_on_an_even_grid(shape: tuple[int, int]) -> None:
    assert laplacian_symbol(shape, 0.3).max().item() == pytest.approx(largest_eigenvalue(0.3), rel=1e-14)


@pytest.mark.parametrize("shape", [(5, 5), (4, 17), (17, 4)])
def test_the_symbol_stays_below_the_largest_eigenvalue_where_a_side_is_odd(shape: tuple[int, int]) -> None:
    highest = laplacian_symbol(shape, 0.3).max().item()
    assert highest < 0.999 * largest_eigenvalue(0.3)
    assert highest > 0.9 * largest_eigenvalue(0.3)


def test_the_symbol_is_zero_for_the_mean_alone() -> None:
    symbol = laplacian_symbol((6, 9), 0.5)
    assert symbol[0, 0] == 0
    assert (symbol.flatten()[1:] > 0).all()


def test_the_laplacian_has_the_sign_and_scale_of_the_five_point_stencil() -> None:
    field = torch.zeros(5, 6, dtype=torch.float64)
    field[0, 0] = 1.0
    expected = torch.zeros_like(field)
    expected[0, 0] = -16.0
    for neighbour in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        expected[neighbour] = 4.0
    assert torch.equal(laplacian(field, 0.5), expected)


@every_path
@given(case=cases(), mode_y=st.integers(0, 16), mode_x=st.integers(0, 16))
@every_property
def test_a_fourier_mode_is_multiplied_by_its_analytical_factor(
    path: OperatorPath, case: Case, mode_y: int, mode_x: int
) -> None:
    k_y = 2 * np.pi * (mode_y % case.rows) / case.rows
    k_x = 2 * np.pi * (mode_x % case.columns) / case.columns
    mode = np.cos(k_y * np.arange(case.rows))[:, None] * np.cos(k_x * np.arange(case.columns))[None, :]
    eigenvalue = (4 - 2 * np.cos(k_x) - 2 * np.cos(k_y)) / case.spacing**2
    factor = (1 + case.alpha * case.interval / case.substeps * eigenvalue) ** case.substeps
    value = case.operator(path)(torch.from_numpy(mode), torch.tensor(case.alpha, dtype=torch.float64))
    np.testing.assert_allclose(value.numpy(), factor * mode, rtol=0, atol=case.tolerance(torch.float64))


@every_path
@given(case=cases())
@every_property
def test_the_mean_is_conserved(path: OperatorPath, case: Case) -> None:
    field = case.draw(0) + 1.0
    value = case.operator(path)(field, torch.tensor(case.alpha, dtype=torch.float64))
    assert value.mean().item() == pytest.approx(field.mean().item(), abs=case.tolerance(torch.float64))


@every_path
@given(case=cases(), shift_y=st.integers(-20, 20), shift_x=st.integers(-20, 20))
@every_property
def test_a_shifted_field_gives_the_shifted_result(path: OperatorPath, case: Case, shift_y: int, shift_x: int) -> None:
    operator, alpha = case.operator(path), torch.tensor(case.alpha, dtype=torch.float64)
    shifted_after = operator(case.draw(0), alpha).roll((shift_y, shift_x), (-2, -1))
    shifted_before = operator(case.draw(0).roll((shift_y, shift_x), (-2, -1)), alpha)
    torch.testing.assert_close(shifted_before, shifted_after, rtol=0, atol=case.tolerance(torch.float64))


@every_path
@given(case=cases())
@every_property
def test_the_operator_is_linear_and_self_adjoint(path: OperatorPath, case: Case) -> None:
    operator, alpha = case.operator(path), torch.tensor(case.alpha, dtype=torch.float64)
    u, v = case.draw(0), case.draw(1)
    tolerance = 4 * case.tolerance(torch.float64)
    torch.testing.assert_close(
        operator(2.0 * u - v, alpha), 2.0 * operator(u, alpha) - operator(v, alpha), rtol=0, atol=tolerance
    )
    left, right = (operator(u, alpha) * v).sum(), (u * operator(v, alpha)).sum()
    torch.testing.assert_close(left, right, rtol=0, atol=tolerance * u.numel())


@every_path
@given(case=cases())
@every_property
def test_two_intervals_are_one_interval_twice_as_long_with_twice_the_substeps(path: OperatorPath, case: Case) -> None:
    alpha = torch.tensor(case.alpha, dtype=torch.float64)
    operator = case.operator(path)
    double = SafeOperator(2 * case.interval, case.spacing, 2 * case.substeps, path)
    tolerance = 2 * case.growth * case.tolerance(torch.float64)
    torch.testing.assert_close(
        operator(operator(case.draw(0), alpha), alpha), double(case.draw(0), alpha), rtol=0, atol=tolerance
    )


@every_path
@pytest.mark.parametrize("substeps", [1, 2, 5])
@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 5)])
def test_first_and_second_derivatives_in_field_and_alpha_pass_gradcheck(
    path: OperatorPath, substeps: int, rows: int, columns: int
) -> None:
    generator = torch.Generator().manual_seed(1)
    field = torch.randn(2, rows, columns, dtype=torch.float64, generator=generator, requires_grad=True)
    alpha = torch.tensor([-0.4, 0.2], dtype=torch.float64, requires_grad=True)
    operator = SafeOperator(interval=0.25, spacing=0.7, substeps=substeps, path=path)
    assert torch.autograd.gradcheck(operator, (field, alpha))
    assert torch.autograd.gradgradcheck(operator, (field, alpha))


@every_path
@pytest.mark.parametrize("substeps", [1, 2, 3])
def test_derivatives_are_right_where_a_mode_is_annihilated(path: OperatorPath, substeps: int) -> None:
    # At |α| Δτ λ_max = 1 the checkerboard's factor is 0^S, whose derivative 0^(S−1) invites 0/0.
    x = torch.arange(4)
    checkerboard = (-1.0) ** (x[:, None] + x[None, :]).double()
    alpha = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    operator = SafeOperator(interval=float(substeps), spacing=8**0.5, substeps=substeps, path=path)
    value = (operator(checkerboard, alpha) * checkerboard).mean()
    (first,) = torch.autograd.grad(value, alpha, create_graph=True)
    # value = (1 + α)^S at λ = 1, Δτ = 1.
    assert value.item() == pytest.approx(0.0, abs=1e-14)
    assert first.item() == pytest.approx(1.0 if substeps == 1 else 0.0, abs=1e-14)
    if substeps > 1:
        (second,) = torch.autograd.grad(first, alpha)
        assert second.item() == pytest.approx(2.0 if substeps == 2 else 0.0, abs=1e-14)


def smooth_modes() -> list[tuple[int, int, float]]:
    """Wavenumbers and amplitudes of a periodic blob: the low modes of a Gaussian."""
    return [(m, n, float(np.exp(-0.3 * (m * m + n * n)))) for m in range(3) for n in range(3)]


def order(steps: list[float], errors: list[float]) -> float:
    """Slope of log error against log step."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@every_path
@pytest.mark.parametrize("alpha", [-0.5, 0.5])
def test_the_error_against_the_exact_semi_discrete_solution_is_first_order_in_the_substep(
    path: OperatorPath, alpha: float
) -> None:
    size, interval = 24, 0.4
    spacing = 2 * np.pi / size
    x = np.arange(size) * spacing
    start, exact = np.zeros((size, size)), np.zeros((size, size))
    for m, n, amplitude in smooth_modes():
        mode = amplitude * np.cos(m * x)[:, None] * np.cos(n * x)[None, :]
        eigenvalue = (4 - 2 * np.cos(m * spacing) - 2 * np.cos(n * spacing)) / spacing**2
        start += mode
        exact += np.exp(alpha * eigenvalue * interval) * mode
    substeps = [16, 32, 64, 128]
    errors = []
    for s in substeps:
        value = SafeOperator(interval, spacing, s, path)(torch.from_numpy(start), torch.tensor(alpha))
        errors.append(float(np.abs(value.numpy() - exact).max()))
    assert order([interval / s for s in substeps], errors) == pytest.approx(1.0, abs=0.1)


def test_the_error_against_the_heat_kernel_is_second_order_in_the_grid_spacing() -> None:
    # The Fourier path affords so many sub-steps that the error in time is nothing beside the error in space.
    diffusivity, interval, substeps = 0.5, 0.4, 100_000
    spacings, errors = [], []
    for size in (16, 32, 64, 128):
        spacing = 2 * np.pi / size
        x = np.arange(size) * spacing
        start, exact = np.zeros((size, size)), np.zeros((size, size))
        for m, n, amplitude in smooth_modes():
            mode = amplitude * np.cos(m * x)[:, None] * np.cos(n * x)[None, :]
            start += mode
            exact += np.exp(-diffusivity * (m * m + n * n) * interval) * mode
        operator = SafeOperator(interval, spacing, substeps)
        value = operator(torch.from_numpy(start), torch.tensor(-diffusivity, dtype=torch.float64))
        spacings.append(spacing)
        errors.append(float(np.abs(value.numpy() - exact).max()))
    assert order(spacings, errors) == pytest.approx(2.0, abs=0.1)


@every_path
def test_diffusion_smooths_and_mobility_sharpens(path: OperatorPath) -> None:
    operator = SafeOperator(0.25, 0.5, 50, path)
    field = torch.from_numpy(np.random.default_rng(2).uniform(size=(8, 8)))
    assert operator(field, torch.tensor(-0.3)).var() < field.var() < operator(field, torch.tensor(0.3)).var()


@every_path
@pytest.mark.parametrize(
    ("alpha_shape", "leading"), [((), (3,)), ((3,), (3,)), ((3, 1), (3, 4)), ((4,), (3, 4)), ((2, 1), (3,)), ((2,), ())]
)
def test_alpha_broadcasts_against_the_leading_axes(
    path: OperatorPath, alpha_shape: tuple[int, ...], leading: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(3)
    field = torch.from_numpy(generator.uniform(size=(*leading, 5, 6)))
    alpha = torch.from_numpy(np.asarray(generator.uniform(-0.5, 0.5, size=alpha_shape)))
    operator = SafeOperator(0.25, 0.5, 7, path)
    value = operator(field, alpha)
    batch = np.broadcast_shapes(alpha_shape, leading)
    assert value.shape == (*batch, 5, 6)
    fields, alphas = field.expand(*batch, 5, 6), alpha.expand(batch)
    for index in np.ndindex(batch):
        torch.testing.assert_close(value[index], operator(fields[index], alphas[index]), rtol=0, atol=1e-13)


@every_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha_dtype", [torch.float32, torch.float64])
def test_the_result_has_the_precision_of_the_field_whatever_that_of_alpha(
    path: OperatorPath, dtype: torch.dtype, alpha_dtype: torch.dtype
) -> None:
    alpha = torch.tensor([-0.5], dtype=alpha_dtype)
    assert SafeOperator(0.25, 0.5, 3, path)(torch.ones(4, 4, dtype=dtype), alpha).dtype == dtype


@every_path
def test_the_field_given_is_left_unchanged(path: OperatorPath) -> None:
    field = torch.from_numpy(np.random.default_rng(4).uniform(size=(6, 6)))
    before = field.clone()
    SafeOperator(0.25, 0.5, 3, path)(field, torch.tensor(-0.5))
    assert torch.equal(field, before)


def test_the_amplification_factor_is_double_precision_even_for_a_single_precision_alpha() -> None:
    symbol = laplacian_symbol((8, 8), 0.5)
    alpha = torch.tensor([-0.5, 0.5], dtype=torch.float32)
    factor = amplification_factor(alpha, symbol, 0.25, 50)
    expected = (1 + 0.25 / 50 * np.array([-0.5, 0.5])[:, None, None] * symbol.numpy()) ** 50
    assert factor.shape == (2, 8, 5)
    np.testing.assert_allclose(factor.numpy(), expected, rtol=1e-13)


@every_path
def test_the_operator_is_frozen(path: OperatorPath) -> None:
    operator = SafeOperator(0.25, 0.5, 50, path)
    assert list(operator.parameters()) == []
    assert list(operator.buffers()) == []
    assert operator.state_dict() == {}


def test_fourier_is_the_path_taken_by_default() -> None:
    assert SafeOperator(0.25, 0.5, 50).path == "fourier"


def test_printing_the_operator_shows_its_settings() -> None:
    shown = repr(SafeOperator(0.25, 0.5, 50, "stencil"))
    assert shown == "SafeOperator(interval=0.25, spacing=0.5, substeps=50, path=stencil)"


@pytest.mark.parametrize("bad", [0.0, -0.25, float("nan"), float("inf")])
def test_an_interval_or_spacing_that_is_not_positive_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="interval and spacing must be positive"):
        SafeOperator(bad, 0.5, 50)
    with pytest.raises(ValueError, match="interval and spacing must be positive"):
        SafeOperator(0.25, bad, 50)


@pytest.mark.parametrize("bad", [0, -1, 2.5])
def test_substeps_that_cannot_be_counted_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="substeps must be a whole number of at least 1"):
        SafeOperator(0.25, 0.5, bad)


def test_an_unknown_path_is_refused() -> None:
    with pytest.raises(ValueError, match="path must be one of fourier, stencil, autograd"):
        SafeOperator(0.25, 0.5, 50, path="spectral")  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_path
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-3)])
@pytest.mark.parametrize("alpha", [-0.7, 0.2])
def test_cuda_agrees_with_the_stencil_on_the_cpu_in_value_and_gradients(
    path: OperatorPath, dtype: torch.dtype, tolerance: float, alpha: float
) -> None:
    generator = np.random.default_rng(5)
    field, cotangent = (torch.from_numpy(generator.uniform(size=(3, 15, 16))) for _ in range(2))

    def evaluate(device: str, path: OperatorPath, dtype: torch.dtype) -> list[Tensor]:
        z = field.to(device, dtype).requires_grad_()
        a = torch.tensor(alpha, device=device, dtype=dtype, requires_grad=True)
        output = SafeOperator(0.25, 0.5, 50, path)(z, a)
        gradients = torch.autograd.grad((output * cotangent.to(device, dtype)).sum(), (z, a))
        assert output.device.type == device
        return [result.detach().cpu().double() for result in (output, *gradients)]

    for result, reference in zip(evaluate("cuda", path, dtype), evaluate("cpu", "stencil", torch.float64), strict=True):
        torch.testing.assert_close(result, reference, rtol=0, atol=tolerance * reference.abs().max().item())
