"""Terms and equations: stencil, symbol and stability bound follow from the orders of the derivatives alone."""

from typing import Any

import numpy as np
import pytest
import torch

from safe_pit_cm.equations.boundaries import pad_periodic
from safe_pit_cm.equations.terms import DIFFUSION, EQUATIONS, MOBILITY, TRANSPORT, Equation, Parameter, Term
from safe_pit_cm.numerics.arrays import namespace

SPACING = 0.3
TERMS = {
    "decay": Term("rate", ((0, 0),), sign=-1.0),
    "advection": Term("velocity", ((0, 1),), sign=-1.0),
    "laplacian": Term("diffusivity", ((2, 0), (0, 2))),
    "shear": Term("shear", ((1, 1),)),
    "third": Term("dispersion", ((1, 2),)),
    "biharmonic": Term("stiffness", ((4, 0), (2, 2), (2, 2), (0, 4)), sign=-1.0),
}
each_term = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)
each_library = pytest.mark.parametrize("library", ["numpy", "torch"])


def wave(numbers: tuple[int, int], shape: tuple[int, int]) -> Any:
    """Complex wave on a periodic grid, and its wavenumbers."""
    kappa = [2 * np.pi * number / (size * SPACING) for number, size in zip(numbers, shape, strict=True)]
    y, x = (SPACING * np.arange(size) for size in shape)
    field = np.exp(1j * (kappa[0] * y[:, None] + kappa[1] * x[None, :]))
    return field, (np.array(kappa[0]), np.array(kappa[1]))


@each_term
@pytest.mark.parametrize("numbers", [(0, 0), (1, 2), (-3, 1), (5, 4), (4, -6)])
def test_a_wave_is_an_eigenfunction_of_the_stencil_with_the_symbol_as_eigenvalue(
    term: Term, numbers: tuple[int, int]
) -> None:
    field, kappa = wave(numbers, (10, 12))
    applied = term.apply(np.pad(field, term.halo, mode="wrap") if term.halo else field, SPACING)
    symbol = term.symbol(kappa, (SPACING, SPACING))
    scale = (4 / SPACING) ** term.order
    np.testing.assert_allclose(applied, symbol * field, rtol=0, atol=1e-13 * scale)


@each_term
def test_the_symbol_of_the_stencil_tends_to_that_of_the_continuous_operator(term: Term) -> None:
    kappa = (np.array(0.7), np.array(-1.1))
    exact = term.symbol(kappa, (1.0, 1.0), continuous=True)
    errors = [abs(term.symbol(kappa, (spacing, spacing)) - exact) for spacing in (0.02, 0.01)]
    if term.order == 0:
        assert errors == [0, 0]
    else:
        assert errors[0] / errors[1] == pytest.approx(4, rel=1e-2)


@each_term
def test_parity_says_whether_the_symbol_is_real(term: Term) -> None:
    symbol = term.symbol((np.array(0.7), np.array(-1.1)), (SPACING, SPACING))
    if term.parity == "even":
        assert np.imag(symbol) == pytest.approx(0, abs=1e-14)
    else:
        assert np.real(symbol) == pytest.approx(0, abs=1e-14)


def test_the_stencil_of_the_laplacian_is_the_five_point_one_with_the_centre_last() -> None:
    (term,) = DIFFUSION.terms
    assert list(term.stencil.items()) == [((-1, 0), 1), ((1, 0), 1), ((0, -1), 1), ((0, 1), 1), ((0, 0), -4)]
    assert term.halo == 1


@each_library
def test_diffusion_mobility_and_transport_differ_in_sign_alone(library: str) -> None:
    field: Any = np.random.default_rng(1).normal(size=(6, 7))
    if library == "torch":
        field = torch.from_numpy(field)
    padded = pad_periodic(field, 1)
    diffusion = DIFFUSION.right_hand_side(padded, {"diffusivity": 0.4}, SPACING)
    assert namespace(diffusion) is namespace(field)
    for equation, theta in ((MOBILITY, {"mobility": 0.4}), (TRANSPORT, {"alpha": 0.4})):
        np.testing.assert_array_equal(-diffusion, equation.right_hand_side(padded, theta, SPACING))
    kappa = (np.array([0.3]), np.array([0.8]))
    rate = DIFFUSION.rates({"diffusivity": 0.4}, kappa, (SPACING, SPACING), continuous=True)
    assert rate == pytest.approx(0.4 * (0.3**2 + 0.8**2), rel=1e-14)


@each_library
@pytest.mark.parametrize("halo", [1, 2])
def test_the_periodic_halo_is_that_of_numpy(library: str, halo: int) -> None:
    field: Any = np.arange(30.0).reshape(1, 5, 6)
    expected = np.pad(field[0], halo, mode="wrap")
    padded = pad_periodic(torch.from_numpy(field) if library == "torch" else field, halo)
    np.testing.assert_array_equal(padded[0], expected)


def test_the_bound_is_where_forward_euler_multiplies_the_checkerboard_by_minus_one() -> None:
    step = 2 / DIFFUSION.stability_number({"diffusivity": 0.4}, 1.0, SPACING)
    checkerboard = (-1.0) ** (np.arange(8)[:, None] + np.arange(8)[None, :])
    change = DIFFUSION.right_hand_side(pad_periodic(checkerboard, 1), {"diffusivity": 0.4}, SPACING)
    np.testing.assert_allclose(checkerboard + step * change, -checkerboard, rtol=1e-13)


def test_an_equation_of_several_terms_adds_them_up() -> None:
    equation = Equation(
        "advection, diffusion and decay",
        (TERMS["laplacian"], TERMS["advection"]),
        (
            Parameter("diffusivity", "D", "length²/time", 0.0, np.inf),
            Parameter("velocity", "v", "length/time", -np.inf, np.inf),
        ),
    )
    theta = {"diffusivity": 0.4, "velocity": -0.2}
    field, kappa = wave((2, 3), (8, 8))
    change = equation.right_hand_side(pad_periodic(field, 1), theta, SPACING)
    rates = equation.rates(theta, kappa, (SPACING, SPACING))
    np.testing.assert_allclose(change, -rates * field, atol=1e-12)
    with pytest.raises(ValueError, match="odd"):
        equation.stability_number(theta, 0.1, SPACING)


def test_what_cannot_be_a_term_or_an_equation_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in their total order"):
        Term("mixed", ((2, 0), (0, 1)))
    with pytest.raises(ValueError, match="are not its parameters"):
        Equation("nameless", (TERMS["decay"],), ())
    assert set(EQUATIONS) == {"diffusion", "mobility", "transport"}
