"""Films for the tests: exact solutions of the diffusion equation, optionally with noise, and movies of them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation, Scheme
from safe_pit_cm.simulation.microstructure import initial_condition

Frames = NDArray[np.float64]

DIFFUSIVITY, SPACING, INTERVAL, NOISE = 0.4, 0.5, 0.25, 0.01
TIMES: Frames = np.asarray(np.arange(25) * INTERVAL, dtype=np.float64)


def start(size: int = 32, parent: str = "003", grains: tuple[int, int] = (8, 12)) -> Frames:
    """A microstructure, ``(y, x)``."""
    drawn = initial_condition(
        seed=1,
        parent=parent,
        size=size,
        spacing=SPACING,
        grains_min=grains[0],
        grains_max=grains[1],
        interface_width=0.5,
        roughness=0.3,
    )
    return drawn["field"].to_numpy()


def smooth(shape: tuple[int, int] = (32, 32)) -> Frames:
    """A smooth random periodic field, ``(y, x)``."""
    symbol = symbols(shape, (SPACING, SPACING), "periodic", Discretisation())
    modes = to_modes(np.random.default_rng(1).normal(size=shape), "periodic") * np.exp(-0.5 * symbol)
    return np.asarray(to_field(modes, "periodic"), dtype=np.float64)


def evolve(
    field: Frames,
    *,
    boundary: Boundary = "periodic",
    scheme: Scheme = "continuous",
    substep: float | None = None,
    spacing: tuple[float, float] = (SPACING, SPACING),
    times: Frames = TIMES,
    diffusivity: float = DIFFUSIVITY,
    other: NDArray[Any] | float = 0.0,
) -> Frames:
    """Frames ``(time, y, x)`` of a field that diffuses, exactly; ``other`` adds to the rate of every mode."""
    discretisation = Discretisation(scheme, substep)
    symbol = symbols((field.shape[0], field.shape[1]), spacing, boundary, discretisation)
    rate = discretisation.rate(diffusivity, symbol) + other
    decayed = to_modes(field, boundary) * np.exp(-rate * times[:, None, None])
    return np.asarray(to_field(decayed, boundary), dtype=np.float64)


def open_crop(parent: str, diffusivity: float, times: Frames) -> tuple[Frames, Frames]:
    """A 32 × 32 crop of a periodic 64 × 64 field that diffuses as a continuum, and its derivative by D."""
    field = start(64, parent, (15, 35))
    exponent = -symbols((64, 64), (SPACING, SPACING), "periodic", Discretisation()) * times[:, None, None]
    modes = to_modes(field, "periodic") * np.exp(diffusivity * exponent)
    crop = np.s_[:, 10:42, 20:52]
    return np.asarray(to_field(modes, "periodic")[crop]), np.asarray(to_field(exponent * modes, "periodic")[crop])


def noisy(frames: Frames, seed: int = 0, noise: float = NOISE) -> Frames:
    """The frames with white noise."""
    return frames + noise * np.random.default_rng(seed).normal(size=frames.shape)


def bright() -> NDArray[np.uint8]:
    """Ten frames of 32 × 48 pixels of a wave that fades, in levels of grey."""
    y, x = np.mgrid[:32, :48]
    return np.stack([120 + 80 * np.exp(-0.05 * t) * np.sin(y / 5) * np.cos(x / 7) for t in range(10)]).astype(np.uint8)


def write_movie(path: Path, frames: NDArray[np.uint8], codec: str, pixel_format: str) -> None:
    """A movie from grey frames ``(time, y, x)`` or colour frames ``(time, y, x, 3)``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25, 2))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.bit_rate = 20_000_000
        for frame in frames:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=-1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format="rgb24")))
        container.mux(stream.encode())


def bleached(
    *,
    shape: str = "disc",
    size: int = 96,
    centre: tuple[float, float] = (47.3, 49.8),
    width: float = 8.0,
    diffusivity: float = DIFFUSIVITY,
    spacing: float = SPACING,
    times: Frames = TIMES,
    mobile: float = 1.0,
    depth: float = 0.6,
) -> Frames:
    """A bleached spot that recovers in a field without edges, exactly, ``(time, y, x)``; 1 before bleaching.

    The spot is drawn on pixels four times finer, and diffuses in Fourier space in a periodic field four times wider.

    Parameters
    ----------
    shape
        ``disc`` of radius ``width``, ``gaussian`` of that standard deviation, or, of the disc's area, ``square`` or
        ``ellipse`` twice as long as wide.
    size
        Pixels of a side.
    centre
        Row and column.
    width
        In pixels.
    diffusivity, spacing, times
        D, pixel size, and times from bleaching.
    mobile
        Share that diffuses.
    depth
        Share of the brightness that was bleached.
    """
    wide, fine = 4 * size, 4
    first = (wide - size) // 2
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    rows = (np.arange(wide)[:, None] + offsets).ravel()[:, None] - first - centre[0]
    columns = (np.arange(wide)[:, None] + offsets).ravel()[None, :] - first - centre[1]
    fines: Frames
    if shape == "gaussian":
        fines = np.exp(-(rows**2 + columns**2) / (2 * width**2))
    elif shape == "square":
        fines = (np.maximum(abs(rows), abs(columns)) < width * np.sqrt(np.pi) / 2).astype(np.float64)
    else:
        stretch = np.sqrt(2) if shape == "ellipse" else 1.0
        fines = (np.hypot(rows * stretch, columns / stretch) < width).astype(np.float64)
    start = fines.reshape(wide, fine, wide, fine).mean((1, 3))
    modes = np.fft.rfft2(start)
    wavenumber = 2 * np.pi * np.fft.fftfreq(wide, spacing)
    symbol = wavenumber[:, None] ** 2 + wavenumber[None, : wide // 2 + 1] ** 2
    crop = np.s_[first : first + size, first : first + size]
    left = np.stack([np.fft.irfft2(modes * np.exp(-diffusivity * symbol * time))[crop] for time in times])
    return np.asarray(1 - depth * ((1 - mobile) * start[crop] + mobile * left), dtype=np.float64)


def laboratory(folder: Path, count: int, damaged: int) -> Path:
    """Small films of two groups, one of them cut short and the last a folder of images; returns the table of them."""
    (folder / "films of today").mkdir(parents=True)
    rows = ["sample\tpath\tdx\tdt\tboundary\tgroup\toptions"]
    for index in range(count):
        path = folder / "films of today" / f"{index:03d}"
        field = noisy(evolve(smooth((24, 24)), times=TIMES[:8], diffusivity=0.3 + 0.1 * (index % 2)), seed=index)
        if index == count - 1:
            path.mkdir()
            grey = (255 * (field - field.min()) / np.ptp(field)).astype(np.uint8)
            for time, frame in enumerate(grey):
                Image.fromarray(frame).save(path / f"{time}.png")
        else:
            path = path.with_suffix(".npy")
            np.save(path, field.astype(np.float32))
        if index == damaged:
            path.write_bytes(path.read_bytes()[:4000])
        group = "slow" if index % 2 == 0 else "fast"
        place = path.relative_to(folder).as_posix()
        units = "length-unit=µm time-unit=s"
        rows.append(f"film_{index:03d}\t{place}\t{SPACING}\t{INTERVAL}\tperiodic\t{group}\t{units}")
    table = folder / "samples.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table
