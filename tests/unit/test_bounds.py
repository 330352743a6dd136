"""Bounds and intervals by a criterion over a grid."""

import numpy as np
import pytest

from safe_pit_cm.inference.intervals import hull, one_sided

GRID = np.geomspace(0.01, 100, 401)
# A parabola in log D about 1 with a standard error of 0.2.
STANDARD_ERROR = 0.2
PARABOLA = 50 + np.square(np.log(GRID) / STANDARD_ERROR)
NONE = np.zeros(401)


def test_the_interval_of_a_parabola_is_exact() -> None:
    low, high = hull(GRID, PARABOLA, NONE)
    assert np.log([low, high]) == pytest.approx([-1.96 * 0.2, 1.96 * 0.2], abs=2e-3)
    # Its root is linear in log D, so that a coarse grid does as well.
    coarse = np.geomspace(0.01, 100, 9)
    assert hull(coarse, np.square(np.log(coarse) / 0.2), np.zeros(9)) == pytest.approx((low, high), rel=2e-3)


def test_bounds_of_a_parabola_are_the_next_points_outside() -> None:
    low, high, closed = one_sided(GRID, PARABOLA)
    assert closed
    assert low is not None
    assert high is not None
    step = np.log(GRID[1] / GRID[0])
    # One-sided at 95 %: 1.645 standard errors.
    assert -1.645 * 0.2 - step <= np.log(low) <= -1.645 * 0.2
    assert 1.645 * 0.2 <= np.log(high) <= 1.645 * 0.2 + step


def test_what_noise_may_add_widens_both() -> None:
    scatter = np.abs(np.log(GRID)) / STANDARD_ERROR
    exact, wide = hull(GRID, PARABOLA, NONE), hull(GRID, PARABOLA, scatter)
    assert wide[0] < exact[0]
    assert exact[1] < wide[1]
    # (x − √3.84 s(x)) with s = |x|/0.2 reaches 3.84 where x²/0.04 − 1.96 |x|/0.2 = 3.84.
    reach = 0.2 * (1.96 + np.sqrt(1.96**2 + 4 * 3.84)) / 2
    assert np.log(wide) == pytest.approx([-reach, reach], rel=0.01)
    narrow, broad = one_sided(GRID, PARABOLA), one_sided(GRID, PARABOLA, scatter)
    assert (narrow[0] or 0) > (broad[0] or 0) > 0
    # A scatter as large as the rise leaves nothing.
    assert one_sided(GRID, PARABOLA, PARABOLA) == (None, None, False)


def test_an_end_that_is_not_excluded_gives_no_bound() -> None:
    fast = np.where(GRID > 1, 0.0, np.square(np.log(GRID) / STANDARD_ERROR))
    low, high, closed = one_sided(GRID, fast)
    assert not closed
    assert high is None
    assert low == pytest.approx(np.exp(-1.645 * 0.2), rel=0.03)
    assert hull(GRID, fast, NONE)[1] == GRID[-1]
    low, high, closed = one_sided(GRID, fast[::-1])
    assert (low, closed) == (None, False)
    assert high == pytest.approx(np.exp(1.645 * 0.2), rel=0.03)
    assert hull(GRID, fast[::-1], NONE)[0] == GRID[0]


def test_noise_alone_gives_neither_bound() -> None:
    height = np.random.default_rng(0).normal(size=401)
    assert one_sided(GRID, height) == (None, None, False)


def test_the_interval_holds_a_second_minimum_that_is_not_excluded() -> None:
    second = np.minimum(PARABOLA, 51 + np.square((np.log(GRID) - 2) / STANDARD_ERROR))
    low, high = hull(GRID, second, NONE)
    assert np.log(low) == pytest.approx(-1.96 * 0.2, abs=5e-3)
    assert np.log(high) > 2
