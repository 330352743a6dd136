"""A process that runs one method, so that no package disturbs another and memory can be told apart.

It reads requests from its standard input, one JSON list a line, and answers likewise: ``["start"]`` imports and
prepares the method, ``["fit", number, noise]`` fits a video, ``["memory"]`` measures the memory of a fit.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import threads
from benchmarks.methods import METHODS
from benchmarks.videos import Grid, video

# A fit on this grid loads what a package loads on its first call.
_SMALL = Grid(16, 21)


def main() -> None:
    """Serve the method and the grid that the arguments name."""
    threads.stay_on_one_core()
    warnings.simplefilter("ignore")
    # Packages print as they like; the answers keep the original output.
    answers = os.fdopen(os.dup(1), "w")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    name, size, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    grid = Grid(size, frames)
    prepared: list[Callable[[Any], float]] = []
    for line in sys.stdin:
        request = json.loads(line)
        if request[0] == "start":
            answer = timed(lambda: prepared.append(prepare(name, grid)))
        elif request[0] == "fit":
            shown = video(grid, *request[1:])
            answer = timed(lambda: prepared[0](shown.frames))  # noqa: B023
            answer["true"] = shown.diffusivity
        else:
            answer = {"memory": memory(name, grid)}
        print(json.dumps(answer), file=answers, flush=True)


def prepare(name: str, grid: Grid) -> Callable[[Any], float]:
    """Import and prepare a method, on one thread."""
    fit: Callable[[Any], float] = METHODS[name].load()(grid)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return fit


def timed(function: Callable[[], float | None]) -> dict[str, Any]:
    """Result of a call, and its seconds: wall time, and CPU time with that of compilers it starts."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    found = function()
    return {"found": found, "wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}


def cpu_seconds() -> float:
    """CPU time of this process and of the children that have ended, s."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def memory(name: str, grid: Grid) -> float | None:
    """Most memory that a fit needs beyond that of the process with its imports and the video, MB; on Linux alone."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    prepare(name, _SMALL)(video(_SMALL, 0, 0.01).frames)
    fit = prepare(name, grid)
    frames = video(grid, 0, 0.01).frames
    # What the preparation has freed is given back, or the fit would use it uncounted.
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    before = status("VmRSS")
    # Linux then counts the peak from here.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    fit(frames)
    return status("VmHWM") - before


def status(key: str) -> float:
    """A value of this process's memory, MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith(key))


if __name__ == "__main__":
    main()
