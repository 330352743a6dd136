"""What the pixels of an axis see of the initial field, with a margin or with a known boundary."""

from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation, Scheme
from safe_pit_cm.inference.axes import Axis, fold, halves, unfold

TIMES = np.array([0.0, 4.0, 30.0])
DIFFUSIVITY, SPACING = 0.4, 0.5


def whole(axis: Axis, times: NDArray[np.float64], diffusivity: float) -> NDArray[np.float64]:
    """The matrices of both halves as one, ``(time, pixel, unknown)``."""
    even, odd = axis.seen(times, diffusivity)
    rows, columns = halves(axis.size), halves(axis.unknowns)
    together = np.zeros((len(times), axis.size, axis.unknowns))
    together[:, rows[0], columns[0]], together[:, rows[1], columns[1]] = even, odd
    return np.asarray(unfold(together))


@pytest.mark.parametrize("shape", [(6, 7), (5, 8)])
def test_folding_is_orthogonal_and_unfolding_its_inverse(shape: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).normal(size=(3, *shape))
    assert unfold(fold(pictures)) == pytest.approx(pictures, abs=1e-14)
    assert (fold(pictures) ** 2).sum((1, 2)) == pytest.approx((pictures**2).sum((1, 2)))


def test_an_even_picture_lies_in_the_even_half_alone() -> None:
    picture = np.cos(np.arange(-3, 4))[:, None] * np.arange(-2.5, 3)[None, :]
    folded = fold(picture)
    rows, columns = halves(7), halves(6)
    assert np.abs(folded[rows[0], columns[1]]).max() > 1
    folded[rows[0], columns[1]] = 0
    assert folded == pytest.approx(np.zeros((7, 6)), abs=1e-14)


def averages(edges: NDArray[Any], time: float, at: float = 1.3, width: float = 2.0) -> NDArray[np.float64]:
    """Averages between edges of a Gaussian that has diffused."""
    wide = np.sqrt(width**2 + 2 * DIFFUSIVITY * time)
    primitive = width * np.sqrt(np.pi / 2) * scipy.special.erf((edges - at) / wide / np.sqrt(2))
    return np.asarray(np.diff(primitive) / np.diff(edges))


def test_an_open_axis_sees_what_diffuses_in_from_beyond_its_edges() -> None:
    axis = Axis.of(15, SPACING, "open", Discretisation(), DIFFUSIVITY, TIMES[-1])
    # The line from the first edge of the margin to the last, with the tile from 0.
    edges = SPACING * np.clip(axis._edges, -axis.margin, axis.size + axis.margin)
    cells = np.diff(edges) / SPACING
    unknown = averages(edges, 0.0) * np.sqrt(cells)
    seen = whole(axis, TIMES, DIFFUSIVITY) @ unknown
    tile = SPACING * np.arange(16)
    truth = np.stack([averages(tile, time) for time in TIMES])
    assert seen == pytest.approx(truth, abs=2e-3 * truth.max())
    # Without the margin the pixels at the edge would be wrong by far more.
    inside = np.where((edges[1:] > 0) & (edges[:-1] < 7.5), unknown, 0.0)
    assert np.abs(whole(axis, TIMES, DIFFUSIVITY) @ inside - truth).max() > 0.05 * truth.max()


def test_a_cell_of_the_margin_is_seen_through_the_heat_kernel() -> None:
    axis = Axis.of(9, SPACING, "open", Discretisation(), DIFFUSIVITY, TIMES[-1])
    edges = SPACING * axis._edges
    cell = 3
    matrix = whole(axis, TIMES[1:], DIFFUSIVITY)[:, :, cell]
    pixels = SPACING * (np.arange(9) + 0.5)
    low, high = max(edges[cell], -SPACING * axis.margin), edges[cell + 1]
    for index, time in enumerate(TIMES[1:]):
        spread = 2 * np.sqrt(DIFFUSIVITY * time)
        fine = np.linspace(low, high, 4001)
        kernel = np.exp(-(((pixels[:, None] - fine) / spread) ** 2)) / np.sqrt(np.pi) / spread
        integral = np.trapezoid(kernel, fine, axis=1)
        # The sum over pixels is the integral by the midpoint rule.
        tolerance = 2e-3 * (high - low) / np.sqrt(np.pi) / spread
        assert matrix[index] * np.sqrt((high - low) / SPACING) == pytest.approx(integral, abs=tolerance)
        assert integral.max() > 10 * tolerance or index == 0


def test_a_constant_field_stays_constant_within_the_margin() -> None:
    axis = Axis.of(12, SPACING, "open", Discretisation(), DIFFUSIVITY, TIMES[-1])
    edges = np.clip(axis._edges, -axis.margin, axis.size + axis.margin)
    seen = whole(axis, TIMES, DIFFUSIVITY) @ np.sqrt(np.diff(edges))
    # A pixel at the edge sees the margin on one side alone, which lacks erfc(3.3/√2)/2.
    assert seen == pytest.approx(np.ones((3, 12)), abs=6e-4)
    assert seen[0] == pytest.approx(np.ones(12), abs=1e-12)


def test_the_margin_grows_with_the_spread_and_its_cells_with_the_distance() -> None:
    near, far = (Axis.of(16, SPACING, "open", Discretisation(), D, 30.0) for D in (0.1, 10.0))
    assert far.margin == pytest.approx(10 * near.margin, rel=0.05)
    assert far.unknowns < 2.5 * near.unknowns
    assert Axis.of(16, SPACING, "no-flux", Discretisation(), 10.0, 30.0).unknowns == 16


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet"])
@pytest.mark.parametrize("scheme", ["continuous", "five-point"])
def test_known_boundaries_decay_by_their_modes(boundary: Boundary, scheme: Scheme) -> None:
    discretisation = Discretisation(scheme)
    along_y, along_x = (
        whole(Axis.of(size, SPACING, boundary, discretisation, DIFFUSIVITY, TIMES[-1]), TIMES, DIFFUSIVITY)
        for size in (6, 9)
    )
    field = np.random.default_rng(1).normal(size=(6, 9))
    symbol = symbols((6, 9), (SPACING, SPACING), boundary, discretisation)
    decay = np.exp(-DIFFUSIVITY * symbol * TIMES[:, None, None])
    seen = along_y @ field @ along_x.transpose(0, 2, 1)
    assert seen == pytest.approx(to_field(to_modes(field, boundary) * decay, boundary), abs=1e-10)


def test_forward_euler_decays_step_by_step() -> None:
    axis = Axis.of(9, SPACING, "no-flux", Discretisation("euler", 0.05), DIFFUSIVITY, TIMES[-1])
    field = np.random.default_rng(1).normal(size=9)
    stepped = field.copy()
    for _ in range(80):
        flux = np.diff(stepped)
        stepped += 0.05 * DIFFUSIVITY / SPACING**2 * (np.append(flux, 0) - np.insert(flux, 0, 0))
    assert whole(axis, np.array([0.0, 4.0]), DIFFUSIVITY) @ field == pytest.approx(
        np.stack([field, stepped]), abs=1e-10
    )
