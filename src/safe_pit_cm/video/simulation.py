"""A test video whose transport coefficient is known: an exactly diffusing microstructure, as a camera would see it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

from safe_pit_cm.data import files, provenance, stores, zarr_writes
from safe_pit_cm.equations.processes import PROCESS_SIGN, Process
from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import former_boundary
from safe_pit_cm.simulation import microstructure
from safe_pit_cm.video.ome_zarr import write_ome_zarr

SimulatedBoundary = Literal["periodic", "no-flux", "open"]
SIMULATED_BOUNDARIES: tuple[SimulatedBoundary, ...] = ("periodic", "no-flux", "open")
DTYPES = ("float32", "float64", "uint8", "uint16")
SUFFIXES = (".tif", ".tiff", ".npy", ".ome.zarr", ".zarr")
# Gain and offset that make a field in [0, 1] use most of a camera's range and leave room for noise.
_CAMERA = {"uint8": (180.0, 35.0), "uint16": (45000.0, 10000.0)}
_GRAINS_PER_PIXEL = 25 / 64**2  # as in the paper: 15 to 35 on 64 × 64


@dataclass(frozen=True)
class Settings:
    """What to simulate.

    Attributes
    ----------
    diffusivity
        D > 0, (length unit)² per time unit.
    process
        ``diffusion``, or ``mobility``: the same video backwards.
    boundary
        ``periodic``; ``no-flux``; or ``open``: the middle of a field twice as wide.
    size
        Rows and columns.
    frames
        Number of frames.
    dx, dt
        Pixel size and time between frames.
    noise
        Standard deviation of Gaussian noise, in units of the field, which lies in [0, 1].
    gain, offset
        Brightness = gain × (field + noise) + offset; None for what suits ``dtype``.
    blur
        Standard deviation in pixels by which the first frame is smoothed, as optics do.
    dtype
        Type of a pixel; integers are rounded and clipped.
    seed
        Of the microstructure and of the noise.
    length_unit, time_unit
        Units of dx and dt.
    """

    diffusivity: float = 0.4
    process: Process = "diffusion"
    boundary: SimulatedBoundary = "open"
    size: tuple[int, int] = (64, 64)
    frames: int = 50
    dx: float = 1.0
    dt: float = 1.0
    noise: float = 0.01
    gain: float | None = None
    offset: float | None = None
    blur: float = 1.0
    dtype: str = "float32"
    seed: int = 0
    length_unit: str = "µm"
    time_unit: str = "s"

    def check(self) -> None:
        """Raise `UserError` if a setting cannot work."""
        for name in ("diffusivity", "dx", "dt"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise UserError(f"--{name} must be a positive number, and is {value:g}")
        for name in ("noise", "blur"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise UserError(f"--{name} must be zero or a positive number, and is {value:g}")
        if not all(np.isfinite(value) for value in (self.gain or 1.0, self.offset or 0.0)) or self.gain == 0:
            raise UserError("--gain and --offset must be finite numbers, and the gain not zero")
        if min(self.size) < 8 or max(self.size) > 4096:
            raise UserError(f"--size {self.size[0]}x{self.size[1]} is out of range; give 8 to 4096 pixels each way")
        if not 3 <= self.frames <= 100_000:
            raise UserError(f"--frames {self.frames} is out of range; give 3 to 100000")
        if self.seed < 0:
            raise UserError(f"--seed must not be negative, and is {self.seed}")
        if (former := former_boundary(self.boundary, SIMULATED_BOUNDARIES)) is not None:
            raise UserError(former)
        if self.boundary not in SIMULATED_BOUNDARIES:
            raise UserError(f"the boundary is {self.boundary!r}; choose one of {', '.join(SIMULATED_BOUNDARIES)}")
        if self.boundary == "periodic" and self.size[0] != self.size[1]:
            raise UserError("a periodic video is square; give --size N, or another --boundary")


def _initial_field(settings: Settings) -> tuple[NDArray[np.float64], tuple[slice, slice]]:
    """Periodic field at time zero, and the part of it that the camera sees."""
    rows, columns = settings.size
    side = max(rows, columns) * (2 if settings.boundary == "open" else 1)
    grains = max(4, round(_GRAINS_PER_PIXEL * side**2))
    # In pixels; interfaces one pixel wide and slightly rough.
    drawn = microstructure.initial_condition(
        seed=settings.seed,
        parent="0",
        size=side,
        spacing=1.0,
        grains_min=grains,
        grains_max=grains,
        interface_width=1.0,
        roughness=0.3,
    )
    field = drawn["field"].to_numpy()
    if settings.boundary == "no-flux":
        # A mirrored field stays mirrored: no flux crosses the edge half a pixel outside the frame.
        field = field[:rows, :columns]
        field = np.concatenate([field, field[::-1]], axis=0)
        field = np.concatenate([field, field[:, ::-1]], axis=1)
    field = gaussian_filter(field, settings.blur, mode="wrap") if settings.blur else field
    y, x = ((side - rows) // 2, (side - columns) // 2) if settings.boundary == "open" else (0, 0)
    return field, (slice(y, y + rows), slice(x, x + columns))


def simulate(settings: Settings, progress: Callable[[int, int], None] | None = None) -> xr.DataArray:
    """Simulate a video with a known transport coefficient.

    The field is the exact solution of ``∂φ/∂t = D ∇²φ``, continuous in space and time: every Fourier mode of the
    initial field decays by ``exp(−D k² t)``. No grid, time step or stencil of an estimator goes into it.

    Parameters
    ----------
    settings
        See :class:`Settings`.
    progress
        Called with the number of frames done and of all frames.

    Returns
    -------
    xr.DataArray
        ``(time, y, x)``, with the settings and the true ``transport_coefficient`` as attributes.

    Raises
    ------
    UserError
        If a setting cannot work.
    """
    settings.check()
    gain, offset = _CAMERA.get(settings.dtype, (1.0, 0.0))
    gain = settings.gain if settings.gain is not None else gain
    offset = settings.offset if settings.offset is not None else offset
    field, seen = _initial_field(settings)
    spectrum = rfft2(field)
    ky = 2 * np.pi * np.fft.fftfreq(field.shape[0], settings.dx)
    kx = 2 * np.pi * np.fft.rfftfreq(field.shape[1], settings.dx)
    rate = settings.diffusivity * (ky[:, None] ** 2 + kx**2)
    noise = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(1,)))
    order = range(settings.frames) if settings.process == "diffusion" else reversed(range(settings.frames))
    video = np.empty((settings.frames, *settings.size), dtype=settings.dtype)
    clipped = 0
    for index, step in enumerate(order):
        exact = irfft2(spectrum * np.exp(-rate * (step * settings.dt)), s=field.shape)[seen]
        bright = gain * (exact + settings.noise * noise.standard_normal(exact.shape)) + offset
        if video.dtype.kind == "u":
            limits = np.iinfo(video.dtype)
            bright = np.rint(bright)
            clipped += int(((bright < limits.min) | (bright > limits.max)).sum())
            bright = bright.clip(limits.min, limits.max)
        video[index] = bright
        if progress is not None:
            progress(index + 1, settings.frames)
    rows, columns = settings.size
    return xr.DataArray(
        video,
        dims=("time", "y", "x"),
        coords={
            "time": ("time", np.arange(settings.frames) * settings.dt, {"units": settings.time_unit}),
            "y": ("y", np.arange(rows) * settings.dx, {"units": settings.length_unit}),
            "x": ("x", np.arange(columns) * settings.dx, {"units": settings.length_unit}),
        },
        name="field",
        attrs={
            **{key: value for key, value in asdict(settings).items() if value is not None},
            "size": list(settings.size),
            "gain": gain,
            "offset": offset,
            "transport_coefficient": PROCESS_SIGN[settings.process] * settings.diffusivity,
            "clipped_pixels": clipped,
            **provenance.record(provenance.package_digest(), {**asdict(settings), "size": list(settings.size)}),
        },
    )


def _write_tiff(video: xr.DataArray, path: Path) -> None:
    import tifffile

    attributes = video.attrs
    # Without one of ours, the library draws an identifier from the clock: equal videos shall be equal files.
    identifier = uuid.uuid5(uuid.NAMESPACE_OID, provenance.settings_digest(attributes))
    length, time = attributes["length_unit"], attributes["time_unit"]
    tifffile.imwrite(
        path,
        video.to_numpy(),
        ome=True,
        photometric="minisblack",
        metadata={
            "axes": "TYX",
            "UUID": str(identifier),
            "PhysicalSizeX": attributes["dx"],
            "PhysicalSizeXUnit": length,
            "PhysicalSizeY": attributes["dx"],
            "PhysicalSizeYUnit": length,
            "TimeIncrement": attributes["dt"],
            "TimeIncrementUnit": time,
            "Description": f"simulated, true transport coefficient {attributes['transport_coefficient']:g}",
        },
    )


def _write_npy(video: xr.DataArray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, video.to_numpy(), allow_pickle=False)


def _write_zarr(video: xr.DataArray, path: Path) -> None:
    stores.write(video.to_dataset(promote_attrs=True), path, "simulation")


def _write_ome_zarr(video: xr.DataArray, path: Path) -> None:
    with zarr_writes.ended():
        write_ome_zarr(video, path, attributes=video.attrs)


_WRITERS: Mapping[str, Callable[[xr.DataArray, Path], None]] = {
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".npy": _write_npy,
    ".ome.zarr": _write_ome_zarr,
    ".zarr": _write_zarr,
}


def suffix_of(path: Path) -> str:
    """The suffix that names the format of a video to write.

    Raises
    ------
    UserError
        If the suffix names no format.
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UserError(f"{path} has a suffix that cannot be written; end its name in {', '.join(SUFFIXES)}")


def write(video: xr.DataArray, path: str | Path) -> None:
    """Write a simulated video in the format that the suffix names; nothing half-written stays if that fails.

    A TIFF carries pixel size and frame interval as OME metadata, an OME-Zarr image and a Zarr store everything, a NumPy
    file nothing.

    Raises
    ------
    UserError
        If the suffix names no format.
    """
    path = Path(path)
    writer = _WRITERS[suffix_of(path)]
    with files.replacing(path) as partial:
        writer(video, partial)
