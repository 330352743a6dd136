"""The search for D over the modes of a video, and the climb to the maximum of its likelihood."""

from collections.abc import Mapping

import numpy as np

from safe_pit_cm.inference.modes import Modes, Score, dot
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.numerics.search import downhill

# Points of the search, over all D that a film could reveal.
_POINTS = 64
# The strongest modes, among which D is searched, and those by which the search is guided.
_SEARCHED, _SCOUTS = 4096, 64
# The latter suffice where they determine D to this share of it.
_DECISIVE = 0.01


def highest(modes: Modes) -> float:
    """Largest D to consider: the modes must not change sign."""
    return (1 - 1e-9) * modes.discretisation.largest_diffusivity(float(modes.symbols.max()))


def range_of(modes: Modes) -> tuple[float, float]:
    """Least and largest D that a video could reveal."""
    times = modes.courses.times
    largest = modes.discretisation.largest_diffusivity(float(modes.symbols.max()))
    low = 1e-3 / (modes.symbols.max() * times[-1])
    high = min(10 / (modes.symbols.min() * np.diff(times).min()), 0.999 * largest)
    return low, max(high, 2 * low)


def search(modes: Modes) -> Array:
    """D at the minimum, from a grid over all values of D that the video could reveal, on its strongest modes."""
    strongest = _strongest(modes, _SCOUTS)
    grid = np.geomspace(*range_of(modes), _POINTS)
    rough = _unexplained(strongest, grid)
    index = int(np.argmin(rough))
    theta, score = _climb_from(strongest, grid, index, dict(enumerate(rough)))
    # Where these alone determine D, there is no other valley to be found.
    variance = np.linalg.pinv(score.measured)[0, 0] * score.power / _freedom(strongest)
    if 0 < index < len(grid) - 1 and 0 < variance < (_DECISIVE * theta[0]) ** 2:
        return theta
    modes = _strongest(modes, _SEARCHED)
    index, heights = downhill(lambda diffusivity: modes.residual_power(np.array([diffusivity, 0.0])), grid, index)
    return _climb_from(modes, grid, index, heights)[0]


def _strongest(modes: Modes, count: int) -> Modes:
    """The modes of most power."""
    if len(modes.index) <= count:
        return modes
    return modes.subset(np.argpartition(modes.energy, -count)[-count:])


def _climb_from(modes: Modes, grid: Array, index: int, heights: Mapping[int, float]) -> tuple[Array, Score]:
    """Climb to the maximum beside a point of an even grid of log D, from the parabola through it and its neighbours."""
    start = float(grid[index])
    if 0 < index < len(grid) - 1:
        behind, here, ahead = (heights[each] for each in (index - 1, index, index + 1))
        curvature = max(behind - 2 * here + ahead, 1e-300)
        start *= (grid[1] / grid[0]) ** ((behind - ahead) / (2 * curvature))
    ends = float(grid[max(index - 1, 0)]), float(grid[min(index + 1, len(grid) - 1)])
    theta = np.array([start, 0.0][: modes.parameters])
    return climb(modes, theta, np.ones(len(modes.index)), ends, tolerance=0.01)


def _unexplained(modes: Modes, grid: Array) -> Array:
    """Residual power at every D of a grid, at once, to the digits of the difference of two powers."""
    course, _ = modes.courses(modes.discretisation.rate(grid, modes.symbols[:, None]).ravel())
    if modes.background:
        course = course - np.outer(course @ modes.constant, modes.constant)
    height = np.zeros(len(grid))
    for each, of_symbol in enumerate(course.reshape(len(modes.symbols), len(grid), -1)):
        explained = np.square(of_symbol @ modes.amplitudes[modes.index == each].T).sum(1)
        height -= explained / np.maximum(dot(of_symbol, of_symbol), 1e-300)
    return height


def _freedom(modes: Modes) -> int:
    """Degrees of freedom of the residuals of modes in the space of time courses."""
    return max(len(modes.index) * (modes.amplitudes.shape[1] - 1), 1)


def climb(
    modes: Modes,
    theta: Array,
    weights: Array,
    ends: tuple[float, float] | None = None,
    tolerance: float = 1e-3,
) -> tuple[Array, Score]:
    """Scoring steps to the maximum between two ``ends`` of D, and the score there.

    Without ends, over the bleaching rate alone. A step of less than ``tolerance`` of a standard error is not taken.
    """
    free = slice(1, None) if ends is None else slice(None)
    theta = theta.copy()
    here = modes.score(theta, weights)
    for _ in range(60):
        inverse = np.linalg.pinv(here.measured[free, free])
        step = inverse @ here.score[free]
        noise_power = here.power / _freedom(modes)
        if np.all(np.abs(step) <= tolerance * np.sqrt(noise_power * np.maximum(np.diag(inverse), 0.0))):
            break
        share = 1.0
        for _ in range(12):
            trial = theta.copy()
            trial[free] += share * step
            if ends is not None:
                trial[0] = np.clip(trial[0], *ends)
            there = modes.score(trial, weights)
            # What a step adds by rounding, it does by much less than a standard error does, which adds σ².
            if there.power <= here.power + 1e-3 * noise_power:
                break
            share /= 2
        else:
            break
        settled = np.array_equal(trial, theta)
        theta, here = trial, there
        if settled:
            break
    return theta, here
