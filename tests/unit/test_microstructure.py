"""Initial conditions: the tessellation, its profile, and the random draws."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from safe_pit_cm.simulation import microstructure

SETTINGS: dict[str, Any] = {
    "seed": 11,
    "size": 16,
    "spacing": 0.5,
    "grains_min": 3,
    "grains_max": 6,
    "interface_width": 0.5,
    "roughness": 0.3,
}


def draw(parent: str, **changes: Any) -> xr.Dataset:
    return microstructure.initial_condition(parent=parent, **(SETTINGS | changes))


def two_nearest(centres: NDArray[np.float64], size: int, spacing: float) -> NDArray[np.float64]:
    """Distances to the two nearest of all centres and their images in the eight squares around: (2, y, x)."""
    side = size * spacing
    images = np.concatenate([centres + side * np.array(shift) for shift in itertools.product((-1, 0, 1), repeat=2)])
    axis = np.arange(size) * spacing
    y, x = np.meshgrid(axis, axis, indexing="ij")
    distances = np.hypot(images[:, 0, None, None] - y, images[:, 1, None, None] - x)
    # A centre counts once, by its nearest image.
    nearest_image = distances.reshape(9, len(centres), size, size).min(axis=0)
    return np.sort(nearest_image, axis=0)[:2]


@st.composite
def tessellations(draw: st.DrawFn) -> tuple[NDArray[np.float64], int, float]:
    """Centres, grid size and spacing."""
    size, spacing = draw(st.integers(4, 20)), draw(st.sampled_from([0.25, 0.5, 1.0, 3.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.uniform(0.0, size * spacing, (draw(st.integers(2, 12)), 2)), size, spacing


@settings(deadline=None, derandomize=True, max_examples=40)
@given(tessellation=tessellations(), width=st.floats(0.1, 10.0), seed=st.integers(0, 1000))
def test_the_field_is_the_equation_on_a_brute_force_periodic_search(
    tessellation: tuple[NDArray[np.float64], int, float], width: float, seed: int
) -> None:
    centres, size, spacing = tessellation
    eta = np.random.default_rng(seed).uniform(-1.0, 1.0, (size, size))
    nearest, second = two_nearest(centres, size, spacing)
    expected = np.clip(np.tanh((second - nearest) / width + eta), 0.0, 1.0)
    field = microstructure.voronoi_field(centres, size, spacing, width, eta)
    np.testing.assert_allclose(field, expected, rtol=0.0, atol=1e-10)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(tessellation=tessellations(), width=st.floats(0.05, 10.0), roughness=st.floats(0.0, 2.0))
def test_the_field_stays_between_zero_and_one(
    tessellation: tuple[NDArray[np.float64], int, float], width: float, roughness: float
) -> None:
    centres, size, spacing = tessellation
    eta = np.random.default_rng(0).uniform(-roughness, roughness, (size, size))
    field = microstructure.voronoi_field(centres, size, spacing, width, eta)
    assert field.shape == (size, size)
    assert field.min() >= 0.0
    assert field.max() <= 1.0


@settings(deadline=None, derandomize=True, max_examples=40)
@given(tessellation=tessellations(), rows=st.integers(-25, 25), columns=st.integers(-25, 25))
def test_moving_all_centres_by_grid_cells_rolls_the_field(
    tessellation: tuple[NDArray[np.float64], int, float], rows: int, columns: int
) -> None:
    centres, size, spacing = tessellation
    moved = (centres + spacing * np.array([rows, columns])) % (size * spacing)
    field = microstructure.voronoi_field(centres, size, spacing, 0.5)
    rolled = microstructure.voronoi_field(moved, size, spacing, 0.5)
    np.testing.assert_allclose(rolled, np.roll(field, (rows, columns), (0, 1)), rtol=0.0, atol=1e-9)


def test_the_field_is_one_inside_grains_and_zero_on_boundaries() -> None:
    # Two centres half a side apart: boundaries run midway between them, at y = 0 and y = 8 of a side of 16.
    centres = np.array([[4.0, 8.0], [12.0, 8.0]])
    field = microstructure.voronoi_field(centres, 16, 1.0, 0.5)
    np.testing.assert_allclose(field[[0, 8]], 0.0, atol=1e-12)
    assert field[[3, 4, 5, 11, 12, 13]].min() > 0.99
    # The profile rises from the boundary on both sides alike.
    np.testing.assert_allclose(field[7], field[9], atol=1e-12)
    assert field[7].min() > 0.0


def test_a_wider_interface_is_smoother() -> None:
    centres = np.array([[4.0, 8.0], [12.0, 8.0]])
    narrow, wide = (microstructure.voronoi_field(centres, 16, 1.0, width) for width in (0.5, 4.0))
    inside = narrow > 0.0
    assert (wide[inside] <= narrow[inside]).all()
    assert wide.mean() < narrow.mean()


def test_the_perturbation_moves_the_profile_inside_the_tanh() -> None:
    # At a point with d₂ = d₁ the field is tanh(η) where η is positive, and clipped where it is negative.
    centres = np.array([[4.0, 8.0], [12.0, 8.0]])
    eta = np.full((16, 16), 0.3)
    np.testing.assert_allclose(microstructure.voronoi_field(centres, 16, 1.0, 0.5, eta)[8], np.tanh(0.3), atol=1e-12)
    np.testing.assert_array_equal(microstructure.voronoi_field(centres, 16, 1.0, 0.5, -eta)[8], 0.0)


def test_the_number_of_grains_covers_its_whole_range_and_nothing_beyond() -> None:
    counts = {draw(f"{parent:03d}", size=4).attrs["n_grains"] for parent in range(200)}
    assert counts == {3, 4, 5, 6}


# Parents without two centres so close that both grains drown in the interface.
@pytest.mark.parametrize("parent", ["001", "002", "003", "004"])
def test_the_attribute_counts_the_grains_of_the_field(parent: str) -> None:
    # With this many grains none is its own neighbour across an edge.
    dataset = draw(parent, roughness=0.0, size=64, spacing=0.125, grains_min=9, grains_max=15)
    # Above half height every grain is one convex region, and an interface of four cells keeps two of them apart.
    regions, _ = scipy.ndimage.label(dataset["field"] > 0.5)
    # Regions that touch across an edge of the square are one grain.
    union = {label: label for label in np.unique(regions) if label}
    for first, second in (*zip(regions[0], regions[-1], strict=True), *zip(regions[:, 0], regions[:, -1], strict=True)):
        if first and second:
            merged, kept = union[first], union[second]
            union = {label: kept if root == merged else root for label, root in union.items()}
    assert dataset.attrs["n_grains"] == len(set(union.values()))


def test_a_parents_field_does_not_depend_on_the_parents_drawn_before() -> None:
    alone = draw("007")
    for parent in ("000", "008", "006"):
        draw(parent)
    np.random.default_rng(0).random(5)
    xr.testing.assert_identical(draw("007"), alone)


def test_the_padding_of_a_parents_name_does_not_change_its_field() -> None:
    # The same parent of a larger data set has a longer name.
    np.testing.assert_array_equal(draw("0007")["field"], draw("007")["field"])


def test_parents_and_seeds_have_fields_of_their_own() -> None:
    fields = [draw(parent, seed=seed)["field"].to_numpy().tobytes() for parent in ("000", "001") for seed in (1, 2)]
    assert len(set(fields)) == 4


def test_roughness_perturbs_the_field_and_leaves_the_grains_alone() -> None:
    smooth, rough = draw("003", roughness=0.0), draw("003", roughness=0.3)
    assert smooth.attrs["n_grains"] == rough.attrs["n_grains"]
    difference = np.abs(rough["field"].to_numpy() - smooth["field"].to_numpy())
    assert difference.max() > 0.05
    # tanh has slope 1 at most.
    assert difference.max() <= 0.3


def test_roughness_is_white() -> None:
    # A width far beyond the side leaves tanh(η) where η > 0: half the points, without neighbourly correlation.
    field = draw("003", size=128, interface_width=1e6, roughness=0.5)["field"].to_numpy()
    eta = np.arctanh(field)
    assert eta.max() == pytest.approx(0.5, abs=1e-2)
    assert (eta > 0.0).mean() == pytest.approx(0.5, abs=0.02)
    centred = eta - eta.mean()
    for axis in (0, 1):
        correlation = (centred * np.roll(centred, 1, axis)).mean() / centred.var()
        assert abs(correlation) < 0.03


def test_the_dataset_says_what_it_is() -> None:
    dataset = draw("007")
    assert dataset["field"].dims == ("y", "x")
    assert dataset["field"].dtype == np.float64
    attrs = dict(dataset.attrs)
    assert 3 <= attrs.pop("n_grains") <= 6
    assert attrs == {"parent": "007", "seed": 11, "grid_spacing": 0.5, "boundary": "periodic"}
    for name in ("field", "y", "x"):
        assert dataset[name].attrs["units"] == "1"
        assert dataset[name].attrs["long_name"]
    for axis in ("y", "x"):
        np.testing.assert_array_equal(dataset[axis], np.arange(16) * 0.5)


@pytest.mark.parametrize("name", ["spacing", "interface_width", "roughness", "seed"])
def test_every_setting_reaches_the_field(name: str) -> None:
    changed = draw("005", **{name: SETTINGS[name] * 2})
    assert not np.array_equal(changed["field"], draw("005")["field"])
