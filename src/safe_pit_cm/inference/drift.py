"""A uniform motion of the picture, as by a drift of the stage: the film moved back until its picture is at rest.

The strength of a uniform flow follows from what a fit leaves (:mod:`~.effects`), with field, nuisances and D free to
imitate it. Moved back by that much and fitted again, a film comes to rest after a few turns. A drift of the stage and a
uniform flow in the sample cannot be told apart; neither changes D.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts are imported where they are first used

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.inference.effects import FLOWS, Effect, effects
from safe_pit_cm.inference.tile_fit import TileFit, fit_tiles
from safe_pit_cm.inference.tile_search import tiles_at

# A film is moved back if the motion has moved D by more than this share of it.
_WORTH = 0.01
_TURNS = 6
# The picture is at rest where it moves by less than so many pixels over the film, or is within so many standard errors.
_REST, _STANDARD_ERRORS = 0.1, 1.0


@dataclass(frozen=True)
class Drift:
    """Uniform motion of the picture.

    Attributes
    ----------
    pixels, stderr
        Displacement along y and x over the film, and its standard error, pixels.
    """

    pixels: tuple[float, float]
    stderr: tuple[float, float]


@dataclass(frozen=True)
class AtRest:
    """A film that was moved back.

    Attributes
    ----------
    film, fit, effects
        The film moved back, its fit, and what else it may hold.
    drift
        By how much it was moved.
    """

    film: Film
    fit: TileFit
    effects: list[Effect]
    drift: Drift


def _flows(found: list[Effect]) -> list[Effect]:
    return [effect for effect in found if effect.name in FLOWS]


def moved_back(film: Film, drift: Drift) -> Film:
    """The film with every frame moved back, by cubic splines; the pixels at the edge are repeated."""
    share = film.times / film.times[-1]
    frames = np.stack(
        [
            scipy.ndimage.shift(frame, -part * np.array(drift.pixels), order=3, mode="nearest")
            for frame, part in zip(film.frames, share, strict=True)
        ]
    )
    return replace(film, frames=frames)


def at_rest(film: Film, fit: TileFit, found: list[Effect], boundary: Boundary) -> AtRest | None:
    """Move a film back until its picture is at rest, if a uniform motion of it is told and has moved D.

    ``found`` are the effects of its fit.

    Returns
    -------
    AtRest or None
        None for a film at rest, with gaps or with a boundary that is known, and where the turns do not come to rest.
    """
    if boundary != "open" or film.missing is not None:
        return None
    flows = _flows(found)
    if len(flows) < len(FLOWS) or not any(flow.told and abs(flow.moved) > _WORTH for flow in flows):
        return None
    drift = Drift((0.0, 0.0), (0.0, 0.0))
    for _ in range(_TURNS):
        along_y, along_x = flows
        drift = Drift(
            (drift.pixels[0] + along_y.value, drift.pixels[1] + along_x.value), (along_y.stderr, along_x.stderr)
        )
        moved = moved_back(film, drift)
        tiles = tiles_at(moved, boundary, fit.tiles.discretisation, fit.tiles.factor)
        floor = film.floor / fit.tiles.factor
        try:
            fit = fit_tiles(tiles, fit.diffusivity, fit.model.nuisances, gains=fit.model.gains, floor=floor)
        except (UserError, np.linalg.LinAlgError):
            return None
        found = effects(fit)
        flows = _flows(found)
        if all(abs(flow.value) < max(_REST, _STANDARD_ERRORS * flow.stderr) for flow in flows):
            return AtRest(moved, fit, found, drift) if fit.settled else None
    return None
