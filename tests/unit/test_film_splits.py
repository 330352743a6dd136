"""The systematic error of D by the parts of a film, and the error bar under shot noise."""

import numpy as np
import pytest

from holes import Frames, film, hole
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.reduction import reduce_film
from safe_pit_cm.inference.sandwich import power_by_brightness
from safe_pit_cm.inference.splits import Part, systematic
from safe_pit_cm.inference.tile_fit import fit_tiles


def pair(kind: str, first: float, second: float, stderr: float, counted: bool = True) -> list[Part]:
    return [Part(kind, "first", first, stderr, counted), Part(kind, "second", second, stderr, counted)]


def test_differences_that_noise_explains_are_not_systematic() -> None:
    random = np.random.default_rng(0)
    # Two halves of equal information: their mean is D.
    sizes = []
    for _ in range(400):
        first, second = 1 + 0.1 * np.sqrt(2) * random.normal(size=2)
        found = systematic(pair("time", first, second, 0.1 * np.sqrt(2)), (first + second) / 2, 0.1)
        sizes.append(found["time"])
    assert np.median(sizes) == 0
    assert np.sqrt(np.mean(np.square(sizes))) < 0.1


@pytest.mark.parametrize("kind", ["time", "place", "binning", "nuisances"])
def test_a_difference_far_beyond_noise_is_systematic_in_full(kind: str) -> None:
    found = systematic(pair(kind, 0.8, 1.2, 0.01 * np.sqrt(2)), 1.0, 0.01)
    assert list(found) == [kind]
    assert found[kind] == pytest.approx(np.sqrt(0.2**2 - 0.01**2), rel=1e-9)


def test_other_treatments_of_the_same_data_count_though_their_error_is_the_same() -> None:
    # The same information: the estimate should not differ at all.
    assert systematic([Part("binning", "2 × 2 pixels", 1.03, 0.1)], 1.0, 0.1)["binning"] == pytest.approx(0.03)
    # More information by what was left out: by as much as that may move D.
    assert systematic([Part("nuisances", "no background", 1.03, 0.05)], 1.0, 0.1)["nuisances"] == 0


def test_uncertain_parts_weigh_little() -> None:
    sure, unsure = Part("place", "left", 1.0, 0.011), Part("place", "right", 2.0, 0.1)
    found = systematic([sure, unsure], 1.0, 0.01)["place"]
    assert found == pytest.approx(np.sqrt((1 - (0.1**2 - 0.01**2)) * 0.01), rel=0.01)
    # No more than one film's worth of weight, however many parts there are.
    many = [Part("place", str(index), 1.1, 0.01) for index in range(50)]
    assert systematic(many, 1.0, 0.01)["place"] == pytest.approx(0.1)


def test_parts_that_do_not_count_are_ignored() -> None:
    assert systematic(pair("nuisances", 0.5, 2.0, 0.01, counted=False), 1.0, 0.01) == {}
    assert systematic([], 1.0, 0.01) == {}


def test_noise_power_follows_the_brightness() -> None:
    random = np.random.default_rng(1)
    brightness = random.uniform(100, 400, size=(20, 30, 40))
    residual = np.sqrt(brightness) * random.normal(size=brightness.shape)
    power = power_by_brightness(brightness, residual)
    assert power.mean() == pytest.approx(np.square(residual).mean())
    # Eight groups, each as wide as an eighth of the range.
    assert np.abs(power - brightness).max() < 300 / 16 + 0.1 * 400
    assert np.corrcoef(power.ravel(), brightness.ravel())[0, 1] > 0.98
    few = power_by_brightness(brightness[0, :9], residual[0, :9])
    assert np.ptp(few) == 0


def test_the_error_bar_is_that_of_the_scatter_under_shot_noise() -> None:
    """A bright spot on a dark ground: its noise lies where its contrast is."""
    times: Frames = np.asarray(np.arange(10) * 2.0, dtype=np.float64)
    truth = 2 - hole(1.2, times, (14, 14), depth=200.0, spacing=2.0)
    random = np.random.default_rng(2)
    found = []
    for _ in range(60):
        counted = film(random.poisson(truth), times, 2.0)
        found.append(
            fit_tiles(reduce_film(counted, "open", Discretisation(), factor=1, pixels=1000), 1.2, frozenset({"offset"}))
        )
    scatter = float(np.std([fit.diffusivity for fit in found], ddof=1))
    stated = float(np.mean([fit.stderr for fit in found]))
    assert stated == pytest.approx(scatter, rel=0.25)
    # White noise of the same power would do less.
    assert stated > 1.25 * np.mean([fit.bound for fit in found])
    assert abs(np.mean([fit.diffusivity for fit in found]) - 1.2) < 3 * scatter / np.sqrt(60)
