"""Grades, total errors and the sentences of a verdict."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from safe_pit_cm.inference.effects import Effect
from safe_pit_cm.inference.report import Grade, Outcome, verdict
from safe_pit_cm.inference.residuals import ResidualCheck
from safe_pit_cm.inference.splits import Part

WAVENUMBER = np.linspace(0.1, 1, 10)
CLEAN = ResidualCheck(WAVENUMBER, np.ones(10), 1.0, np.full(10, 0.5))
ROUGH = ResidualCheck(WAVENUMBER, np.where(np.arange(10) == 3, 50.0, 1.0), 1.0, np.where(np.arange(10) == 3, 0, 0.5))
UNITS = {"length": "µm", "time": "s", "field": "1", "diffusivity": "µm^2/s"}
IMMOBILE = Effect("immobile share", 0.05, 0.001, "", 0.01, -0.01)


def outcome(**changes: Any) -> Outcome:
    nothing = np.zeros((3, 2, 2))
    found = Outcome(
        2.0,
        0.02,
        (1.96, 2.04),
        1.0,
        0.02,
        CLEAN,
        (np.ones(1), np.zeros(1)),
        np.arange(3),
        nothing,
        nothing,
        misfit=0.01,
        parts=[Part("time", "early", 2.0, 0.03)],
    )
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("changes", "grade", "says"),
    [
        ({}, "noise", "cannot be told from noise"),
        ({"check": ROUGH}, "approximate", "fits to 1.0 % of the contrast"),
        ({"check": ROUGH, "systematic": {"time": 0.1}}, "approximate", "stable to 5.0 %"),
        ({"check": ROUGH, "effects": [IMMOBILE]}, "approximate", "look like immobile share"),
        ({"check": ROUGH, "misfit": 0.2}, "refused", "does not fit"),
        ({"check": ROUGH, "systematic": {"time": 1.0}}, "refused", "does not fit"),
        ({"check": ROUGH, "misfit": None}, "refused", "more than noise"),
        ({"check": ROUGH, "parts": []}, "refused", "does not fit"),
        ({"systematic": {"time": 1.2}}, "refused", "varies by 60 %"),
        ({"effects": [replace(IMMOBILE, stderr=0.04)]}, "noise", "cannot be told from noise"),
        ({"effects": [IMMOBILE]}, "approximate", "would move D by −5.0 %"),
    ],
)
def test_the_grade_and_its_sentence(changes: dict[str, Any], grade: Grade, says: str) -> None:
    found = outcome(**changes)
    assert found.grade == grade
    assert says in verdict(found, "diffusion", UNITS)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (None, 0.5, "is below 0.50 µm²/s"),
        (0.5, None, "is above 0.50 µm²/s"),
        (0.5, 3.0, "to better than 0.50 to 3.0 µm²/s"),
        (None, None, "noise alone explains it"),
    ],
)
def test_what_is_undetermined_is_said_with_its_bounds(low: float | None, high: float | None, says: str) -> None:
    found = outcome(diffusivity=None, stderr=None, interval=None, low=low, high=high)
    assert found.grade == "undetermined"
    assert says in verdict(found, "diffusion", UNITS)


def test_errors_add_in_quadrature() -> None:
    found = outcome(systematic={"time": 0.03, "place": 0.04})
    assert found.systematic_error == pytest.approx(0.05)
    assert found.total_error == pytest.approx(np.hypot(0.02, 0.05))
    assert found.total_interval is not None
    assert found.total_interval[1] - 2 == pytest.approx(np.hypot(0.04, 1.96 * 0.05), rel=1e-4)
    with_effect = outcome(systematic={"time": 0.03}, effects=[IMMOBILE])
    assert with_effect.systematic_error == pytest.approx(np.hypot(0.03, 0.05 * 2))


def test_the_effect_that_moved_d_most_is_named_if_the_residuals_tell_it() -> None:
    small = replace(IMMOBILE, name="flow along x", shift=1e-4)
    hidden = replace(IMMOBILE, name="bleaching", stderr=0.02, shift=1.0)
    found = outcome(check=ROUGH, effects=[small, hidden, IMMOBILE])
    assert [effect.name for effect in found.told] == ["immobile share", "flow along x"]
    assert IMMOBILE.score == pytest.approx(50)
    assert IMMOBILE.moved == pytest.approx(-0.05)


def test_stability_over_parts_is_said_where_parts_were_fitted() -> None:
    parts = [Part("time", "early", 2.1, 0.03)]
    assert "stable to 5.0 %" in verdict(outcome(systematic={"time": 0.1}, parts=parts), "diffusion", UNITS)
