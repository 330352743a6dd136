"""What else a film may hold, how much of it the residuals show, and how far it would move D.

Each effect adds ``e d`` to the film, with a known course d. With the field and the nuisances eliminated from d, and D
as well, its strength e follows by least squares from the residuals, with a standard error; the share of d that D can
imitate says how far D moves for a given e.
"""

from dataclasses import dataclass

import numpy as np

from safe_pit_cm.inference.axes import fold, unfold
from safe_pit_cm.inference.tile_fit import TileFit
from safe_pit_cm.numerics.arrays import Array

# An effect is told from noise at so many standard errors: one film in a thousand, for a dozen effects.
_TOLD = 4.0
# Along y and x.
FLOWS = ("flow along y", "flow along x")


@dataclass(frozen=True)
class Effect:
    """One effect.

    Attributes
    ----------
    name
        Of the effect.
    value, stderr
        Its strength by the residuals, and the standard error of that.
    unit
        Of the strength, for instance ``per film``.
    amount, shift
        A small amount, and the relative change of D that it causes where it is not known of.
    """

    name: str
    value: float
    stderr: float
    unit: str
    amount: float
    shift: float

    @property
    def score(self) -> float:
        """Strength over its standard error."""
        return self.value / self.stderr if self.stderr > 0 else 0.0

    @property
    def told(self) -> bool:
        """Whether the residuals tell it from noise."""
        return abs(self.score) > _TOLD

    @property
    def moved(self) -> float:
        """Relative change of D that the strength found has caused."""
        return self.shift * self.value / self.amount


def _bleached(fit: TileFit) -> Array:
    """What bleaching dims, folded ``(tile, time, y, x)``: all of the brightness.

    Beside an offset or a background, which leave the level of the film open, the contrast alone.
    """
    tiles, system = fit.tiles, fit.system
    if fit.model.nuisances & {"offset", "background"}:
        return fold(fit.signal) * system.scale[:, None, None]
    roots = np.sqrt(tiles.counts)[:, None, None]
    return fold((tiles.frames + tiles.level) * roots - fit.residual)


def _courses(fit: TileFit) -> list[tuple[str, str, float, Array]]:
    """Name, unit, amount and course of every effect, folded ``(tile, time, y, x)``."""
    tiles, system = fit.tiles, fit.system
    times, scale = tiles.times, system.scale[:, None, None]
    unknown = fit.smooth.unknown
    field = system.field(unknown)
    along_y, along_x = system.axis_slopes(unknown)
    spread = along_y + along_x
    duration = float(times[-1])
    late = np.where(times > 0, times, duration)
    found = []
    if "bleaching" not in fit.model.nuisances:
        share = (tiles.exposures - tiles.exposures[0]) / max(float(np.ptp(tiles.exposures)), 1.0)
        found.append(("bleaching", "per film", 0.01, -share[:, None, None] * _bleached(fit)))
    if "background" not in fit.model.nuisances:
        first = (field / scale)[:, :1]
        found.append(("an immobile share", "", 0.01, first * scale - field))
    if tiles.interval is not None:
        for start in np.unique(np.linspace(1, len(times) - 1, min(len(times) - 1, 6)).astype(int)):
            after = (times >= times[start])[:, None, None]
            name = f"frames lost before t = {times[start]:.4g}"
            found.append((name, "frames", 1.0, spread / late[:, None, None] * tiles.interval * after))
    found.append(
        ("anomalous diffusion, exponent of time less 1", "", 0.01, spread * np.log(late / duration)[:, None, None])
    )
    step = 0.05
    ahead, behind = (fit.model.at(fit.diffusivity * (1 + sign * step)).field(unknown) for sign in (1, -1))
    found.append(("a D that varies, variance over D²", "", 0.01, (ahead + behind - 2 * field) / (2 * step**2)))
    found.append(("anisotropy, (Dx − Dy)/2D", "", 0.01, along_x - along_y))
    picture = unfold(field)
    for axis, name in zip((-2, -1), FLOWS, strict=True):
        slope = np.gradient(picture, tiles.spacing[axis], axis=axis)
        pixel = tiles.spacing[axis] / tiles.factor
        # A pixel over the whole film.
        found.append((name, "pixels per film", 1.0, fold(-slope * (times / duration)[:, None, None] * pixel)))
    return found


def effects(fit: TileFit) -> list[Effect]:
    """Strength of each effect by the residuals, and how far it moves D."""
    system = fit.system
    residual, response = fold(fit.residual), fold(fit.response)
    if fit.tiles.gaps is not None:
        residual = fold(np.where(fit.tiles.gaps, 0.0, fit.residual))
    power = float(np.square(response).sum())
    found = []
    for name, unit, amount, course in _courses(fit):
        rows = system.free(course)
        rows = rows - system.fit(rows, penalised=False).fitted
        along = float((response * rows).sum()) / power
        rest = rows - along * response
        norm = float(np.square(rest).sum())
        if norm <= 1e-12 * float(np.square(course).sum()):
            continue
        value = float((rest * residual).sum()) / norm
        shift = along * amount / fit.diffusivity
        found.append(Effect(name, value, float(np.sqrt(fit.noise_power / norm)), unit, amount, shift))
    return found
