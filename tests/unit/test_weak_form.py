"""Weak-form PySINDy: the equation from integrals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from films import DIFFUSIVITY, INTERVAL, SPACING, evolve, smooth
from safe_pit_cm.errors import UserError
from safe_pit_cm.studies.weak_form import WeakForm

SHAPE = (25, 32, 32)


def boxes(seed: int = 3, side: float = 0.5) -> WeakForm:
    return WeakForm(SHAPE, SPACING, INTERVAL, boxes=40, side=side, duration=0.9, seed=seed)


@pytest.fixture(scope="module")
def frames() -> NDArray[np.float64]:
    """Smooth random field that diffuses as a continuum does."""
    return evolve(smooth())


def test_it_finds_the_terms_of_the_equation_and_no_others(frames: NDArray[np.float64]) -> None:
    terms = boxes().equation(frames, 0.05)
    assert set(terms) == {"u", "u_1", "u_2", "u_11", "u_12", "u_22"}
    assert {name for name, value in terms.items() if value} == {"u_11", "u_22"}
    assert boxes().coefficient(frames, 0.05) == pytest.approx(-DIFFUSIVITY, rel=0.02)


def test_axes_are_not_mixed_up(frames: NDArray[np.float64]) -> None:
    # A field without any change along x does not tell the coefficient of its derivative.
    along_y = np.broadcast_to(frames.mean(2, keepdims=True), frames.shape)
    terms = boxes().equation(along_y, 0.05)
    assert terms["u_11"] == pytest.approx(DIFFUSIVITY, rel=0.05)
    assert terms["u_22"] == pytest.approx(0, abs=1e-12)


def test_a_video_that_sharpens_has_the_other_sign(frames: NDArray[np.float64]) -> None:
    assert boxes().coefficient(frames[::-1], 0.05) == pytest.approx(DIFFUSIVITY, rel=0.02)


def test_a_threshold_above_the_coefficient_leaves_nothing_of_it(frames: NDArray[np.float64]) -> None:
    with pytest.warns(UserWarning, match="eliminated all coefficients"):
        assert boxes().coefficient(frames, 10.0) == 0


def test_boxes_depend_on_the_seed_and_leave_the_caller_s_random_state_alone(frames: NDArray[np.float64]) -> None:
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    first, again, other = (boxes(seed).coefficient(frames, 0.05) for seed in (3, 3, 4))
    assert first == again != other
    assert np.random.random() == expected  # noqa: NPY002


def test_boxes_that_hold_too_few_points_are_refused(frames: NDArray[np.float64]) -> None:
    with pytest.raises(UserError, match="too small for 32 × 32 pixels and 25 frames"):
        boxes(side=0.05).coefficient(frames, 0.05)
