"""MAE and R² of recovered coefficients."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_pit_cm import metrics

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


def test_an_interval_draws_whole_parents() -> None:
    # The errors of a parent's two videos are 0 and 1, or 1 and 0: drawn with its other video, each parent has 0.5.
    predicted, true = np.tile([0.0, 1.0, 1.0, 0.0], 5), np.zeros(20)
    parents = np.repeat([str(number) for number in range(10)], 2)
    low, high = metrics.bootstrap_interval(metrics.mean_absolute_error, predicted, true, parents, seed=1, resamples=50)
    assert (low, high) == (0.5, 0.5)


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        errors = random.exponential(size=30)
        low, high = metrics.bootstrap_interval(
            metrics.mean_absolute_error, errors, np.zeros(30), np.arange(30), seed=trial, resamples=200, level=0.8
        )
        covered += low <= 1.0 <= high
    assert 0.7 < covered / 200 < 0.88


def test_an_interval_is_the_same_for_a_seed_and_widens_with_its_level() -> None:
    true = np.linspace(0.1, 0.7, 8)
    predicted = true + np.array([0.01, -0.02, 0.03, 0.0, 0.05, -0.01, 0.02, 0.04])
    arguments = (metrics.r_squared, predicted, true, np.arange(8))
    narrow = metrics.bootstrap_interval(*arguments, seed=1, resamples=300, level=0.5)
    assert narrow == metrics.bootstrap_interval(*arguments, seed=1, resamples=300, level=0.5)
    wide = metrics.bootstrap_interval(*arguments, seed=1, resamples=300, level=0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_an_interval_of_a_measure_that_is_never_defined_is_not_a_number() -> None:
    low, high = metrics.bootstrap_interval(metrics.r_squared, [0.1], [0.2], ["000"], seed=1, resamples=5)
    assert math.isnan(low)
    assert math.isnan(high)
