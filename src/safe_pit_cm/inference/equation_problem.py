"""A video on the grid of a solver: mirrored, or with a margin around an open frame; and what a fit of it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution import starts
from safe_pit_cm.evolution.compiled import Grid
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.models.model import Model
from safe_pit_cm.numerics.arrays import Array

# Seconds per pixel, frame and right-hand side of a nonlinear fit on one core, and the limits of time and memory.
_SECONDS, _LONGEST, _MOST_MEMORY = 6e-6, 7200.0, 4e9
# Standard deviations of the spread of a point within the film that are kept around an open frame.
_SPREAD = 2.5


@dataclass(frozen=True)
class Problem:
    """A video on the grid of a solver.

    Attributes
    ----------
    frames, weights
        ``(time, field, y, x)``; weights None where every pixel of the grid was observed.
    corner, copies
        Where the frame lies on the grid, and how often it is on it (4 for a mirrored one).
    """

    model: Model
    grid: Grid
    times: Array
    frames: Array
    weights: Array | None
    corner: tuple[int, int]
    copies: int


def posed(
    model: Model,
    film: Film,
    frames: Array,
    missing: Array | None,
    boundary: Boundary,
    scheme: Scheme,
    theta: Array,
) -> Problem:
    """Put a video ``(time, field, y, x)`` on a periodic grid: as it is, mirrored, or with a margin of unknown field."""
    weights = None if missing is None else 1.0 - missing
    shape, corner, copies = film.shape, (0, 0), 1
    if boundary == "no-flux":
        # A mirrored field stays mirrored under an equation that a mirror leaves as it is.
        def mirrored(values: Array) -> Array:
            values = np.concatenate([values, values[..., ::-1, :]], axis=-2)
            return np.concatenate([values, values[..., ::-1]], axis=-1)

        frames, copies = mirrored(frames), 4
        weights = None if weights is None else mirrored(weights)
        shape = (2 * shape[0], 2 * shape[1])
    elif boundary == "open":
        reach = _reach(model, film, theta)
        grown = [_even_size(size + 2 * most) for size, most in zip(shape, reach, strict=True)]
        pads = [((more - size) // 2, more - size - (more - size) // 2) for size, more in zip(shape, grown, strict=True)]
        around = ((0, 0), (0, 0), *pads)
        weights = np.pad(np.ones_like(frames) if weights is None else weights, around)
        frames = _continued(np.pad(frames, around, mode="symmetric"), pads)
        corner, shape = (pads[0][0], pads[1][0]), (grown[0], grown[1])
    return Problem(model, Grid(shape, film.spacing, scheme), film.times, frames, weights, corner, copies)


def _continued(frames: Array, pads: Sequence[tuple[int, int]]) -> Array:
    """Mirrored frames ``(..., y, x)`` whose margin fades to their mean, so that opposite edges of the grid join."""
    mean = frames.mean((-2, -1), keepdims=True)
    along = []
    for size, (before, after) in zip(frames.shape[-2:], pads, strict=True):
        inwards = np.arange(size) + 0.5
        ramp = np.minimum(inwards / before, inwards[::-1] / after).clip(max=1)
        along.append(np.sin(np.pi / 2 * ramp) ** 2)
    return np.asarray(mean + (frames - mean) * np.outer(*along))


def _reach(model: Model, film: Film, theta: Array) -> tuple[int, int]:
    """Pixels beyond the frame whose field at the start reaches it within the film."""
    velocity = starts.drift(model, theta)
    reach = []
    for size, pixel, speed in zip(film.shape, film.spacing, velocity, strict=True):
        flown = int(np.ceil(abs(speed) * film.times[-1] / pixel))
        if flown > 2 * size:
            raise UserError(
                f"the pattern flows {flown} pixels during the film, more than twice the frame; give fewer frames "
                "(--frames)"
            )
        spread = int(np.ceil(_SPREAD * np.sqrt(2 * starts.spread(model, theta) * film.times[-1]) / pixel))
        reach.append(min(max(8, size // 4, spread), size) + flown)
    return reach[0], reach[1]


def _even_size(size: int) -> int:
    size = scipy.fft.next_fast_len(size, real=True)
    return size if size % 2 == 0 else _even_size(size + 1)


def cost(problem: Problem, columns: int) -> float:
    """Seconds that a fit takes on one idle core, roughly.

    Raises
    ------
    UserError
        If it would take too long, or too much memory.
    """
    frames, fields, rows, columns_of_frame = problem.frames.shape
    size = frames * fields * rows * columns_of_frame
    seconds = _SECONDS * size * (columns + 1) * (3 if problem.weights is not None else 1)
    memory = 4.0 * size * (8 + 7 * columns)
    if seconds > _LONGEST or memory > _MOST_MEMORY:
        raise UserError(
            f"a fit of {frames} frames of {rows} × {columns_of_frame} pixels would take about {seconds / 60:.0f} "
            "min and "
            f"{memory / 1e9:.1f} GB; give a part of the film (--roi, --frames), or bin its pixels"
        )
    return seconds


def laid_out(draw: np.random.Generator, problem: Problem, probes: int) -> Array:
    """Noise of standard deviation 1 on the grid, mirrored where the frames are: ``(time, probe, field, y, x)``."""
    times, fields, rows, columns = problem.frames.shape
    if problem.copies == 1:
        return draw.standard_normal((times, probes, fields, rows, columns))
    quarter = draw.standard_normal((times, probes, fields, rows // 2, columns // 2))
    half = np.concatenate([quarter, quarter[..., ::-1, :]], axis=-2)
    return np.concatenate([half, half[..., ::-1]], axis=-1)


def cut(frames: torch.Tensor, problem: Problem, film: Film) -> Array:
    """The part of fields ``(..., y, x)`` on the grid that the frame shows."""
    (row, column), (rows, columns) = problem.corner, film.shape
    return frames[..., row : row + rows, column : column + columns].double().numpy()
