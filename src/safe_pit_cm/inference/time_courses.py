"""The space of all decaying time courses exp(−s t).

For all s ≥ 0 they lie, to nine digits, in a space of some twenty dimensions. A video is projected onto it once, frame
by frame; no later step depends on the number of frames.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from safe_pit_cm.numerics.arrays import Array


@dataclass(frozen=True)
class TimeCourses:
    """The space of all time courses exp(−s t) at the times of a video.

    Attributes
    ----------
    times
        Shape ``(time,)``, from 0.
    basis
        Orthonormal columns that span the space, the most important first, shape ``(time, course)``.
    smooth
        Number of leading columns that contain all but a hundredth of every course; a wrong model shows there first.
    """

    times: Array
    basis: Array
    smooth: int

    @classmethod
    def of(cls, times: Array) -> "TimeCourses":
        """Space for frame times, which may be unevenly spaced."""
        # Videos of a series have the same times, and their space is made once.
        return _space(tuple((np.asarray(times, dtype=np.float64) - times[0]).tolist()))

    @cached_property
    def _table(self) -> tuple[float, float, Array, Array]:
        offset = 4 / self.times[-1]
        largest = float(_rates(self.times)[-1])
        # Dense enough for nine digits; the courses vary on the scale of log s.
        grid = np.linspace(np.log(offset / 4), np.log(largest + offset), 3000)
        shifted = np.exp(grid)[:, None]
        decay = np.exp(-(shifted - offset) * self.times)
        course, slope = decay @ self.basis, (-shifted * self.times * decay) @ self.basis
        # The cubic of each interval that has the values and slopes of its ends.
        step = grid[1] - grid[0]
        secant = np.diff(course, axis=0) / step
        square = (3 * secant - 2 * slope[:-1] - slope[1:]) / step
        cubic = (slope[:-1] + slope[1:] - 2 * secant) / step**2
        return offset, largest, grid, np.stack([cubic, square, slope[:-1], course[:-1]])

    def __call__(self, rates: Array, slope: bool = False) -> tuple[Array, Array | None]:
        """Coefficients of exp(−s t) in the basis, shape ``(mode, course)``, and their derivative by s."""
        offset, largest, grid, table = self._table
        # Beyond the largest rate nothing remains in the second frame.
        shifted = np.clip(rates + offset, offset / 4, largest + offset)
        position = np.log(shifted)
        # On an even grid the interval need not be searched for, as SciPy's splines do, and serves the slope too.
        place = np.minimum(((position - grid[0]) / (grid[1] - grid[0])).astype(np.intp), len(grid) - 2)
        step = (position - grid[place])[:, None]
        cubic, square, linear, course = (each.take(place, 0) for each in table)
        if not slope:
            return ((cubic * step + square) * step + linear) * step + course, None
        derivative = ((3 * cubic * step + 2 * square) * step + linear) / shifted[:, None]
        return ((cubic * step + square) * step + linear) * step + course, derivative


@lru_cache(maxsize=8)
def _space(instants: tuple[float, ...]) -> TimeCourses:
    times = np.array(instants)
    rates = np.concatenate([-np.linspace(0, 3, 13) / times[-1], _rates(times)])
    courses = np.exp(-np.outer(times, rates))
    courses /= np.linalg.norm(courses, axis=0)
    columns, strength, _ = np.linalg.svd(courses, full_matrices=False)
    kept = strength > 1e-10 * strength[0]
    found = TimeCourses(times, np.ascontiguousarray(columns[:, kept]), int((strength > 1e-3 * strength[0]).sum()))
    for shared in (found.times, found.basis):
        shared.flags.writeable = False
    return found


def _rates(times: Array) -> Array:
    return np.concatenate([[0.0], np.geomspace(1e-3 / times[-1], 40 / np.diff(times).min(), 400)])
