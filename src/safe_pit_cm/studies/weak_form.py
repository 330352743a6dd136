"""Weak-form sparse regression with PySINDy: the equation of a video, found from integrals of it.

Multiply the equation by a smooth bump w that vanishes at the edges of a box of space and time, and integrate by parts
until no derivative is left on the noisy field (Messenger and Bortz 2021):

    ∂φ/∂t = −α ∇²φ   becomes   −∫ φ ∂w/∂t = −α ∫ φ ∇²w

Many random boxes give as many linear equations. PySINDy regresses the left-hand side on all derivatives of φ up to
second order and successively drops the terms with coefficients below a threshold; neither the equation nor the number
of its coefficients is given. Nothing is propagated, so *signed* and *stable* are the same.

The integrals treat the field as linear between pixels and frames, and the Laplacian as that of a continuum: with pixels
as coarse as the grain boundaries, both bias α on clean videos as well. Large boxes weight long waves, which reduces the
bias.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pysindy
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

# Smallest number of grid intervals that a box spans along an axis.
_FEWEST = 3


@contextmanager
def _legacy_random_state(seed: int) -> Iterator[None]:
    """Seed the generator from which PySINDy draws boxes, and restore the state of the caller."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@dataclass(frozen=True)
class WeakForm:
    """Boxes on a grid of space and time, drawn once for all videos on this grid.

    Attributes
    ----------
    shape
        Of the videos, ``(time, y, x)``.
    spacing, interval
        Grid spacing Δx, length units, and frame interval Δt_f, time units.
    boxes
        Number of boxes.
    side, duration
        Extent of a box along x and y, and in time, relative to those of the video; less than 1.
    seed
        Seed of the centres of the boxes; below 2³².
    """

    shape: tuple[int, int, int]
    spacing: float
    interval: float
    boxes: int
    side: float
    duration: float
    seed: int

    @cached_property
    def _library(self) -> Any:
        frames, rows, columns = self.shape
        axes = [
            np.arange(points) * step
            for points, step in ((rows, self.spacing), (columns, self.spacing), (frames, self.interval))
        ]
        extents = np.array([self.side, self.side, self.duration])
        # PySINDy draws centres until every box contains two points along each axis: forever, if none can.
        if any(extent * (len(axis) - 1) < _FEWEST for extent, axis in zip(extents, axes, strict=True)):
            raise UserError(
                f"the boxes of the weak form, {self.side:g} of the grid's side and {self.duration:g} of the video's "
                f"duration, are too small for {rows} × {columns} pixels and {frames} frames; make them larger"
            )
        with _legacy_random_state(self.seed):
            return pysindy.WeakPDELibrary(
                function_library=pysindy.PolynomialLibrary(degree=1, include_bias=False),
                derivative_order=2,
                include_interaction=False,
                spatiotemporal_grid=np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1),
                K=self.boxes,
                H_xt=extents * [axis[-1] for axis in axes] / 2.0,
            )

    def equation(self, frames: NDArray[Any], threshold: float) -> dict[str, float]:
        """Coefficients of ∂φ/∂t = …, by term: φ is ``u``, its second derivative along x and y ``u_22`` and ``u_11``.

        Parameters
        ----------
        frames
            Shape ``(time, y, x)``, in the order in which they were seen.
        threshold
            Smallest magnitude of a coefficient that is kept.

        Raises
        ------
        UserError
            If the boxes are too small for the grid.
        """
        # Without a ridge penalty, which would shrink the coefficients.
        model = pysindy.SINDy(feature_library=self._library, optimizer=pysindy.STLSQ(threshold=threshold, alpha=0.0))
        model.fit(np.moveaxis(frames, 0, -1)[..., None], t=self.interval, feature_names=["u"])
        return dict(zip(model.get_feature_names(), map(float, model.coefficients()[0]), strict=True))

    def coefficient(self, frames: NDArray[Any], threshold: float) -> float:
        """α, length²/time: minus the mean of the coefficients of the two second derivatives; arguments as above."""
        terms = self.equation(frames, threshold)
        return -(terms["u_11"] + terms["u_22"]) / 2.0
