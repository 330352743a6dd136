"""A video as the solver of an equation sees it: frames, which pixels were observed, and what is known beforehand."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor


@dataclass(frozen=True)
class Observations:
    """Frames on the grid of a solver.

    Attributes
    ----------
    frames
        ``(time, field, y, x)``; any number where none was observed.
    weights
        1 where a pixel was observed, else 0, same shape or one that broadcasts; None where all were.
    prior
        Precision R of the first frame relative to that of the noise, ``(field, y, x)``; None for none.
    centre
        What the prior expects, ``(field, y, x)``.
    affine
        Whether frames are gain · field + offset, with gain and offset estimated after the coefficients.
    """

    frames: Tensor
    weights: Tensor | None = None
    prior: Tensor | None = None
    centre: Tensor | None = None
    affine: bool = False

    @property
    def count(self) -> int:
        """Number of observed pixels."""
        if self.weights is None:
            return self.frames.numel()
        return int(self.weights.broadcast_to(self.frames.shape).sum())

    @cached_property
    def noise_power(self) -> float:
        """σ² from second differences in time, which a smooth video hardly has."""
        changes = (self.frames[2:] - 2 * self.frames[1:-1] + self.frames[:-2]).abs()
        if self.weights is not None:
            weights = self.weights.broadcast_to(self.frames.shape)
            changes = changes[(weights[2:] * weights[1:-1] * weights[:-2]) > 0]
        return float(changes.median()) ** 2 / 0.6745**2 / 6

    def weighted(self, values: Tensor) -> Tensor:
        """W times frames ``(time, [batch,] field, y, x)``."""
        if self.weights is None:
            return values
        weights = self.weights if values.ndim == self.frames.ndim else self.weights[:, None]
        return values * weights.to(values.dtype)
