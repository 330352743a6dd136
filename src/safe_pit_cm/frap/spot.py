"""Find the bleached spot in a map of how deeply each pixel was bleached."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import least_squares

from safe_pit_cm.errors import UserError
from safe_pit_cm.frap.recovery import disc, half_depth_radius
from safe_pit_cm.numerics.arrays import Array

_OVERRIDE = "give the spot by --spot Y,X,R"
# Height over scatter; white noise in a million pixels rarely exceeds five.
_SIGNIFICANT = 8.0
# Finest smoothing, pixels.
_FINEST = 1.5
# The surroundings begin at this many radii, and count if they are this share of the frame.
_SURROUNDINGS = (1.5, 0.2)
_FEWEST_PIXELS = 12
# A bright spot exceeds its surroundings by this many times what they lack elsewhere.
_BRIGHTER = 3.0
# A spot that is cut is completed from about so many pixels up to so many radii away.
_SAMPLES, _REACH = 3000, 3.0


@dataclass(frozen=True)
class Spot:
    """Where the bleached spot is.

    Attributes
    ----------
    centre
        Row and column, pixels of the frame.
    radius
        Of the circle with the area that was bleached at least half as deeply as the middle, length units.
    elongation
        Length over width, from the second moments of that area.
    """

    centre: tuple[float, float]
    radius: float
    elongation: float = 1.0

    def is_cut(self, shape: tuple[int, ...], spacing: tuple[float, float]) -> bool:
        """Whether it reaches beyond a frame of this shape."""
        return any(
            position - self.radius / step < 0 or position + self.radius / step > size - 1
            for position, size, step in zip(self.centre, shape, spacing, strict=True)
        )


@dataclass(frozen=True)
class _Peak:
    """Highest point of a map and the connected region around it with at least half its height.

    Attributes
    ----------
    region
        Booleans ``(y, x)``.
    level
        Of the surroundings; of the lowest tenth of the map where the region leaves hardly any surroundings.
    height
        Above the level.
    scatter
        Of the surroundings, 0 where there are hardly any.
    """

    region: NDArray[np.bool_]
    level: float
    height: float
    scatter: float


def find(depth: Array, spacing: tuple[float, float]) -> Spot:
    """Find the one spot that stands out of a map.

    The map is smoothed at several scales. The highest point of each map, with the connected region around it that has
    at least half its height, is a candidate if it exceeds both the noise of the pixels and the scatter of its
    surroundings. The spot is the candidate from which most is missing, so that a speck of dirt is not taken for it. The
    map is then smoothed anew, by a fifth of the radius, and the region found again.

    Parameters
    ----------
    depth
        Share of the brightness that is missing, ``(y, x)``; NaN where it is not known.
    spacing
        Pixel size (Δy, Δx).

    Returns
    -------
    Spot
        Its centre, radius and elongation; the centre of a spot that is partly out of the frame may be out of it too.

    Raises
    ------
    UserError
        If nothing stands out.
    """
    present = np.isfinite(depth).astype(np.float64)
    depth = np.where(present > 0, depth, np.nanmedian(depth))
    noise = _pixel_noise(depth)
    candidates: list[_Peak] = []
    prominence, scale = 0.0, _FINEST
    while scale <= max(_FINEST, min(depth.shape) / 16):
        peak = _peak(_smooth(depth, present, scale))
        # Smoothing by a Gaussian divides white noise by 2 √π of its width.
        scatter = max(peak.scatter, noise / (2 * np.sqrt(np.pi) * scale), 1e-9 * peak.height, 1e-300)
        prominence = max(prominence, peak.height / scatter)
        if peak.height >= _SIGNIFICANT * scatter:
            candidates.append(peak)
        scale *= 2
    if not candidates:
        raise UserError(
            f"no bleached spot stands out in the first frame: its darkest place is {prominence:.1f} times the scatter, "
            f"and {_SIGNIFICANT:g} are needed; leave out frames from before bleaching by --frames, give --prebleach, "
            f"or {_OVERRIDE}"
        )
    peak = max(candidates, key=lambda each: each.height * each.region.sum())
    smoothed = depth
    for _ in range(2):
        scale = max(1.0, float(np.sqrt(peak.region.sum() / np.pi)) / 5)
        smoothed = _smooth(depth, present, scale)
        near = ndimage.binary_dilation(peak.region, iterations=2)
        peak = _peak(np.where(near, smoothed, np.minimum(smoothed, peak.level)))
    pixels = int(peak.region.sum())
    if pixels < _FEWEST_PIXELS:
        raise UserError(
            f"the darkest place of the first frame has {pixels} pixels, too few for a bleached spot; mask it by "
            f"--mask, or {_OVERRIDE}"
        )
    rows, columns = np.nonzero(peak.region)
    weight = smoothed[peak.region] - peak.level
    y, x = (float(weight @ index / weight.sum()) for index in (rows, columns))
    offsets = np.stack([(rows - rows.mean()) * spacing[0], (columns - columns.mean()) * spacing[1]])
    moments = np.linalg.eigvalsh(offsets @ offsets.T / pixels)
    radius = np.sqrt(pixels * spacing[0] * spacing[1] / np.pi)
    found = Spot((y, x), float(radius), float(np.sqrt(moments[1] / moments[0])))
    return _completed(depth, present, found, spacing) if found.is_cut(depth.shape, spacing) else found


def is_bright(depth: Array) -> bool:
    """Whether the brightest place exceeds the level of the border by far more than the darkest one falls below."""
    present = np.isfinite(depth).astype(np.float64)
    smoothed = _smooth(np.nan_to_num(depth), present, max(_FINEST, min(depth.shape) / 32))
    border = np.concatenate([smoothed[0], smoothed[-1], smoothed[:, 0], smoothed[:, -1]])
    level = float(np.median(border))
    excess, scatter = level - float(smoothed.min()), 1.4826 * float(np.median(np.abs(border - level)))
    return excess > _SIGNIFICANT * scatter and excess > _BRIGHTER * (float(smoothed.max()) - level)


def _completed(depth: Array, present: Array, found: Spot, spacing: tuple[float, float]) -> Spot:
    """Centre and radius of a spot that is partly out of the frame, by a blurred disc fitted to what is in view."""
    rows, columns = (np.arange(size) * step for size, step in zip(depth.shape, spacing, strict=True))
    y, x = (position * step for position, step in zip(found.centre, spacing, strict=True))
    near = (present > 0) & (np.hypot(rows[:, None] - y, columns - x) <= _REACH * found.radius)
    every = max(1, int(np.sqrt(near.sum() / _SAMPLES)))
    at = tuple(index[:: every**2] for index in np.nonzero(near))
    values = _smooth(depth, present, float(every))[at]

    def residual(parameters: Array) -> Array:
        distance = np.hypot(rows[at[0]] - parameters[0], columns[at[1]] - parameters[1])
        shape = disc(distance, float(np.exp(parameters[2])), float(np.exp(2 * parameters[3])))
        design = np.stack([np.ones_like(shape), shape], axis=1)
        levels, *_ = np.linalg.lstsq(design, values)
        return np.asarray(values - design @ levels, dtype=np.float64)

    size = np.log(found.radius)
    low = [y - 2 * found.radius, x - 2 * found.radius, size - 1, size - 3]
    high = [y + 2 * found.radius, x + 2 * found.radius, size + 1, size + 1]
    scale = [found.radius / 10, found.radius / 10, 0.1, 0.1]
    best = least_squares(residual, [y, x, size, size - 1], bounds=(low, high), x_scale=scale).x
    radius = half_depth_radius(float(np.exp(best[2])), float(np.exp(2 * best[3])))
    return replace(found, centre=(float(best[0] / spacing[0]), float(best[1] / spacing[1])), radius=radius)


def _smooth(depth: Array, present: Array, scale: float) -> Array:
    """Gaussian mean of the pixels that are present, which holds at the edges of the frame too."""
    weight = ndimage.gaussian_filter(present, scale, mode="constant")
    total = ndimage.gaussian_filter(depth * present, scale, mode="constant")
    return np.asarray(total / np.maximum(weight, 1e-9), dtype=np.float64)


def _pixel_noise(depth: Array) -> float:
    """Standard deviation of white noise, from second differences along both axes, whose weights have the norm 6."""
    second = depth[2:] - 2 * depth[1:-1] + depth[:-2]
    mixed = second[:, 2:] - 2 * second[:, 1:-1] + second[:, :-2]
    return float(1.4826 * np.median(np.abs(mixed)) / 6)


def _peak(depth: Array) -> _Peak:
    row, column = divmod(int(np.argmax(depth)), depth.shape[1])
    top = (row, column)
    level, scatter = float(np.percentile(depth, 10)), 0.0
    region = _half(depth, top, level)
    rows, columns = np.arange(depth.shape[0])[:, None], np.arange(depth.shape[1])
    reach, share = _SURROUNDINGS
    y, x = (float(each.mean()) for each in np.nonzero(region))
    distance = (rows - y) ** 2 + (columns - x) ** 2
    around = distance > reach**2 * region.sum() / np.pi
    if around.mean() >= share:
        values = depth[around]
        level = float(np.median(values))
        scatter = 1.4826 * float(np.median(np.abs(values - level)))
        region = _half(depth, top, level)
    return _Peak(region, level, float(depth[top]) - level, scatter)


def _half(depth: Array, top: tuple[int, int], level: float) -> NDArray[np.bool_]:
    """Connected region around the highest point with at least half its height."""
    labels = np.asarray(ndimage.label(depth >= (level + depth[top]) / 2)[0])
    return np.asarray(labels == labels[top], dtype=np.bool_)
