"""MAE and R² of recovered coefficients."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_pit_cm.numerics import metrics

ALPHAS = st.floats(-1.0, 1.0)


@pytest.mark.parametrize(
    ("predicted", "true", "mae", "r2"),
    [
        # The worked example of a widely used library's documentation of both measures.
        ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0], 0.5, 1.0 - 1.5 / 29.1875),
        ([0.2, 0.4], [0.2, 0.4], 0.0, 1.0),
        # As good as the mean of the true values, and worse than it.
        ([0.3, 0.3], [0.2, 0.4], 0.1, 0.0),
        ([0.4, 0.2], [0.2, 0.4], 0.2, -3.0),
        # The errors count by size, whatever their sign.
        ([0.1, -0.3, 0.6], [0.2, -0.4, 0.5], 0.1, 1.0 - 0.03 / 0.42),
    ],
)
def test_both_measures_have_the_values_worked_out_by_hand(
    predicted: list[float], true: list[float], mae: float, r2: float
) -> None:
    assert metrics.mean_absolute_error(predicted, true) == pytest.approx(mae, abs=1e-12)
    assert metrics.r_squared(predicted, true) == pytest.approx(r2, abs=1e-12)


def test_both_measures_are_plain_floats() -> None:
    predicted, true = np.array([0.2, 0.4], dtype=np.float32), np.array([0.1, 0.4])
    assert type(metrics.mean_absolute_error(predicted, true)) is float
    assert type(metrics.r_squared(predicted, true)) is float


@settings(deadline=None, derandomize=True, max_examples=100)
@given(value=ALPHAS, count=st.integers(1, 20), error=st.floats(0.0, 1.0))
def test_r_squared_is_undefined_where_all_true_values_are_equal(value: float, count: int, error: float) -> None:
    # The mean of equal values may differ from them by a rounding, as it does for three times 0.1.
    assert math.isnan(metrics.r_squared([value + error] * count, [value] * count))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(pairs=st.lists(st.tuples(ALPHAS, ALPHAS), min_size=1, max_size=20), shift=ALPHAS)
def test_the_mean_absolute_error_measures_distance(pairs: list[tuple[float, float]], shift: float) -> None:
    predicted, true = np.array(pairs).T
    error = metrics.mean_absolute_error(predicted, true)
    assert error >= 0.0
    assert error == metrics.mean_absolute_error(true, predicted)
    assert error == pytest.approx(metrics.mean_absolute_error(predicted + shift, true + shift), abs=1e-12)
    assert metrics.mean_absolute_error(true + shift, true) == pytest.approx(abs(shift), abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    pairs=st.lists(st.tuples(ALPHAS, ALPHAS), min_size=3, max_size=20, unique_by=lambda pair: round(pair[1], 2)),
    scale=st.sampled_from([-2.0, 0.5, 3.0]),
)
def test_r_squared_does_not_depend_on_the_unit_and_is_at_most_one(
    pairs: list[tuple[float, float]], scale: float
) -> None:
    predicted, true = np.array(pairs).T
    score = metrics.r_squared(predicted, true)
    assert score <= 1.0
    assert metrics.r_squared(predicted * scale, true * scale) == pytest.approx(score, rel=1e-6)


def test_an_interval_is_that_of_the_distribution_of_test_sets() -> None:
    # Errors of one hundred parents, uniform in [0, 1]: a mean of twelve is normal around 1/2 with a deviation of 1/12.
    errors = (np.arange(100) + 0.5) / 100
    units = [[[row]] for row in range(100)]
    low, high = metrics.interval(errors, np.zeros(100), units, 12, metrics.mean_absolute_error)
    assert low == pytest.approx(0.5 - 1.96 / 12, abs=0.015)
    assert high == pytest.approx(0.5 + 1.96 / 12, abs=0.015)


def test_a_parent_s_videos_go_together_and_one_of_its_fits_is_taken() -> None:
    # Two fits of two videos of one parent: every test set of it has the mean error of one of the fits.
    units = [[[0, 1], [2, 3]]]
    low, high = metrics.interval([1.0, 3.0, 5.0, 7.0], np.zeros(4), units, 1, metrics.mean_absolute_error)
    assert (low, high) == (2.0, 6.0)


def test_an_interval_without_values_has_no_ends() -> None:
    low, high = metrics.interval([0.1, 0.2], [0.3, 0.3], [[[0]], [[1]]], 2, metrics.r_squared)
    assert math.isnan(low)
    assert math.isnan(high)


def test_the_interval_of_an_error_holds_the_error_and_one_video_has_none() -> None:
    errors = np.random.default_rng(1).exponential(size=200)
    low, high = metrics.error_interval(errors, np.zeros(200))
    assert low < errors.mean() < high
    # Two standard errors to either side.
    assert high - low == pytest.approx(4 * errors.std() / np.sqrt(200), rel=0.1)
    assert np.isnan(metrics.error_interval([0.1], [0.0])).all()
