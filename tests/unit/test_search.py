"""The search for the lowest point of a function."""

import numpy as np
import pytest

from safe_pit_cm.numerics.search import scan_then_brent


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_lowest_of_several_valleys_is_found(logarithmic: bool) -> None:
    def height(x: float) -> float:
        return float(np.cos(5 * x) + (x - 2) ** 2)

    dense = np.linspace(0.1, 5, 1_000_001)
    found = scan_then_brent(height, np.geomspace(0.1, 5, 60), logarithmic=logarithmic, tolerance=1e-9)
    assert found.position == pytest.approx(dense[np.argmin(np.cos(5 * dense) + (dense - 2) ** 2)], abs=1e-5)
    assert found.height == height(found.position)
    assert not found.at_edge


@pytest.mark.parametrize(("slope", "end"), [(1.0, 1.0), (-1.0, 9.0)])
def test_a_minimum_at_the_edge_of_the_scan_is_said_to_be_there(slope: float, end: float) -> None:
    found = scan_then_brent(lambda x: slope * x, np.arange(1.0, 10.0), tolerance=1e-8)
    assert found.at_edge
    assert found.position == pytest.approx(end, abs=1e-6)


def test_below_the_first_point_the_search_goes_down_to_the_floor() -> None:
    found = scan_then_brent(lambda x: (x - 0.25) ** 2, [1.0, 2.0, 3.0], floor=0.0, tolerance=lambda high: 1e-9 * high)
    assert found.position == pytest.approx(0.25, abs=1e-6)


def test_a_rough_function_guides_the_scan_to_the_lowest_point_nearby() -> None:
    seen: list[float] = []

    def height(x: float) -> float:
        seen.append(x)
        return (x - 6.2) ** 2

    # Its valley lies two points aside.
    found = scan_then_brent(height, np.arange(1.0, 40.0), rough=lambda x: np.abs(x - 8.3), tolerance=1e-9)
    assert found.position == pytest.approx(6.2, abs=1e-7)
    assert min(seen) >= 5.0
    assert max(seen) <= 9.0


@pytest.mark.parametrize(("slope", "end"), [(1.0, 1.0), (-1.0, 9.0)])
def test_a_guided_scan_ends_at_the_edge_of_the_points(slope: float, end: float) -> None:
    found = scan_then_brent(lambda x: slope * x, np.arange(1.0, 10.0), rough=lambda x: np.abs(x - 5), tolerance=1e-8)
    assert found.at_edge
    assert found.position == pytest.approx(end, abs=1e-6)
