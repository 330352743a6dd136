"""The classical estimates of D: what each is, whom to cite, and what it assumes.

- Soumpasis, D. M. (1983), Biophys. J. 41, 95–97.
- Axelrod, D., et al. (1976), Biophys. J. 16, 1055–1069.
- Kang, M., et al. (2012), Traffic 13, 1589–1600.
- Seiffert, S., and Oppermann, W. (2005), J. Microsc. 220, 20–30.
"""

import math
from dataclasses import dataclass

from safe_pit_cm.numerics import rounding


@dataclass(frozen=True)
class Method:
    """A classical estimate.

    Attributes
    ----------
    name
        For the record.
    title, citation
        As a figure and a table have them.
    assumption
        A sentence.
    """

    name: str
    title: str
    citation: str
    assumption: str


# Bias from which the assumption of a method counts as not met.
_TOLERATED = 0.05

METHODS = (
    Method(
        "disc_curve",
        "uniform disc, curve",
        "Soumpasis 1983",
        "A round disc was bleached evenly; the blur of its edge in the first frame is taken for diffusion before it, "
        "so that bleaching may have ended earlier.",
    ),
    Method(
        "disc_half_time",
        "uniform disc, half time",
        "Soumpasis 1983",
        "D = 0.224 w²/t½: a round disc of radius w was bleached evenly and had a sharp edge in the first frame.",
    ),
    Method(
        "gaussian_curve",
        "Gaussian spot, curve",
        "Axelrod 1976",
        "The first frame shows a Gaussian spot that is bleached in proportion to the light, and fluorescence is the "
        "mean over a disc.",
    ),
    Method(
        "gaussian_half_time",
        "Gaussian spot, half time",
        "Kang 2012",
        "D = (rₑ² + rₙ²)/8t½: the first frame shows a Gaussian spot of effective radius rₑ, and fluorescence is "
        "measured over the radius rₙ.",
    ),
    Method(
        "width",
        "Gaussian width",
        "Seiffert 2005",
        "σ² = σ₀² + 2Dt: the spot is Gaussian in every frame, its surroundings are even, and nothing is immobile.",
    ),
)


@dataclass(frozen=True)
class Number:
    """A value with its standard error and 95 % interval; None where there is none."""

    value: float
    stderr: float | None
    ci95: tuple[float, float] | None

    def text(self, unit: str = "") -> str:
        """``1.63 ± 0.04 µm²/s``, with two digits of the error."""
        return rounding.plus_minus(self.value, self.stderr or None, unit)


@dataclass(frozen=True)
class Estimate:
    """What a method found.

    Attributes
    ----------
    method
        The method.
    diffusivity
        D.
    bias
        Relative error of the method on a film of the disc that fits the spot, with the mobile fraction, pixels and
        times of the film; NaN where it is not known.
    """

    method: Method
    diffusivity: Number
    bias: float

    @property
    def doubt(self) -> str | None:
        """What in the film contradicts the assumption of the method; None where nothing does."""
        if abs(self.bias) <= _TOLERATED:
            return None
        if not math.isfinite(self.bias):
            return "its error for a spot like this is not known"
        side = "much" if self.bias > 0 else "little"
        return f"for a spot like this the method gives {100 * abs(self.bias):.0f} % too {side}"

    @property
    def corrected(self) -> float:
        """D without the bias."""
        return self.diffusivity.value / (1 + self.bias)


def soumpasis(radius: float, half_time: float) -> float:
    """D of a uniform disc of radius w from the half time of its recovery: 0.224 w²/t½ (Soumpasis 1983)."""
    return 0.224 * radius**2 / half_time


def kang(effective: float, nominal: float, half_time: float) -> float:
    """D of a Gaussian spot: (rₑ² + rₙ²)/8t½ (Kang et al. 2012).

    Parameters
    ----------
    effective
        rₑ, where the depth of the first frame has fallen to exp(−2) of its middle.
    nominal
        rₙ, radius of the disc over which fluorescence is measured.
    half_time
        t½, from the first frame.
    """
    return float((effective**2 + nominal**2) / (8 * half_time))
