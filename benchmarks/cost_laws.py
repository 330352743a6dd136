"""Cost laws: seconds of a fit against N, frames and S, with the slopes that are expected.

``python -m benchmarks.cost_laws`` measures, in a process of its own with one thread, and prints the rows as JSON.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import threads
from benchmarks.videos import Grid, video

# D and the grid from which one quantity at a time is varied; D is small enough for one Euler step a frame.
_DIFFUSIVITY, GRID, SUBSTEPS = 0.1, Grid(64, 21), 50
_ROUNDS = 3


@dataclass(frozen=True)
class Law:
    """What is varied, and the slope of each method in a plot of logarithms.

    Attributes
    ----------
    label
        Of the axis.
    values, quick
        At which the time is measured; in a smoke test.
    slopes
        Expected exponent by method, for large values.
    """

    label: str
    values: Sequence[int]
    quick: Sequence[int]
    slopes: Mapping[str, float]


LAWS: Mapping[str, Law] = {
    "size": Law(
        "N, pixels along a side",
        (32, 64, 128, 256, 512, 1024),
        (16, 32),
        {"ml": 2, "direct": 2, "stencil": 2},
    ),
    "frames": Law(
        "number of frames",
        (11, 21, 51, 101, 201, 501, 1001),
        (11, 21),
        # Maximum likelihood projects a video once on some twenty time courses; until that takes longest, the number of
        # frames does not matter.
        {"ml": 0, "direct": 1, "stencil": 1},
    ),
    "substeps": Law(
        "S, sub-steps a frame",
        (1, 2, 5, 10, 20, 50, 100, 200),
        (1, 2),
        {"ml": 0, "direct": 0, "stencil": 1},
    ),
}
LABELS: Mapping[str, str] = {
    "ml": "maximum likelihood, interval and check",
    "direct": "`direct`",
    "stencil": "loss and gradient by stencils",
}


def calls(grid: Grid, frames: NDArray[np.float32], substeps: int) -> dict[str, Callable[[], Any]]:
    """One call of each method on a video; all with the Euler steps of the stencil."""
    import torch
    import xarray as xr

    import safe_pit_cm
    from safe_pit_cm.equations.discretisation import Discretisation
    from safe_pit_cm.inference.safe_fits import safe_minimum

    torch.set_num_threads(1)
    spacing, substep = grid.spacing, grid.interval / substeps
    measured = xr.DataArray(frames, dims=("time", "y", "x"))
    euler: dict[str, Any] = {"discretisation": "euler", "substep": substep, "boundary": "periodic"}
    tensor = torch.from_numpy(frames)
    operator = safe_pit_cm.SafeOperator(grid.interval, spacing, substeps, "stencil")

    def gradient() -> None:
        alpha = torch.tensor(-_DIFFUSIVITY, requires_grad=True)
        (operator(tensor[:-1], alpha) - tensor[1:]).square().mean().backward()

    return {
        "ml": lambda: safe_pit_cm.fit(measured, dx=spacing, dt=grid.interval, **euler),
        "direct": lambda: safe_minimum(
            frames, grid.times, (spacing, spacing), "periodic", Discretisation("euler", substep)
        ),
        "stencil": gradient,
    }


def measure(quick: bool, report: Callable[[str], None]) -> list[dict[str, Any]]:
    """Seconds of CPU time by law, method and value: the shortest of some rounds, the methods in turn."""
    rows = []
    # What is loaded on the first call is no part of a law.
    for call in calls(Grid(16, 11), video(Grid(16, 11), 0, 0.01, _DIFFUSIVITY).frames, 1).values():
        call()
    for name, law in LAWS.items():
        for value in law.quick if quick else law.values:
            grid, substeps = GRID, SUBSTEPS
            if name == "substeps":
                substeps = value
            else:
                grid = replace(grid, **{name: value})
            frames = video(grid, 0, 0.01, _DIFFUSIVITY).frames
            best: dict[str, float] = {}
            for _ in range(1 if quick else _ROUNDS):
                for method, call in calls(grid, frames, substeps).items():
                    # What grows with S or N is not to take minutes.
                    if best.get(method, 0.0) > 5.0:
                        continue
                    started = time.process_time()
                    call()
                    best[method] = min(best.get(method, np.inf), time.process_time() - started)
            for method, seconds in best.items():
                rows.append({"law": name, "method": method, "value": value, "seconds": seconds})
            report(f"{law.label} = {value}: " + ", ".join(f"{each} {best[each]:.3g} s" for each in best))
    return rows


def slope(values: NDArray[Any], seconds: NDArray[Any]) -> float:
    """Exponent of a power law over the larger half of the values."""
    half = slice(len(values) // 2, None) if len(values) > 2 else slice(None)
    return float(np.polyfit(np.log(values[half]), np.log(seconds[half]), 1)[0])


if __name__ == "__main__":
    threads.stay_on_one_core()
    warnings.simplefilter("ignore")
    print(json.dumps(measure("--quick" in sys.argv, lambda line: print(line, file=sys.stderr, flush=True))))
