"""A film in fewer numbers: pixels binned, and late frames averaged in groups.

Binning is exact: the mean of a square of pixels diffuses like the field itself. So is the white noise of the bins. What
binning loses is the finest structure, which lives for a few frames only where the diffusion length is many pixels.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy  # its parts are imported where they are first used
from numpy.typing import NDArray

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.checks import Film
from safe_pit_cm.numerics.arrays import Array

# Frames are averaged over this share of the time since the first.
_GROUP = 0.08


@dataclass(frozen=True)
class Tiles:
    """Equal tiles of a reduced film.

    Attributes
    ----------
    frames
        Shape ``(tile, time, y, x)``, less ``level``.
    gaps
        True where a pixel is not known and ``frames`` holds a guess; None when all are known.
    corners, shape
        First row and column of each tile, in bins, and bins ``(y, x)`` of the whole frame.
    level
        Mean that was taken out.
    times, counts, exposures
        Time of each group of frames, number of frames in it, and their mean index; shape ``(time,)``.
    interval
        Frame interval where all are equal, else None.
    factor
        Pixels along a side of a bin.
    spacing
        Size of a bin (Δy, Δx).
    boundary, discretisation
        Of the field; tiles that do not cover the frame are open.
    """

    frames: Array
    gaps: NDArray[np.bool_] | None
    corners: list[tuple[int, int]]
    shape: tuple[int, int]
    level: float
    times: Array
    counts: Array
    exposures: Array
    interval: float | None
    factor: int
    spacing: tuple[float, float]
    boundary: Boundary
    discretisation: Discretisation

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile."""
        return self.frames.shape[2], self.frames.shape[3]

    @property
    def contrast(self) -> float:
        """Largest variance of a frame about its mean."""
        power = np.square(self.frames).mean((0, 2, 3)) - np.square(self.frames.mean((0, 2, 3)))
        return float(max(power.max(), 1e-300))


def groups(times: Array, discretisation: Discretisation) -> list[slice]:
    """Frames that are averaged: single ones first, then ever longer groups of even frames."""
    found, start = [], 0
    while start < len(times):
        stop = start + 1
        if discretisation.scheme == "continuous":
            while stop < len(times) and times[stop] - times[start] <= _GROUP * times[start]:
                stop += 1
        found.append(slice(start, stop))
        start = stop
    return found


def _interval(times: Array) -> float | None:
    steps = np.diff(times)
    return float(steps.mean()) if len(steps) and np.ptp(steps) < 1e-3 * steps.mean() else None


def bins(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    """Whole bins ``(y, x)`` in a frame."""
    return shape[0] // factor, shape[1] // factor


def roughness(film: Film, factor: int) -> float:
    """Share of what changes in a film that is finer than bins of ``factor`` pixels, less the noise."""
    change = film.frames[0].astype(np.float64) - film.frames[-1]
    if film.missing is not None:
        change = np.where(film.missing[0] | film.missing[-1], 0.0, change)
    power = np.square(scipy.fft.dctn(change - change.mean(), norm="ortho"))
    along_y, along_x = (np.arange(size) / size for size in change.shape)
    finest = np.maximum(along_y[:, None], along_x[None, :])
    # Above a wavenumber of 0.75 of the largest, most films hold nothing but noise; those that do not are rough anyway.
    noise = float(np.median(power[finest > 0.75])) / 0.4549
    fine = finest > 1 / factor
    excess = float(power[fine].sum()) - noise * float(fine.sum())
    scatter = 3 * noise * np.sqrt(2 * float(fine.sum()))
    total = max(float(power.sum()) - noise * power.size, 1e-300)
    if noise > 3 * _white(film):
        return 1.0
    return max(excess - scatter, 0.0) / total


def _white(film: Film) -> float:
    """Power of the noise of a difference of two frames, by what differs between neighbours in time and space."""
    late = film.frames[-2:].astype(np.float64)
    change = np.diff(np.diff(late[1] - late[0], axis=0), axis=1)
    return float(np.median(np.square(change))) / 0.4549 / 4


def binned(values: NDArray[Any], factor: int) -> Array:
    """Means over squares of ``factor`` pixels of pictures ``(..., y, x)``; rows and columns left over are dropped."""
    rows, columns = (size // factor for size in values.shape[-2:])
    cut = values[..., : rows * factor, : columns * factor]
    return np.asarray(cut.reshape(*values.shape[:-2], rows, factor, columns, factor).mean((-3, -1), dtype=np.float64))


def cut(shape: tuple[int, int], largest: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Corners of equal tiles of at most ``largest`` pixels, near square, and their shape; rows may be left over."""
    rows, columns = 1, 1
    while (shape[0] // rows) * (shape[1] // columns) > largest:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    tile = (shape[0] // rows, shape[1] // columns)
    return [(i * tile[0], j * tile[1]) for i in range(rows) for j in range(columns)], tile


def reduce_film(
    film: Film,
    boundary: Boundary,
    discretisation: Discretisation,
    *,
    factor: int,
    pixels: int,
    most: int = 1,
    frames: slice = slice(None),
) -> Tiles:
    """Bin a film, average its late frames, and cut it into tiles.

    Parameters
    ----------
    film
        The film; gaps hold a guess.
    boundary, discretisation
        Of the field.
    factor
        Pixels along a side of a bin.
    pixels
        Bins of a tile, at most.
    most
        Tiles that are used, at most: those with most contrast.
    frames
        The frames to use.
    """
    times = film.times[frames] - film.times[frames][0]
    parts = groups(times, discretisation)
    counts = np.array([part.stop - part.start for part in parts], dtype=np.float64)
    centre = np.array([times[part].mean() for part in parts])
    spread = np.array([times[part].var() for part in parts])
    # The mean of exp(−s t) over a group is exp(−s t') with t' = t − s var(t)/2; it tells most of s at s t = 1.
    centre = centre - np.where(centre > 0, spread / np.maximum(2 * centre, 1e-300), 0.0)
    reduced = np.stack([binned(film.frames[frames][part].mean(0, dtype=np.float64), factor) for part in parts])
    gaps = None
    if film.missing is not None:
        gaps = np.stack([binned(film.missing[frames][part].mean(0), factor) > 0.5 for part in parts])
    shape = (reduced.shape[1], reduced.shape[2])
    corners, tile = cut(shape, pixels)
    if len(corners) > most:
        contrast = [float(reduced[:, y : y + tile[0], x : x + tile[1]].var((1, 2)).max()) for y, x in corners]
        corners = [corners[index] for index in sorted(np.argsort(contrast)[::-1][:most])]

    def tiles(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.stack([values[:, y : y + tile[0], x : x + tile[1]] for y, x in corners])

    chosen = np.asarray(tiles(reduced), dtype=np.float64)
    level = float(chosen.mean())
    hidden = None if gaps is None else np.asarray(tiles(gaps), dtype=bool)
    return Tiles(
        frames=chosen - level,
        gaps=hidden if hidden is not None and hidden.any() else None,
        corners=corners,
        shape=shape,
        level=level,
        times=centre - centre[0],
        counts=counts,
        exposures=np.array([np.arange(part.start, part.stop).mean() for part in parts]),
        interval=_interval(times),
        factor=factor,
        spacing=(film.spacing[0] * factor, film.spacing[1] * factor),
        boundary=boundary if tile == shape else "open",
        discretisation=discretisation,
    )


def quadrants(tiles: Tiles) -> list[tuple[str, Tiles]]:
    """The four quarters of the frame, each the parts of the tiles that lie in it, as open tiles."""
    rows, columns = (size // 2 for size in tiles.tile)
    if min(rows, columns) < 6:
        return []
    found = []
    centre = tiles.shape[0] / 2, tiles.shape[1] / 2
    pieces = [
        (tile, (corner[0] + y, corner[1] + x), np.s_[:, y : y + rows, x : x + columns])
        for tile, corner in enumerate(tiles.corners)
        for y in (0, tiles.tile[0] - rows)
        for x in (0, tiles.tile[1] - columns)
    ]
    for name, low, right in (("top left", 0, 0), ("top right", 0, 1), ("bottom left", 1, 0), ("bottom right", 1, 1)):
        inside = [
            piece
            for piece in pieces
            if (piece[1][0] + rows / 2 > centre[0]) == low and (piece[1][1] + columns / 2 > centre[1]) == right
        ]
        if not inside:
            continue
        frames = np.stack([tiles.frames[tile][part] for tile, _, part in inside])
        gaps = None if tiles.gaps is None else np.stack([tiles.gaps[tile][part] for tile, _, part in inside])
        quarter = replace(tiles, frames=frames, gaps=gaps, corners=[corner for _, corner, _ in inside], boundary="open")
        found.append((name, quarter))
    return found
