"""SAFE-PIT-CM: recover a transport coefficient from a video with a frozen PDE solver.

Fields have the axes ``(time, y, x)``. One signed transport coefficient α covers both processes of the
paper (§2.1): ``∂φ/∂t = −α ∇²φ`` with α = −D < 0 for diffusion and α = +M > 0 for mobility.

``safe_pit_cm.fit`` recovers it from a measured video (:func:`safe_pit_cm.inference.measurement.fit`).

The package imports nothing heavy by itself: a stage that needs no torch never pays for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_pit_cm.inference.measurement import fit

__all__ = ["fit"]


def __getattr__(name: str) -> Any:
    if name == "fit":
        # Named by a string: an import statement would make the estimator part of every stage's code digest.
        return import_module("safe_pit_cm.inference.measurement").fit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
