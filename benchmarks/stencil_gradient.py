"""Time and memory of the SAFE loss and its gradients by stencils: ``python benchmarks/stencil_gradient.py``.

``rolls`` is the plain program: S sub-steps of shifted fields that PyTorch records. ``autograd`` and ``stencil`` are the
paths of :class:`safe_pit_cm.SafeOperator`. The loss compares 100 frames of 64 × 64 pixels with their successors; it is
differentiated in the coefficient alone (a frozen encoder) or in the frames too. Times are the shortest of interleaved
rounds on one thread; memory is what a process of its own needs at most beyond what it had before.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from safe_pit_cm.safe.operator import SafeOperator

FRAMES, SIZE, INTERVAL, SPACING = 100, 64, 0.25, 0.5
METHODS = ("rolls", "autograd", "stencil")
WANTED = ("coefficient", "both")
ROUNDS = 5


def rolls(field: Tensor, alpha: Tensor, substeps: int) -> Tensor:
    """S sub-steps by shifted copies of the field."""
    for _ in range(substeps):
        neighbours = field.roll(1, -2) + field.roll(-1, -2) + field.roll(1, -1) + field.roll(-1, -1)
        field = field - alpha * (INTERVAL / substeps) * (neighbours - 4 * field) / SPACING**2
    return field


def evaluation(method: str, wanted: str, substeps: int) -> Callable[[], Tensor]:
    """Loss and gradients of one video; returns the gradient in the coefficient."""
    video = torch.rand(FRAMES + 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))

    def evaluate() -> Tensor:
        frames = video.clone().requires_grad_(wanted == "both")
        alpha = torch.tensor(-0.4, requires_grad=True)
        if method == "rolls":
            predicted = rolls(frames[:-1], alpha, substeps)
        else:
            predicted = SafeOperator(INTERVAL, SPACING, substeps, method)(frames[:-1], alpha)  # type: ignore[arg-type]
        (predicted - frames[1:]).square().mean().backward()
        assert alpha.grad is not None
        return alpha.grad

    return evaluate


def peak(method: str, wanted: str, substeps: int) -> float:
    """Megabytes that an evaluation needs at most, in a process of its own."""
    call = subprocess.run(
        [sys.executable, __file__, method, wanted, str(substeps)], check=True, capture_output=True, text=True
    )
    return float(call.stdout)


def memory(method: str, wanted: str, substeps: int) -> None:
    """Print what :func:`peak` reads."""
    # What PyTorch loads on its first call is not counted.
    evaluation(method, wanted, 1)()
    evaluate = evaluation(method, wanted, substeps)
    before = high_water()
    evaluate()
    print(high_water() - before)


def high_water() -> float:
    """Most memory that this process has had so far, MB; the one of ``getrusage`` includes that of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print a table of time and memory, and the ratios to the plain program."""
    print("| S | gradients | method | time, ms | plain / this | memory, MB |\n|---|---|---|---|---|---|")
    for substeps in (50, 200):
        for wanted in WANTED:
            calls = {method: evaluation(method, wanted, substeps) for method in METHODS}
            seconds = {method: float("inf") for method in METHODS}
            gradients = {}
            for _ in range(ROUNDS):
                for method, call in calls.items():
                    start = time.perf_counter()
                    gradients[method] = float(call())
                    seconds[method] = min(seconds[method], time.perf_counter() - start)
            for method in METHODS:
                assert abs(gradients[method] / gradients["rolls"] - 1) < 1e-3, gradients
                print(
                    f"| {substeps} | {wanted} | {method} | {1e3 * seconds[method]:.1f} | "
                    f"{seconds['rolls'] / seconds[method]:.1f} | {peak(method, wanted, substeps):.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:]:
        memory(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
