"""The numbers missing from the paper's text as an inverse problem: those that give its Tables 3 and 4.

The recoveries of Table 3 are functions of the initial power spectrum and of |α| alone
(:mod:`safe_pit_cm.studies.initial_spectra`). For every interface width w and roughness η on a grid, the fields of some
parents are drawn, and the minima of their SAFE losses are found for a range of |α|. Random test sets of them give the
likelihood of the published numbers (:mod:`safe_pit_cm.studies.published_statistics`). Draws are the same throughout the
grid.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.stability import limited_step_reduction
from safe_pit_cm.simulation.microstructure import centre_distance_gap, draw_centres
from safe_pit_cm.studies.initial_spectra import DIRECTIONS, Sampling, minima, power_spectrum, symbols
from safe_pit_cm.studies.published_statistics import Comparison, RandomSets, Recoveries, Statistic
from safe_pit_cm.studies.readings import Reading

Array = NDArray[np.float64]
MessageProgress = Callable[[str], None]


@dataclass(frozen=True)
class Parents:
    """What is drawn once for all w and η: d₂ − d₁, length units, and η for a roughness of 1; ``(parent, y, x)``."""

    gaps: Array
    patterns: Array

    @classmethod
    def draw(
        cls, seed: int, count: int, size: int, grid_spacing: float, grains: Mapping[str, int], reading: Reading
    ) -> "Parents":
        """Draw so many parents on a grid of ``size`` points along each axis."""
        gaps, patterns = [], []
        for parent in range(count):
            random = randomness.generator(seed, parent, "lost_choices")
            centres = draw_centres(random, size, grid_spacing, **grains)
            gaps.append(centre_distance_gap(centres, size, grid_spacing))
            patterns.append(_pattern(random, size, reading))
        return cls(np.stack(gaps), np.stack(patterns))

    def fields(self, interface_width: float, roughness: float, clipped: bool) -> Array:
        """φ₀ of every parent, shape ``(parent, y, x)``."""
        profile = np.tanh(self.gaps / interface_width + roughness * self.patterns)
        return np.clip(profile, 0.0, 1.0) if clipped else profile

    def regions(self, fields: Array) -> dict[str, float]:
        """Median and mean of φ₀ in the half of the pixels farthest from a boundary, and mean of the nearest 5 %."""
        inside = fields[self.gaps >= np.median(self.gaps)]
        boundary = fields[self.gaps <= np.quantile(self.gaps, 0.05)]
        return {
            "interior_median": float(np.median(inside)),
            "interior_mean": float(inside.mean()),
            "boundary_mean": float(boundary.mean()),
        }


def _pattern(random: np.random.Generator, size: int, reading: Reading) -> Array:
    if reading.noise == "uniform":
        pattern = random.uniform(-1.0, 1.0, (size, size))
    else:
        pattern = random.standard_normal((size, size))
    if not reading.correlation_length:
        return pattern
    smooth = gaussian_filter(pattern, reading.correlation_length, mode="wrap")
    return np.asarray(smooth * (pattern.std() / smooth.std()))


def scan(
    reading: Reading,
    published: list[Statistic],
    *,
    seed: int,
    size: int,
    spacing: float,
    grains: Mapping[str, int],
    time: Mapping[str, Any],
    magnitude_max: float,
    test_parents: int,
    parents: int,
    test_sets: int,
    magnitude_nodes: int,
    tolerance: float,
    interface_width: Iterable[float],
    roughness: Sequence[float],
    magnitude_min: Iterable[float],
    progress: MessageProgress = lambda message: None,
) -> pd.DataFrame:
    """Likelihood of the published numbers over a grid of w, η and smallest |α|.

    Parameters
    ----------
    reading, published
        How the text is read, and what is compared.
    seed, size, spacing, grains, time, magnitude_max
        Of the configuration; ``grains`` is ``grains_min`` and ``grains_max``, ``time`` the whole section.
    test_parents
        Parents in a test set of the paper.
    parents, test_sets
        Parents and test sets that are drawn.
    magnitude_nodes
        Values of |α| for which minima are found; between them the ratio of found to true |α| is interpolated.
    tolerance
        Relative standard deviation added to every statistic.
    interface_width, roughness, magnitude_min
        Axes of the grid.
    progress
        Called with a message for every w.

    Returns
    -------
    pd.DataFrame
        A row per point: ``interface_width``, ``roughness``, ``magnitude_min``; ``log_likelihood`` of all statistics and
        ``log_likelihood_fitted`` without those held out; ``log_likelihood_{name}`` of a statistic together with
        MAE(α) at the most sub-steps, which fixes the scale of all errors; what :meth:`Parents.regions` returns; per
        statistic the geometric mean of test sets under its name, and ``{name}_scatter``, the standard deviation of its
        logarithm; the same as ``predicted_{name}`` and ``predicted_{name}_scatter`` for those held out.
    """
    smallest = sorted(magnitude_min)
    nodes = np.linspace(smallest[0], magnitude_max, magnitude_nodes)
    size = reading.size or size
    drawn = Parents.draw(seed, parents, size, spacing, grains, reading)
    sets = RandomSets.draw(seed, test_sets, test_parents, parents)
    symbol = symbols(size, spacing)
    held_out = np.array([statistic.held_out for statistic in published])
    names = np.array([one.name for one in published])
    scale = max((one for one in published if one.name.startswith("mae")), key=lambda one: one.substeps).name
    rows = []
    for width in interface_width:
        progress(f"interface width {width:g}")
        drawn_fields = [drawn.fields(width, rough, reading.clipped) for rough in roughness]
        # Of all at once, since what is scanned for the minima is the same.
        found = _recoveries(power_spectrum(np.stack(drawn_fields)), symbol, nodes, spacing, time, published)
        for index, (rough, fields) in enumerate(zip(roughness, drawn_fields, strict=True)):
            recoveries = {which: values[index] for which, values in found.items()}
            regions = drawn.regions(fields)
            for low in smallest:
                true = sets.magnitudes(low, magnitude_max)
                comparison = Comparison.of(
                    sets.statistics(recoveries, nodes, true, reading.propagation, published), published, tolerance
                )
                row = {
                    "interface_width": width,
                    "roughness": rough,
                    "magnitude_min": low,
                    "log_likelihood": comparison.log_likelihood(np.ones_like(held_out)),
                    "log_likelihood_fitted": comparison.log_likelihood(~held_out),
                    **regions,
                }
                row |= {
                    f"log_likelihood_{one.name}": comparison.log_likelihood(np.isin(names, [one.name, scale]))
                    for one in published
                }
                scatter = np.sqrt(np.diag(comparison.covariance))
                row |= _named("", published, comparison.mean, scatter)
                rows.append(
                    row
                    | _named("predicted_", [one for one in published if one.held_out], *comparison.predict(held_out))
                )
    return pd.DataFrame(rows)


def _recoveries(
    power: Array, symbol: Array, nodes: Array, spacing: float, time: Mapping[str, Any], published: Iterable[Statistic]
) -> Recoveries:
    """Minima of the SAFE losses of spectra ``(roughness, parent, mode)``, each ``(roughness, parent, node)``."""
    spectra, samplings = power.reshape(-1, len(symbol)), []
    for magnitude in nodes:
        reduction = limited_step_reduction(-magnitude, time["step"], spacing, time["largest_step_reduction"])
        interval = time["save_interval"] * reduction
        samplings.append(Sampling(time["step"] / reduction, interval, time["steps"] // time["save_interval"]))
    return {
        (count, direction): np.stack(
            [
                minima(spectra, symbol, magnitude, sampling, count, direction)
                for magnitude, sampling in zip(nodes, samplings, strict=True)
            ],
            axis=-1,
        ).reshape(*power.shape[:-1], len(nodes))
        for count in sorted({statistic.substeps for statistic in published})
        for direction in DIRECTIONS
    }


def _named(prefix: str, statistics: Iterable[Statistic], mean: Array, scatter: Array) -> dict[str, float]:
    named = {}
    for statistic, middle, width in zip(statistics, mean, scatter, strict=True):
        named[f"{prefix}{statistic.name}"] = float(np.exp(middle))
        named[f"{prefix}{statistic.name}_scatter"] = float(width)
    return named
