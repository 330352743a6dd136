"""The baselines by name. Nothing heavy is imported here: the workflow reads this module whenever it is parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Approach = Literal["safe", "minimum", "grid", "genetic", "least_squares", "pinn"]


@dataclass(frozen=True)
class Method:
    """A method to find the coefficient of a video.

    Attributes
    ----------
    label
        Name in tables.
    approach
        Function of :mod:`safe_pit_cm.studies.baseline_fits`.
    path
        How it evaluates the SAFE loss: ``fourier`` (by its spectral sums), ``autograd`` (by S stencils, as in the
        paper), or None if it does not.
    long
        Whether it takes minutes per video.
    rounds
        Number of timings, of which the shortest is kept.
    has_propagation
        Whether mobility can be propagated in two ways.
    """

    label: str
    approach: Approach
    path: Literal["fourier", "autograd"] | None = None
    long: bool = False
    rounds: int = 1
    has_propagation: bool = True


BASELINES: Mapping[str, Method] = {
    "safe_spectral": Method("SAFE zero-shot, spectral", "safe", "fourier"),
    "minimum_spectral": Method("true minimum, spectral", "minimum", "fourier", rounds=3),
    "grid_spectral": Method("grid search, spectral", "grid", "fourier", rounds=3),
    "genetic_spectral": Method("genetic algorithm, spectral", "genetic", "fourier", rounds=3),
    "least_squares": Method("least squares, one step", "least_squares", rounds=3),
    "safe_stencil": Method("SAFE zero-shot, the paper's way", "safe", "autograd", long=True),
    "grid_stencil": Method("grid search, stencil", "grid", "autograd", long=True),
    "genetic_stencil": Method("genetic algorithm, stencil", "genetic", "autograd", long=True),
    "pinn": Method("inverse PINN", "pinn", long=True, has_propagation=False),
}
QUICK = [name for name, method in BASELINES.items() if not method.long]
LONG = [name for name, method in BASELINES.items() if method.long]
