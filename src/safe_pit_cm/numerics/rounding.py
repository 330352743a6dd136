"""Numbers as print has them: as many digits as the error allows, and a power of ten where they are tiny or huge."""

import math
from dataclasses import dataclass

# Between these a number is written out.
_SMALL, _LARGE = 1e-4, 1e5
# Errors above this, written out, would show more than two digits.
_LARGEST_ERROR = 100.0
_MOST_DECIMALS = 12
# Digits of a number whose error is not known.
_DIGITS = 4
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _magnitude(number: float) -> int:
    return math.floor(math.log10(number))


def _decimals(exponent: int, last: int) -> int:
    """Digits after the point where the last one stands for ``10^last``."""
    return min(max(exponent - last, 0), _MOST_DECIMALS)


@dataclass(frozen=True)
class Rounding:
    """How a number and those beside it are written: ``{number / 10^exponent:.{decimals}f}``, then the power of ten.

    Attributes
    ----------
    exponent
        Of the power of ten that all of them share; 0 for none.
    decimals
        Digits after the point.
    """

    exponent: int
    decimals: int

    @classmethod
    def of(cls, value: float, error: float | None = None) -> "Rounding":
        """Two digits of the error; four of the value where the error is None, not finite or 0."""
        if error is None or not math.isfinite(error) or error <= 0:
            return cls.significant(value, _DIGITS)
        size = max(abs(value), error)
        exponent = 0 if _SMALL <= size < _LARGE and error < _LARGEST_ERROR else _magnitude(size)
        return cls(exponent, _decimals(exponent, _magnitude(error) - 1))

    @classmethod
    def significant(cls, value: float, digits: int) -> "Rounding":
        """So many digits of the value, and all before the point."""
        if value == 0 or not math.isfinite(value):
            return cls(0, 0)
        size = abs(value)
        exponent = 0 if _SMALL <= size < _LARGE else _magnitude(size)
        return cls(exponent, _decimals(exponent, _magnitude(size) - digits + 1))

    @property
    def power(self) -> str:
        """The power of ten with its multiplication sign; empty for none."""
        return f" × 10{str(self.exponent).translate(_RAISED)}" if self.exponent else ""

    def digits(self, number: float) -> str:
        """A number without the power of ten."""
        return f"{number / 10.0**self.exponent:.{self.decimals}f}".replace("-", "−")

    def text(self, *numbers: float, between: str = " to ") -> str:
        """Numbers with their common power of ten."""
        joined = between.join(map(self.digits, numbers))
        return f"({joined}){self.power}" if self.power and len(numbers) > 1 else f"{joined}{self.power}"


def number(value: float, digits: int = _DIGITS) -> str:
    """A number with so many digits."""
    return Rounding.significant(value, digits).text(value)


def plus_minus(value: float, error: float | None, unit: str = "") -> str:
    """``1.630 ± 0.041 µm²/s``, with two digits of the error; the value alone where there is no error."""
    rounding = Rounding.of(value, error)
    numbers = [value] if error is None or not math.isfinite(error) else [value, error]
    text = rounding.text(*numbers, between=" ± ")
    return f"{text} {unit}".rstrip()


def interval(low: float, high: float, error: float | None = None) -> str:
    """``1.55 to 1.71``, with two digits of the error, of a quarter of the width if that is None."""
    return Rounding.of(max(abs(low), abs(high)), error or (high - low) / 4).text(low, high)
