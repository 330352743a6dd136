"""The random-effects mean: against published numbers, against its definition, and by its coverage."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from safe_pit_cm.measurements.random_effects import combine

# Tuberculosis with and without the BCG vaccine in 13 trials (Colditz et al. 1994): ill and well, vaccinated and not.
BCG = np.array(
    [
        *([4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761]),
        *([180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232]),
        *([17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825]),
    ],
    dtype=np.float64,
)


def log_relative_risks() -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    ill, well, ill_without, well_without = BCG.T
    with_, without = ill + well, ill_without + well_without
    values = np.log(ill / with_) - np.log(ill_without / without)
    return values, np.sqrt(1 / ill - 1 / with_ + 1 / ill_without - 1 / without)


def test_the_vaccine_trials_give_the_published_numbers() -> None:
    # The worked example of the R package metafor (Viechtbauer 2010), method REML: 0.3132 for τ², 92.22 % for I².
    found = combine(*log_relative_risks())
    assert found.count == 13
    assert round(found.mean, 4) == -0.7145
    assert found.between is not None
    assert round(found.between**2, 4) == 0.3132
    assert found.heterogeneity is not None
    assert round(100 * found.heterogeneity, 2) == 92.22


def test_the_definition_gives_the_same_by_matrices() -> None:
    values, errors = log_relative_risks()
    ones = np.ones((len(values), 1))

    def restricted(tau2: float) -> tuple[float, float, float]:
        """−2 × log-likelihood of the contrasts, generalised least-squares mean, and its variance."""
        contrasts = np.linalg.svd(ones)[0][:, 1:]
        covariance = np.diag(errors**2 + tau2)
        inverse = np.linalg.inv(covariance)
        variance = 1 / float((ones.T @ inverse @ ones).item())
        mean = variance * float((ones.T @ inverse @ values).item())
        own = stats.multivariate_normal(cov=contrasts.T @ covariance @ contrasts)
        return -2 * own.logpdf(contrasts.T @ values), mean, variance

    best = optimize.minimize_scalar(lambda tau2: restricted(tau2)[0], bounds=(0, 3), options={"xatol": 1e-10})
    _, mean, variance = restricted(best.x)
    scatter = float(((values - mean) ** 2 / (errors**2 + best.x)).sum()) / 12
    reach = stats.t.ppf(0.975, 12) * math.sqrt(max(1, scatter) * variance)
    found = combine(values, errors)
    assert scatter > 1
    assert found.between == pytest.approx(math.sqrt(best.x), rel=1e-5)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - reach, mean + reach), rel=1e-5)
    assert found.stderr == pytest.approx(reach / stats.t.ppf(0.975, 12))


def test_units_do_not_matter() -> None:
    values, errors = log_relative_risks()
    found, tiny = combine(values, errors), combine(1e-13 * values, 1e-13 * errors)
    assert tiny.mean == pytest.approx(1e-13 * found.mean, rel=1e-6)
    assert (tiny.low, tiny.high) == pytest.approx((1e-13 * found.low, 1e-13 * found.high), rel=1e-6)
    assert tiny.heterogeneity == pytest.approx(found.heterogeneity, rel=1e-6)


def test_films_that_agree_by_chance_are_no_better_than_their_errors() -> None:
    found = combine([1.0, 1.001, 0.999], [0.1, 0.2, 0.1])
    assert (found.between, found.heterogeneity) == (0.0, 0.0)
    assert found.stderr == pytest.approx((100 + 25 + 100) ** -0.5)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 2) * found.stderr)


def test_one_film_is_its_own_mean() -> None:
    found = combine([0.4], [0.01])
    assert (found.count, found.mean, found.stderr, found.between, found.heterogeneity) == (1, 0.4, 0.01, None, None)
    assert (found.low, found.high) == pytest.approx((0.4 - 0.0196, 0.4 + 0.0196), abs=1e-5)


@pytest.mark.parametrize("between", [0.0, 0.05, 0.5])
def test_the_interval_holds_the_mean_as_often_as_it_says(between: float) -> None:
    random = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        errors = random.uniform(0.02, 0.2, size=6)
        values = 1 + between * random.normal(size=6) + errors * random.normal(size=6)
        found = combine(values, errors)
        held += found.low <= 1 <= found.high
    # At least 95 %, less three standard deviations of so many draws; more where films agree.
    assert held / 300 >= 0.91
    assert held / 300 <= 0.99 or between < 0.5
