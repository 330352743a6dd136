"""What a detector adds to a diffusing field, and which of it is estimated along with D.

A frame of a measured film is

    y(t) = g(t) (u(t) + b) + o(t) + ε

``offset``
    o(t), free in every frame: dark level, stray light, a lamp whose light is even.
``gain``
    g(t), the sensitivity of a frame: flicker about the trend, with a standard deviation that is estimated.
``bleaching``
    The trend of the gain, ``exp(−β n)`` with the number n of the frame: every exposure bleaches the same share.
``background``
    b, free in every pixel and constant in time: illumination that is not even, dirt, and an immobile share of the
    field, from which it cannot be told apart.

A gain acts on the contrast of a film. What it does to the mean of a frame is left to the offset, since the dark level
is seldom known: a gain without an offset would take the one for the other, and D with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import Array

Nuisance = Literal["offset", "gain", "bleaching", "background"]
NUISANCES: tuple[Nuisance, ...] = get_args(Nuisance)

# Flicker of the gain before it is estimated, and the range of the estimate.
_FLICKER = 0.01
_FLICKER_RANGE = (1e-3, 0.3)
# Standard deviation, before the film is seen, of the logarithm of the gain lost over the film by bleaching.
_TREND = 0.3


def chosen(wanted: str | Iterable[str], boundary: Boundary, scheme: Scheme) -> frozenset[Nuisance]:
    """Nuisances to estimate.

    Parameters
    ----------
    wanted
        Names of :data:`NUISANCES`; ``all``; ``none``; or ``auto``: all for a boundary that a laboratory can have (open
        or no-flux) and a field that is a continuum, none for a simulation. A gain or bleaching brings the offset along,
        but between walls of a known value.
    boundary, scheme
        Of the fit.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    names = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if names == ["auto"]:
        return frozenset(NUISANCES if scheme == "continuous" and boundary in ("open", "no-flux") else ())
    if names == ["all"]:
        return frozenset(NUISANCES)
    if names in ([], ["none"]):
        return frozenset()
    unknown = [name for name in names if name not in NUISANCES]
    if unknown:
        raise UserError(f"{unknown[0]!r} is no nuisance; choose auto, none, all, or some of {', '.join(NUISANCES)}")
    with_offset = boundary != "dirichlet" and not {"gain", "bleaching"}.isdisjoint(names)
    return frozenset(name for name in NUISANCES if name in names or (name == "offset" and with_offset))


@dataclass(frozen=True)
class Gains:
    """Logarithm of the gain of every frame, and what is known of it beforehand.

    Attributes
    ----------
    logarithm
        Shape ``(time,)``.
    exposures
        Share of the film's exposures before each frame, less its mean, shape ``(time,)``.
    told
        Frames that have contrast enough to tell their gain, shape ``(time,)``.
    flicker
        Standard deviation about the trend; 0 where no flicker is estimated.
    trend
        Standard deviation of the trend before the film is seen; 0 where no bleaching is estimated.
    """

    logarithm: Array
    exposures: Array
    told: NDArray[np.bool_]
    flicker: float
    trend: float

    @classmethod
    def before(cls, nuisances: frozenset[Nuisance], exposures: Array) -> "Gains | None":
        """Gains of 1, or None where none is estimated."""
        if not nuisances & {"gain", "bleaching"}:
            return None
        span = max(float(np.ptp(exposures)), 1.0)
        share = np.asarray((exposures - exposures.mean()) / span)
        flicker = _FLICKER if "gain" in nuisances else 0.0
        told = np.ones(len(exposures), dtype=bool)
        return cls(np.zeros(len(exposures)), share, told, flicker, _TREND if "bleaching" in nuisances else 0.0)

    @property
    def precision(self) -> Array:
        """Inverse covariance of the logarithms, before the film is seen, ``(time, time)``; 0 where none is told."""
        # Without flicker the trend alone is free; a flicker of a millionth is none.
        variance = max(self.flicker, 1e-6) ** 2
        along = np.where(self.told, self.exposures, 0.0)
        weight = self.trend**2 / (variance * (variance + self.trend**2 * float(np.square(along).sum())))
        return np.asarray(np.diag(self.told / variance) - weight * np.outer(along, along))

    @property
    def slope(self) -> Array:
        """Weights of the logarithms in the trend, from the first exposure to the last, shape ``(time,)``."""
        along = np.where(self.told, self.exposures - self.exposures[self.told].mean() if self.told.any() else 0.0, 0.0)
        return np.asarray(along * np.ptp(self.exposures) / max(float(np.square(along).sum()), 1e-300))

    @property
    def decay(self) -> float:
        """Logarithm of the gain lost over the film by its trend."""
        return -float(self.slope @ self.logarithm) if self.trend else 0.0

    def moved(self, step: Array, variance: Array, told: NDArray[np.bool_]) -> "Gains":
        """After a step of the logarithms, whose variances are known; the flicker follows by maximum likelihood.

        Frames that do not tell their gain, for want of contrast, have a gain of 1.
        """
        logarithm = np.where(told & self.told, self.logarithm + step, 0.0)
        moved = replace(self, logarithm=logarithm, told=told)
        # Frames of little contrast tell nothing of the flicker either, and would hold it where it began.
        clear = told & (variance < self.flicker**2 / 2)
        if self.flicker == 0 or clear.sum() < 3:
            return moved
        rest = logarithm[clear] - logarithm[clear].mean()
        along = self.exposures[clear] - self.exposures[clear].mean()
        if self.trend:
            rest = rest - along * (along @ rest) / max(float(np.square(along).sum()), 1e-300)
        power = float(np.mean(np.square(rest) + variance[clear]))
        return replace(moved, flicker=float(np.clip(np.sqrt(power), *_FLICKER_RANGE)))
