"""The two processes of the paper, and the two ways to propagate mobility.

One signed transport coefficient α covers both (§2.1): α = −D < 0 for diffusion, α = +M > 0 for mobility.

**Two propagations of mobility.** The paper has both. ``signed`` (§2.3, Eq. 6, Table 3) predicts frame t+1 from
frame t with α > 0, anti-diffusion by forward Euler. ``stable`` (§4: "always propagates in the numerically stable
(diffusion) direction") predicts frame t from frame t+1 by diffusion with |α|. For diffusion they are the same.
"""

from typing import Literal

Process = Literal["diffusion", "mobility"]
Propagation = Literal["signed", "stable"]

PROCESSES: tuple[Process, ...] = ("diffusion", "mobility")
PROPAGATIONS: tuple[Propagation, ...] = ("signed", "stable")
PROCESS_SIGN: dict[Process, float] = {"diffusion": -1.0, "mobility": 1.0}


def propagation_sign(process: Process, propagation: Propagation) -> float:
    """Sign of the coefficient that carries a frame to its neighbour: −1 smooths, +1 sharpens."""
    return -1.0 if propagation == "stable" else PROCESS_SIGN[process]


def propagations_of(process: Process) -> tuple[Propagation, ...]:
    """Propagations that differ for this process: both for mobility, one for diffusion."""
    return PROPAGATIONS if process == "mobility" else ("signed",)
