"""SAFE-PIT-CM: recover a transport coefficient from a video with a frozen PDE solver.

Fields have the axes ``(time, y, x)``. One signed transport coefficient α covers both processes of the
paper (§2.1): ``∂φ/∂t = −α ∇²φ`` with α = −D < 0 for diffusion and α = +M > 0 for mobility.

``fit`` recovers it from a measured video, ``read`` reads a stored result and checks its digest, ``SafeOperator`` is the
paper's frozen solver, and ``Equation`` states what a solver solves. The package imports nothing heavy by itself: a
stage that needs no torch never pays for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_pit_cm.data.stores import read
    from safe_pit_cm.equations.terms import Equation
    from safe_pit_cm.inference.fit import fit
    from safe_pit_cm.safe.operator import SafeOperator

__all__ = ["Equation", "SafeOperator", "fit", "read"]

# By strings: import statements would make every one of these part of every stage's code digest.
_HOMES = {
    "fit": "safe_pit_cm.inference.fit",
    "read": "safe_pit_cm.data.stores",
    "SafeOperator": "safe_pit_cm.safe.operator",
    "Equation": "safe_pit_cm.equations.terms",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
