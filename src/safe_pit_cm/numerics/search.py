"""The lowest point of a function of one variable: a scan for the valley, then Brent's method within it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lowest:
    """Lowest point of a function.

    Attributes
    ----------
    position, height
        Where it is, and the function there.
    at_edge
        Whether the scan was lowest at its first or last point: the true minimum may lie beyond.
    """

    position: float
    height: float
    at_edge: bool


def scan_then_brent(
    height: Callable[[float], float],
    scan: Sequence[float] | NDArray[Any],
    *,
    rough: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    floor: float | None = None,
    tolerance: float | Callable[[float], float] | None = None,
    logarithmic: bool = False,
) -> Lowest:
    """Scan a function at increasing points, and refine the lowest by Brent's method between its neighbours.

    Parameters
    ----------
    height
        The function.
    scan
        Increasing points.
    rough
        A cheaper function with about the same valleys, of all points at once. Only where it is lowest, and from there
        downhill, is ``height`` evaluated; at every point by default.
    floor
        Lower end of the bracket when the first point is the lowest; the first point by default.
    tolerance
        Absolute tolerance of the position, or a function of the upper end of the bracket; SciPy's by default. Of the
        logarithm of the position if ``logarithmic``.
    logarithmic
        Whether Brent's method works on the logarithm of the position; all points are then positive.

    Returns
    -------
    Lowest
        The lowest point found.
    """
    points = [float(point) for point in scan]
    if rough is None:
        best = int(np.argmin([height(point) for point in points]))
    else:
        best, _ = downhill(height, points, int(np.argmin(rough(np.asarray(points)))))
    low = points[best - 1] if best else points[0] if floor is None else floor
    high = points[min(best + 1, len(points) - 1)]
    wanted = tolerance(high) if callable(tolerance) else tolerance
    options = {} if wanted is None else {"xatol": wanted}
    if logarithmic:
        bounds, function = (np.log(low), np.log(high)), lambda logarithm: height(float(np.exp(logarithm)))
    else:
        bounds, function = (low, high), height
    found = scipy.optimize.minimize_scalar(function, bounds=bounds, method="bounded", options=options)
    position = float(np.exp(found.x)) if logarithmic else float(found.x)
    return Lowest(position, float(found.fun), best in (0, len(points) - 1))


def downhill(
    height: Callable[[float], float], scan: Sequence[float] | NDArray[Any], start: int
) -> tuple[int, dict[int, float]]:
    """The first point, from a start downhill, whose neighbours are no lower.

    Parameters
    ----------
    height, scan
        As of :func:`scan_then_brent`.
    start
        Index of the point where to start.

    Returns
    -------
    tuple[int, dict[int, float]]
        Its index, and the function at the points that were looked at, by index: at least it and its neighbours.
    """
    known: dict[int, float] = {}

    def at(index: int) -> float:
        if not 0 <= index < len(scan):
            return np.inf
        if index not in known:
            known[index] = height(float(scan[index]))
        return known[index]

    best = start
    while True:
        lower = min((best, best - 1, best + 1), key=at)
        if at(lower) >= at(best):
            return best, known
        best = lower
