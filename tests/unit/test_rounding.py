"""Numbers are printed with the digits that their errors allow, and with a power of ten where they are tiny or huge."""

import math

import pytest

from safe_pit_cm.numerics.rounding import interval, number, plus_minus


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.35042, 0.00079, "0.35042 ± 0.00079"),
        (1.7, 0.041, "1.700 ± 0.041"),
        (0.35, 12.3, "0 ± 12"),
        (123.4, 20.0, "123 ± 20"),
        (350.0, 123.0, "(3.5 ± 1.2) × 10²"),
        (3e-14, 2e-15, "(3.00 ± 0.20) × 10⁻¹⁴"),
        (-2.4e6, 3e4, "(−2.400 ± 0.030) × 10⁶"),
        (0.0, 0.01, "0.000 ± 0.010"),
        (1.0, 0.0996, "1.000 ± 0.100"),
        (0.35, None, "0.3500"),
        (0.35, math.nan, "0.3500"),
    ],
)
def test_a_value_has_two_digits_of_its_error(value: float, error: float | None, text: str) -> None:
    assert plus_minus(value, error) == text
    assert plus_minus(value, error, "µm²/s") == f"{text} µm²/s"


def test_a_number_has_the_digits_asked_for() -> None:
    assert [number(value, 2) for value in (0.00123, 0.0000123, 350.0, 123456.0, 0.0)] == [
        *("0.0012", "1.2 × 10⁻⁵", "350", "1.2 × 10⁵", "0"),
    ]
    assert number(1.23456) == "1.235"
    assert number(math.inf) == "inf"


def test_an_interval_shares_one_power_of_ten() -> None:
    assert interval(1.5352, 2.002, 0.119) == "1.54 to 2.00"
    assert interval(2.6e-14, 3.4e-14, 2e-15) == "(2.60 to 3.40) × 10⁻¹⁴"
    assert interval(0.0, 0.4) == "0.00 to 0.40"
