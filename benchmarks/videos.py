"""Diffusion videos that are exact solutions of the equation, clean and with white noise.

The generator is none of the methods under test. A periodic field of white noise is blurred by a Gaussian, as a
microscope blurs what it sees; its Fourier modes then decay by the heat kernel ``exp(−D |κ|² t)``, so the frames solve
``∂φ/∂t = D ∇²φ`` exactly, in space and in time. What a stencil or a time step does to D is an error of the method.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Range from which D is drawn, uniform in its logarithm, length²/time.
DIFFUSIVITIES = 0.1, 1.0
#: Where every iterative method starts, and the range in which it searches.
START, LOW, HIGH = 0.3, 0.05, 2.0
#: Standard deviation of the blur, pixels.
BLUR = 1.5
_SEED = 20260313


@dataclass(frozen=True)
class Grid:
    """Grid of a video in space and time.

    Attributes
    ----------
    size
        Pixels along x and y.
    frames
        Number of frames.
    spacing, interval
        Pixel size Δx, length units, and frame interval Δt_f, time units.
    """

    size: int = 64
    frames: int = 101
    spacing: float = 0.5
    interval: float = 0.25

    @property
    def length(self) -> float:
        """Side of the field, length units."""
        return self.size * self.spacing

    @property
    def times(self) -> NDArray[np.float64]:
        """Of the frames, shape ``(time,)``."""
        return self.interval * np.arange(self.frames, dtype=np.float64)

    @cached_property
    def symbol(self) -> NDArray[np.float64]:
        """|κ|² of the modes of ``rfft2``, shape ``(y, x // 2 + 1)``, 1/length²."""
        along_y = 2 * np.pi * np.fft.fftfreq(self.size, self.spacing)
        along_x = 2 * np.pi * np.fft.rfftfreq(self.size, self.spacing)
        return np.asarray(along_y[:, None] ** 2 + along_x[None, :] ** 2)


@dataclass(frozen=True)
class Video:
    """A video of known D.

    Attributes
    ----------
    frames
        Shape ``(time, y, x)``, float32; without noise they span 0 to 1.
    first
        The first frame without noise, float64.
    diffusivity
        D, length²/time.
    """

    frames: NDArray[np.float32]
    first: NDArray[np.float64]
    diffusivity: float


def video(grid: Grid, number: int, noise: float, diffusivity: float | None = None) -> Video:
    """Video of this number: the same field and D for every noise level.

    Parameters
    ----------
    grid
        The grid.
    number
        From 0.
    noise
        Standard deviation of the white noise.
    diffusivity
        D; drawn from :data:`DIFFUSIVITIES` where None.
    """
    draws = np.random.default_rng([_SEED, number])
    if diffusivity is None:
        diffusivity = float(np.exp(draws.uniform(*np.log(DIFFUSIVITIES))))
    modes = np.fft.rfft2(draws.standard_normal((grid.size, grid.size)))
    modes *= np.exp(-grid.symbol * (BLUR * grid.spacing) ** 2 / 2)
    first = np.fft.irfft2(modes, s=(grid.size, grid.size))
    low, high = first.min(), first.max()
    # Decay keeps the field between its first extremes.
    scale: Any = 1.0 / (high - low)
    frames = np.empty((grid.frames, grid.size, grid.size), dtype=np.float32)
    for index, time in enumerate(grid.times):
        frame = np.fft.irfft2(modes * np.exp(-diffusivity * grid.symbol * time), s=(grid.size, grid.size))
        frames[index] = (frame - low) * scale + noise * draws.standard_normal(frame.shape)
    return Video(frames, (first - low) * scale, diffusivity)
