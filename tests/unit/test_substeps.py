"""Sub-steps with their own adjoint: gradients against dense matrices, what they keep, and their time."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from safe_pit_cm.equations.terms import Term
from safe_pit_cm.safe import substeps as module
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.substeps import propagate

torch.set_num_threads(1)

LAPLACIAN = Term("d", ((2, 0), (0, 2)))
# A halo of two pixels, weights on diagonals, and a factor without derivatives.
BIHARMONIC = Term("k", ((4, 0), (2, 2), (2, 2), (0, 4)), sign=-1.0)
FADING = Term("f", ((0, 0),))


def double(*shape: int, seed: int = 0) -> Tensor:
    """Random field in float64."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def dense(term: Term, rows: int, columns: int) -> Tensor:
    """Matrix of the periodic stencil, from its action on every pixel."""
    unit = torch.eye(rows * columns, dtype=torch.float64).reshape(-1, rows, columns)
    total = torch.zeros_like(unit)
    for (row, column), weight in term.stencil.items():
        total += weight * unit.roll((-row, -column), (-2, -1))
    return total.reshape(rows * columns, -1).T


@pytest.mark.parametrize("term", [LAPLACIAN, BIHARMONIC])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_value_and_gradients_are_those_of_a_power_of_the_dense_matrix(term: Term, steps: int) -> None:
    rows, columns = 5, 6
    matrix = dense(term, rows, columns)
    field, cotangent = double(rows, columns).requires_grad_(), double(rows, columns, seed=1)
    rate = torch.tensor([[-0.03]], dtype=torch.float64, requires_grad=True)
    value = propagate(field, rate, term, steps)
    found = torch.autograd.grad((value * cotangent).sum(), (field, rate))
    power = torch.linalg.matrix_power(torch.eye(len(matrix), dtype=torch.float64) - 0.03 * matrix, steps - 1)
    whole = power - 0.03 * matrix @ power
    torch.testing.assert_close(value.detach().flatten(), whole @ field.detach().flatten())
    torch.testing.assert_close(found[0].flatten(), whole.T @ cotangent.flatten())
    by_rate = steps * cotangent.flatten() @ matrix @ power @ field.detach().flatten()
    torch.testing.assert_close(found[1].squeeze(), by_rate)


@pytest.mark.parametrize("term", [LAPLACIAN, BIHARMONIC])
@pytest.mark.parametrize(("leading", "rates"), [((2,), (1, 1)), ((1, 2), (2, 1, 1, 1))])
def test_gradients_of_either_order_pass_gradcheck(term: Term, leading: tuple[int, ...], rates: tuple[int, ...]) -> None:
    field, rate = double(*leading, 3, 4), -0.05 + 0.01 * double(*rates, seed=2)

    def function(field: Tensor, rate: Tensor) -> Tensor:
        return propagate(field, rate, term, 3)

    for wanted in ((True, True), (True, False), (False, True)):
        inputs = tuple(each.clone().requires_grad_(needed) for each, needed in zip((field, rate), wanted, strict=True))
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


def test_a_third_derivative_in_the_rate_is_that_of_the_power() -> None:
    # A field that is an eigenvector with K z = −8 z: the value is (1 − 8 r)⁵.
    x = torch.arange(4)
    checkerboard = (-1.0) ** (x[:, None] + x[None, :]).double()
    rate = torch.tensor([[0.01]], dtype=torch.float64, requires_grad=True)
    value = (propagate(checkerboard, rate, LAPLACIAN, 5) * checkerboard).mean()
    for order in (1, 2, 3):
        (value,) = torch.autograd.grad(value.sum(), rate, create_graph=True)
        expected = np.prod([5 - k for k in range(order)]) * (-8.0) ** order * (1 - 0.08) ** (5 - order)
        assert value.item() == pytest.approx(expected, rel=1e-12)


def test_frames_that_do_not_fit_into_the_cache_together_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    field, rate = double(7, 5, 6), 0.02 * double(7, 1, 1, seed=3)
    whole = propagate(field, rate, LAPLACIAN, 4)
    monkeypatch.setattr(module, "_TOGETHER", 2 * 5 * 6 * 8)
    assert torch.equal(propagate(field, rate, LAPLACIAN, 4), whole)


def test_a_field_that_is_not_contiguous_is_read_in_its_own_order() -> None:
    field = double(6, 5, 3).permute(2, 1, 0)
    rate = torch.tensor([[0.1]], dtype=torch.float64)
    expected = propagate(field.contiguous(), rate, LAPLACIAN, 3)
    assert torch.equal(propagate(field, rate, LAPLACIAN, 3), expected)


def test_a_term_without_derivatives_is_a_factor() -> None:
    field = double(3, 4)
    result = propagate(field, torch.tensor([[-0.1]], dtype=torch.float64), FADING, 3)
    torch.testing.assert_close(result, 0.9**3 * field)


def test_an_odd_term_is_refused_since_its_stencil_is_not_self_adjoint() -> None:
    with pytest.raises(ValueError, match="must be self-adjoint, but the term of v is odd"):
        propagate(double(3, 4), torch.zeros(1, 1, dtype=torch.float64), Term("v", ((0, 1),)), 2)


def kept(path: str, substeps: int, *, frozen: bool) -> int:
    """Bytes that the graph of a loss keeps for backward, the video itself left out."""
    field = double(4, 16, 16).float().requires_grad_(not frozen)
    alpha = torch.tensor(-0.4, requires_grad=True)
    storages: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        storages[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        result = SafeOperator(0.25, 0.5, substeps, path)(field, alpha)  # type: ignore[arg-type]
    assert result.requires_grad
    storages.pop(field.untyped_storage().data_ptr(), None)
    return sum(storages.values())


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_kept_for_backward_does_not_grow_with_the_substeps(frozen: bool) -> None:
    frames = 4 * 16 * 16 * 4
    few, many = (kept("stencil", substeps, frozen=frozen) for substeps in (2, 200))
    assert few == many <= frames + 1024
    # The count sees what is kept: autograd keeps a field per sub-step.
    assert kept("autograd", 200, frozen=frozen) > 150 * frames


def quickest(function: Callable[[], object], rounds: int) -> float:
    """Shortest CPU time of a few calls, s."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_own_adjoint_is_several_times_faster_than_autograd(frozen: bool) -> None:
    video = double(101, 64, 64).float()

    def gradient(path: str) -> Callable[[], object]:
        operator = SafeOperator(0.25, 0.5, 50, path)  # type: ignore[arg-type]

        def evaluate() -> None:
            field = video[:-1].clone().requires_grad_(not frozen)
            alpha = torch.tensor(-0.4, requires_grad=True)
            (operator(field, alpha) - video[1:]).square().mean().backward()

        return evaluate

    ours, theirs = gradient("stencil"), gradient("autograd")
    # 4.7 to 12 times were measured; interleaved, so that both see the same load.
    ratios = [quickest(theirs, 1) / quickest(ours, 2) for _ in range(3)]
    assert max(ratios) > (4.0 if frozen else 2.5)
