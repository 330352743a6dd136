"""Von Neumann stability: the paper's numbers, and the bound as the operator itself shows it."""

import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safe_pit_cm.equations.stability import (
    largest_eigenvalue,
    largest_stable_alpha,
    limited_step_reduction,
    stability_number,
    step_reduction,
)
from safe_pit_cm.errors import UserError
from safe_pit_cm.safe.operator import OperatorPath, SafeOperator

# The fields are tiny: more threads would only wait for one another.
torch.set_num_threads(1)

every_property = settings(deadline=None, max_examples=200, derandomize=True)
positive = st.floats(1e-3, 1e3)

FRAME_INTERVAL, SPACING = 0.25, 0.5


def test_the_largest_eigenvalue_is_that_of_table_3() -> None:
    assert largest_eigenvalue(SPACING) == 32.0


@pytest.mark.parametrize(
    ("substeps", "number", "stable_alpha"),
    [(1, 5.60, 0.25), (2, 2.80, 0.50), (5, 1.12, 1.25), (10, 0.56, 2.50), (25, 0.224, 6.25), (50, 0.112, 12.50)],
)
def test_stability_numbers_and_bounds_are_those_of_table_3(substeps: int, number: float, stable_alpha: float) -> None:
    step = FRAME_INTERVAL / substeps
    assert stability_number(-0.7, step, SPACING) == pytest.approx(number, rel=1e-14)
    assert stability_number(0.7, step, SPACING) == pytest.approx(number, rel=1e-14)
    assert largest_stable_alpha(step, SPACING) == pytest.approx(stable_alpha, rel=1e-14)


@given(step=positive, spacing=positive)
@every_property
def test_the_stability_number_is_two_at_the_largest_stable_alpha(step: float, spacing: float) -> None:
    assert stability_number(-largest_stable_alpha(step, spacing), step, spacing) == pytest.approx(2.0, rel=1e-14)


@pytest.mark.parametrize("path", ["fourier", "stencil", "autograd"])
@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (7, 9), (4, 5)])
def test_the_bound_found_by_bisection_is_the_von_neumann_bound(path: OperatorPath, shape: tuple[int, int]) -> None:
    # Slightly beyond the bound only the shortest wave grows, by 1 + 2ε a step: the many sub-steps let it take over.
    step, substeps = 0.01, 1000
    field = torch.from_numpy(np.random.default_rng(6).normal(size=shape))
    operator = SafeOperator(step * substeps, SPACING, substeps, path)

    def stable(magnitude: float) -> bool:
        # Far beyond the bound the result overflows to NaN, which this counts as growth.
        return bool(operator(field, torch.tensor(-magnitude, dtype=torch.float64)).norm() <= field.norm())

    low, high = 1.0, 100.0
    assert stable(low)
    assert not stable(high)
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if stable(middle) else (low, middle)

    shortest = [2 * np.pi * (size // 2) / size for size in shape]
    highest = (4 - 2 * np.cos(shortest[0]) - 2 * np.cos(shortest[1])) / SPACING**2
    assert low == pytest.approx(2 / (step * highest), rel=5e-3)
    if shape[0] % 2 == 0 and shape[1] % 2 == 0:
        assert low == pytest.approx(largest_stable_alpha(step, SPACING), rel=5e-3)
    else:
        # An odd grid cannot hold the checkerboard, so that the bound errs on the safe side.
        assert low > 1.02 * largest_stable_alpha(step, SPACING)


@pytest.mark.parametrize("path", ["fourier", "stencil", "autograd"])
@pytest.mark.parametrize(("relative", "grows"), [(1 - 1e-9, False), (1 + 1e-9, True)])
def test_a_checkerboard_tells_both_sides_of_the_bound_apart(path: OperatorPath, relative: float, grows: bool) -> None:
    x = torch.arange(8)
    checkerboard = (-1.0) ** (x[:, None] + x[None, :]).double()
    step, substeps = 0.01, 100
    alpha = -torch.tensor(relative * largest_stable_alpha(step, SPACING), dtype=torch.float64)
    ratio = SafeOperator(step * substeps, SPACING, substeps, path)(checkerboard, alpha).norm() / checkerboard.norm()
    assert (ratio > 1).item() is grows
    assert ratio.item() == pytest.approx(1 + 2 * substeps * (relative - 1), abs=1e-11)


@given(alpha=positive, step=positive, spacing=positive)
@every_property
def test_the_reduced_step_is_stable_and_no_smaller_reduction_is(alpha: float, step: float, spacing: float) -> None:
    reduction = step_reduction(-alpha, step, spacing)
    exact = Fraction(alpha) * Fraction(step) * 8 / Fraction(spacing) ** 2
    tolerance = 1 + Fraction(1, 10**11)
    assert reduction >= 1
    assert exact / reduction <= 2 * tolerance
    assert reduction == 1 or exact / (reduction - 1) > 2
    assert step_reduction(alpha, step, spacing) == reduction


@given(step=positive, spacing=positive, multiple=st.integers(1, 1000))
@every_property
def test_a_step_exactly_at_a_multiple_of_the_bound_is_divided_by_that_multiple(
    step: float, spacing: float, multiple: int
) -> None:
    # Rounding may put the number a hair above 2 · multiple; that must not cost another division.
    assert step_reduction(multiple * largest_stable_alpha(step, spacing), step, spacing) == multiple


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 1), (-0.25, 1), (0.25, 1), (-0.2501, 2), (-0.5, 2), (-0.7, 3)])
def test_the_reduction_at_the_frame_interval_of_the_paper(alpha: float, expected: int) -> None:
    assert step_reduction(alpha, FRAME_INTERVAL, SPACING) == expected


def test_a_reduction_within_the_limit_is_returned() -> None:
    assert limited_step_reduction(-0.7, FRAME_INTERVAL, SPACING, limit=3) == 3
    assert limited_step_reduction(-0.7, 0.005, SPACING, limit=1) == 1


def test_a_reduction_beyond_the_limit_is_refused_with_what_is_wrong_and_what_to_do() -> None:
    with pytest.raises(UserError) as refused:
        limited_step_reduction(-0.7, FRAME_INTERVAL, SPACING, limit=2)
    message = str(refused.value)
    assert "the time step 0.25 is unstable for |α| = 0.7 at grid spacing 0.5" in message
    assert "|α| Δt λ_max = 5.6 must not exceed 2" in message
    assert "the step would have to be divided by 3, more than the 2 allowed" in message
    assert "choose a time step of at most 0.089" in message


@given(alpha=positive, step=positive, spacing=positive)
@every_property
def test_the_step_that_the_refusal_recommends_is_accepted(alpha: float, step: float, spacing: float) -> None:
    assume(stability_number(alpha, step, spacing) > 2.1)
    with pytest.raises(UserError) as refused:
        limited_step_reduction(alpha, step, spacing, limit=1)
    found = re.search(r"at most (\S+)$", str(refused.value))
    assert found is not None
    recommended = float(found[1])
    assert limited_step_reduction(alpha, recommended, spacing, limit=1) == 1
    # Rounded down to three digits, not more cautious than that.
    assert stability_number(alpha, recommended, spacing) > 1.98
