"""Statistics that the paper publishes, over random test sets, and their likelihood.

A statistic is the logarithm of a MAE(α) or of the unexplained variance 1 − R². The recoveries of each parent are known
for a range of |α|. Random test sets of these parents, with |α| uniform between a smallest and a largest value, give the
mean and covariance of the statistics. The likelihood of the published values is multivariate normal. Rounding of the
published value adds to its variance, and so does a relative tolerance, for Adam's distance from the minimum and the
interpolation in |α|.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.studies.initial_spectra import Direction

Array = NDArray[np.float64]
# |α| found, shape (parent, node), by number of sub-steps and direction.
Recoveries = Mapping[tuple[int, Direction], Array]

# Distinguishes the test sets from the parents in the random stream: a parent number that no parent has.
_TEST_SETS = 2**31
# Where the minimum is exact, Adam leaves errors of about this size, length²/time.
_SMALLEST_ERROR = 1e-5


@dataclass(frozen=True)
class Statistic:
    """A published number.

    Attributes
    ----------
    name
        ``mae_{S}``, ``unexplained_{S}`` or ``unexplained_mobility``: column of the result.
    substeps
        S.
    value
        MAE(α) or 1 − R², as published.
    rounding
        Half a unit of its last digit.
    held_out
        Whether it is predicted from the others.
    """

    name: str
    substeps: int
    value: float
    rounding: float
    held_out: bool


def published_statistics(table_3: Mapping[str, Any], table_4: Mapping[str, Any]) -> list[Statistic]:
    """Statistics of the zero-shot recoveries in Tables 3 and 4 as published.

    Table 4 has more digits of R² at its number of sub-steps. An R² that rounds to 1 says little and is left out. R² of
    mobility and the numbers at fewer than five sub-steps, where forward Euler is unstable for some |α|, are held out.
    """
    zero_shot = {row["process"]: row["r2"] for row in table_4["rows"] if row["setting"] == "zero-shot"}
    default = table_4["substeps"]
    found = []
    for row in table_3["rows"]:
        count = row["substeps"]
        if row["mae"] is not None:
            found.append(Statistic(f"mae_{count}", count, row["mae"], 5e-5, count < 5))
        r2, rounding = (zero_shot["all"], 5e-5) if count == default else (row["r2"], 5e-3)
        if r2 is not None and r2 < 1:
            found.append(Statistic(f"unexplained_{count}", count, 1.0 - r2, rounding, count < 5))
    found.append(Statistic("unexplained_mobility", default, 1.0 - zero_shot["mobility"], 5e-5, True))
    return found


def published_test_parents(table_4: Mapping[str, Any]) -> int:
    """Parents of the paper's test set: each gives one of its mobility videos."""
    return next(int(row["n"]) for row in table_4["rows"] if row["process"] == "mobility")


@dataclass(frozen=True)
class RandomSets:
    """Random test sets: numbers of their parents, and where |α| lies in its range; both ``(set, parent)``."""

    parents: NDArray[np.int_]
    position: Array

    @classmethod
    def draw(cls, seed: int, sets: int, size: int, parents: int) -> "RandomSets":
        """Draw so many sets of so many of the parents, with replacement, and |α| of each."""
        random = randomness.generator(seed, _TEST_SETS, "lost_choices")
        return cls(random.integers(parents, size=(sets, size)), random.uniform(size=(sets, size)))

    def magnitudes(self, magnitude_min: float, magnitude_max: float) -> Array:
        """True |α|, shape ``(set, parent)``, length²/time."""
        return magnitude_min + (magnitude_max - magnitude_min) * self.position

    def statistics(
        self, recoveries: Recoveries, nodes: Array, true: Array, propagation: Propagation, wanted: Iterable[Statistic]
    ) -> Array:
        """Logarithms of the statistics of every test set, shape ``(set, statistic)``.

        Parameters
        ----------
        recoveries
            |α| found.
        nodes
            True |α| for which they were found, increasing.
        true
            As :meth:`magnitudes` returns it.
        propagation
            Of mobility.
        wanted
            The statistics.
        """
        after = np.clip(np.searchsorted(nodes, true), 1, len(nodes) - 1)
        share = (true - nodes[after - 1]) / (nodes[after] - nodes[after - 1])
        # Found over true |α| is nearly linear in |α|.
        ratios = {key: found / nodes for key, found in recoveries.items()}

        @cache
        def errors(count: int, direction: Direction) -> Array:
            ratio = ratios[count, direction]
            between = (1.0 - share) * ratio[self.parents, after - 1] + share * ratio[self.parents, after]
            return np.maximum(true * np.abs(between - 1.0), _SMALLEST_ERROR)

        spread = np.sum(np.square(true - true.mean(axis=1, keepdims=True)), axis=1)
        columns = []
        for statistic in wanted:
            diffusion = errors(statistic.substeps, "smoothed")
            mobility = diffusion if propagation == "stable" else errors(statistic.substeps, "sharpened")
            if statistic.name == "unexplained_mobility":
                value = np.sum(np.square(mobility), axis=1) / spread
            elif statistic.name.startswith("unexplained"):
                # α is −|α| and +|α| for the two videos of a parent: their mean is zero.
                value = np.sum(np.square(diffusion) + np.square(mobility), axis=1) / (2.0 * np.sum(true**2, axis=1))
            else:
                value = 0.5 * np.mean(diffusion + mobility, axis=1)
            columns.append(np.log(value))
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Comparison:
    """Published statistics next to those of random test sets, all as logarithms.

    Attributes
    ----------
    mean, covariance
        Over test sets.
    distance
        Published value minus mean.
    noise
        Variance by rounding and tolerance.
    """

    mean: Array
    covariance: Array
    distance: Array
    noise: Array

    @classmethod
    def of(cls, drawn: Array, published: Iterable[Statistic], tolerance: float) -> "Comparison":
        """Compare test sets ``(set, statistic)`` with the published values."""
        values = np.array([statistic.value for statistic in published])
        # A value rounded to ± r is uniform in that range, with variance r²/3.
        rounding = np.array([statistic.rounding for statistic in published]) / values
        mean = drawn.mean(axis=0)
        covariance = np.atleast_2d(np.cov(drawn, rowvar=False))
        return cls(mean, covariance, np.log(values) - mean, np.square(rounding) / 3.0 + tolerance**2)

    def log_likelihood(self, used: NDArray[np.bool_]) -> float:
        """Logarithm of the density of the published values of some statistics."""
        covariance = (self.covariance + np.diag(self.noise))[np.ix_(used, used)]
        distance = self.distance[used]
        _, determinant = np.linalg.slogdet(2.0 * np.pi * covariance)
        return float(-0.5 * (distance @ np.linalg.solve(covariance, distance) + determinant))

    def predict(self, held_out: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Mean and standard deviation of held-out statistics of the test set that gave the others their values."""
        covariance = self.covariance + np.diag(self.noise)
        weight = np.linalg.solve(covariance[np.ix_(~held_out, ~held_out)], covariance[np.ix_(~held_out, held_out)])
        mean = self.mean[held_out] + self.distance[~held_out] @ weight
        left = covariance[np.ix_(held_out, held_out)] - covariance[np.ix_(held_out, ~held_out)] @ weight
        return mean, np.sqrt(np.diag(left))
