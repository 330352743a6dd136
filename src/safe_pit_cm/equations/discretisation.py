"""Decay rates of modes under the discretisations of ∂φ/∂t = D ∇²φ with which a video can be generated.

Along an axis of n pixels, every boundary of :mod:`~safe_pit_cm.equations.boundaries` has modes of wavenumber κ, and −∇²
multiplies a mode by its symbol λ, 1/length²:

``continuous``
    λ = κ². The field is a continuum, as in a measurement; a mode decays by ``exp(−D λ t)``.
``five-point``
    λ = (2/Δx)² sin²(κ Δx/2), exact in time: ``exp(−D λ t)``.
``euler``
    The same λ, integrated by forward Euler with sub-step δ: ``(1 − D δ λ)^(t/δ) = exp(−s t)`` with the rate
    ``s = −log(1 − D δ λ)/δ``. The paper's videos have δ = Δt (§2.1).

Symbols of the axes add up to the symbol of the field.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.amplification import amplification_factor, decay_rate, decay_rate_slope
from safe_pit_cm.equations.terms import axis_symbol
from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import namespace

Scheme = Literal["continuous", "five-point", "euler"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Discretisation:
    """Discretisation of the diffusion equation.

    Attributes
    ----------
    scheme
        One of :data:`SCHEMES`.
    substep
        δ, time units; for ``euler`` alone.

    Raises
    ------
    UserError
        If the scheme is unknown, ``euler`` has no positive sub-step, or another scheme has one.
    """

    scheme: Scheme = "continuous"
    substep: float | None = None

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise UserError(f"the discretisation is {self.scheme!r}; choose one of {', '.join(SCHEMES)}")
        if self.scheme == "euler":
            if self.substep is None or not 0 < self.substep < np.inf:
                raise UserError(
                    f"the sub-step of the euler discretisation is {self.substep}; give the time step of the "
                    "simulation, a positive number"
                )
        elif self.substep is not None:
            raise UserError(
                f"the {self.scheme} discretisation is exact in time; leave its sub-step out, or choose euler"
            )

    def symbol(self, wavenumber: Array, spacing: float) -> NDArray[np.float64]:
        """Symbol λ of −∇² along one axis, 1/length², for wavenumbers κ and pixel size Δx."""
        along = np.asarray(wavenumber, dtype=np.float64)
        return np.asarray(-axis_symbol(2, along, spacing, continuous=self.scheme == "continuous"))

    def largest_symbol(self, spacing: tuple[float, float]) -> float:
        """Largest symbol on a grid of pixels of size (Δy, Δx): that of the shortest wave, 1/length²."""
        return float(sum(self.symbol(np.array(np.pi / pixel), pixel) for pixel in spacing))

    def largest_diffusivity(self, largest_symbol: float) -> float:
        """Largest D for which every mode decays without changing sign, length²/time."""
        return np.inf if self.substep is None else 1.0 / (self.substep * largest_symbol)

    def amplification(self, alpha: Any, symbol: Any, interval: float) -> Any:
        """Amplification factor of modes over an interval, ``(..., ky, kx)``; arrays of NumPy or torch.

        Parameters
        ----------
        alpha
            Signed transport coefficient, any shape ``(...)``, length²/time; −D for diffusion.
        symbol
            λ of −∇², shape ``(ky, kx)``, float64, 1/length².
        interval
            Length of the interval, time units.
        """
        if self.substep is None:
            xp = namespace(symbol)
            return xp.exp(xp.astype(alpha, symbol.dtype)[..., None, None] * symbol * interval)
        substeps = interval / self.substep
        # A whole number, from which the sub-step usually comes, keeps the sign of modes that alternate.
        whole = round(substeps)
        return amplification_factor(alpha, symbol, interval, whole if abs(substeps - whole) < 1e-6 else substeps)

    def rate(self, diffusivity: float | Array, symbol: Array) -> NDArray[np.float64]:
        """Rate s of the decay exp(−s t) of modes of symbol λ, 1/time; broadcast shape of D and λ."""
        if self.substep is None:
            return np.asarray(diffusivity * symbol, dtype=np.float64)
        return np.asarray(decay_rate(diffusivity, symbol, self.substep))

    def rate_slope(self, diffusivity: float, symbol: Array) -> NDArray[np.float64]:
        """∂s/∂D, 1/length²."""
        if self.substep is None:
            return np.asarray(symbol, dtype=np.float64)
        return np.asarray(decay_rate_slope(diffusivity, symbol, self.substep))
