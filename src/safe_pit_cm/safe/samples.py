"""Videos to learn from: what training and test-time steps need to know of one.

The estimate of a video is one number, |α|, for the processes of the paper, and a vector for an equation with several
coefficients (:mod:`safe_pit_cm.safe.equation_training`). Everything that differs between the two is a method here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
import xarray as xr
from torch import Tensor

from safe_pit_cm.equations.processes import PROCESS_SIGN, Process, Propagation, propagation_sign
from safe_pit_cm.safe.spectral_loss import SpectralSafeLoss, frame_pairs

SafeLoss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sample(ABC):
    """A video to learn from.

    Attributes
    ----------
    parent
        Name that identifies the video.
    field
        φ, shape ``(time, y, x)`` or ``(time, field, y, x)``, float32.
    change
        Mean squared difference of successive frames, squared field units.
    """

    parent: str
    field: Tensor
    change: float

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the numbers that are estimated."""

    @property
    @abstractmethod
    def truth(self) -> float | tuple[float, ...]:
        """Their true values, which only the supervised terms and error reports read."""

    @abstractmethod
    def coefficient(self, estimate: Tensor, propagation: Propagation) -> Tensor:
        """What the SAFE operator receives, from an estimate; same shape."""

    @abstractmethod
    def sides(self, video: Tensor, propagation: Propagation) -> tuple[Tensor, Tensor]:
        """Frames that are propagated, and those with which they are compared, of ``(..., time, *frame)``."""

    @abstractmethod
    def safe_loss(self, latent: Tensor, operator: Any, propagation: Propagation) -> SafeLoss:
        """SAFE loss (Eq. 9) of the latent video as a function of the estimate alone."""


@dataclass(frozen=True)
class ProcessSample(Sample):
    """A video of one of the paper's processes; the estimate is |α|.

    Attributes
    ----------
    process
        Which of them; the sign of α follows from it.
    magnitude
        True |α|.
    """

    process: Process
    magnitude: float

    @classmethod
    def of_video(cls, video: xr.Dataset, device: str | torch.device = "cpu") -> Self:
        """Sample of a video store."""
        field = torch.from_numpy(video["field"].to_numpy().copy())
        return cls(
            parent=str(video.attrs["parent"]),
            field=field.to(device),
            change=mean_squared_change(field),
            process=video.attrs["process"],
            magnitude=abs(float(video.attrs["transport_coefficient"])),
        )

    @property
    def sign(self) -> float:
        """Sign of α."""
        return PROCESS_SIGN[self.process]

    @property
    def names(self) -> tuple[str, ...]:
        """The process, since |α| has no other name."""
        return (self.process,)

    @property
    def truth(self) -> float:
        """|α|."""
        return self.magnitude

    def coefficient(self, estimate: Tensor, propagation: Propagation) -> Tensor:
        """α that carries a frame to its neighbour."""
        return propagation_sign(self.process, propagation) * estimate

    def sides(self, video: Tensor, propagation: Propagation) -> tuple[Tensor, Tensor]:
        """Earlier and later frames, or the reverse, of ``(..., time, y, x)``."""
        return frame_pairs(video, self.process, propagation)

    def safe_loss(self, latent: Tensor, operator: Any, propagation: Propagation) -> SpectralSafeLoss:
        """The spectral form, which costs one pass over the wavenumbers."""
        return SpectralSafeLoss.of_video(latent, operator, self.process, propagation)


def mean_squared_change(field: Tensor) -> float:
    """Mean squared difference of successive frames ``(time, ...)``, squared field units."""
    return float(field.diff(dim=0).double().square().mean())
