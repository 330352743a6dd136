"""Ways to read what the paper says of its initial condition and of mobility, where its formulas are lost.

Nothing heavy is imported here: the workflow reads this module whenever it is parsed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from safe_pit_cm.equations.processes import Propagation

CONFIGURED = "uniform"
# What is inferred under every reading: names of the configuration.
AXES = ("interface_width", "roughness", "magnitude_min")


@dataclass(frozen=True)
class Reading:
    """One reading of what is lost.

    Attributes
    ----------
    label
        The reading in words.
    noise
        Distribution of η at a grid point: uniform in ± the roughness, or Gaussian with the roughness as its standard
        deviation.
    correlation_length
        Standard deviation, in pixels, of the Gaussian with which η is smoothed; 0 for white noise. Its own standard
        deviation is kept.
    clipped
        Whether φ₀ is clipped to [0, 1]. Without clipping, tanh and (1 + tanh)/2 give the same recoveries.
    size
        Grid points N along each axis; None for the configured number. The number of grains is unchanged.
    propagation
        Of mobility.
    """

    label: str
    noise: Literal["uniform", "gaussian"] = "uniform"
    correlation_length: float = 0.0
    clipped: bool = True
    size: int | None = None
    propagation: Propagation = "signed"


def readings(own: Mapping[str, Any]) -> dict[str, Reading]:
    """Readings that are compared, by a name such as ``correlated_1``; the first is that of the simulations.

    Parameters
    ----------
    own
        The section ``lost_choices`` of the configuration.
    """
    named = {
        CONFIGURED: Reading("white, uniform"),
        "gaussian": Reading("white, Gaussian", noise="gaussian"),
        "unclipped": Reading("white, uniform; φ₀ not clipped", clipped=False),
    }
    for length in own["correlation_lengths"]:
        label = f"Gaussian, correlated over {length:g} {'pixel' if length == 1 else 'pixels'}"
        named[f"correlated_{length}"] = Reading(label, noise="gaussian", correlation_length=length)
    for size in own["sizes"]:
        named[f"size_{size}"] = Reading(f"white, uniform; N = {size}", size=size)
    named["stable"] = Reading("white, uniform; mobility stable", propagation="stable")
    return named
