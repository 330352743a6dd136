"""Time and memory of a fit of a large video: ``python benchmarks/large_video.py [size] [frames] [boundary]``."""

import resource
import sys
import time

import numpy as np
import xarray as xr

import safe_pit_cm
from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation

DIFFUSIVITY, SPACING, INTERVAL, NOISE = 0.4, 0.5, 0.05, 0.01


def main(size: int = 512, count: int = 500, boundary: Boundary = "periodic") -> None:
    """Simulate smooth blobs that diffuse, fit, and print time and memory."""
    random = np.random.default_rng(1)
    symbol = symbols((size, size), (SPACING, SPACING), "periodic", Discretisation())
    modes = to_modes(random.normal(size=(size, size)), "periodic") * np.exp(-0.1 * symbol)
    modes *= 0.3 / to_field(modes, "periodic").std()
    frames = np.empty((count, size, size), dtype=np.float32)
    for index in range(count):
        frames[index] = to_field(modes * np.exp(-DIFFUSIVITY * INTERVAL * index * symbol), "periodic")
        frames[index] += NOISE * random.standard_normal((size, size), dtype=np.float32)
    video = xr.DataArray(frames, dims=("time", "y", "x"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    found = safe_pit_cm.fit(video, dx=SPACING, dt=INTERVAL, boundary=boundary).attrs
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{boundary}, {size} × {size} × {count}: {wall:.1f} s wall, {cpu:.1f} s of core time")
    print(
        f"memory: video {frames.nbytes / 1e6:.0f} MB, process {before / 1e3:.0f} MB before, {peak / 1e3:.0f} MB at most"
    )
    print(f"D = {found['diffusivity']:.6f} ± {found['stderr']:.6f} (true {DIFFUSIVITY}); {found['notes']}")


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((int, int, str), sys.argv[1:], strict=False)))
