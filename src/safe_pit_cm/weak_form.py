"""Weak-form sparse regression with PySINDy: the equation of a video, found from integrals of it.

Multiply the equation by a smooth bump w that vanishes at the edges of a box of space and time, and integrate by parts
until no derivative is left on the noisy field (Messenger and Bortz 2021):

    ∂φ/∂t = −α ∇²φ   becomes   −∫ φ ∂w/∂t = −α ∫ φ ∇²w

Many random boxes give as many linear equations. PySINDy regresses the left-hand side on all derivatives of φ up to
second order, and drops in turn whatever has a coefficient below a threshold, so it is told neither that the video shows
diffusion nor that it has one coefficient. Nothing is propagated, so mobility has no reading.

Integrals take the field as linear between pixels and frames, and the Laplacian as that of a continuum: with pixels as
coarse as the grain boundaries, both bias α on clean videos too. Large boxes look at long waves, and lessen it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pysindy
from numpy.typing import NDArray


@contextmanager
def _legacy_random_state(seed: int) -> Iterator[None]:
    """Seed the generator from which PySINDy draws boxes, and give the caller's state back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


class WeakForm:
    """Boxes of a grid of space and time: drawn once, for all videos on it.

    Parameters
    ----------
    shape
        Of the videos, ``(time, y, x)``.
    spacing, interval
        Grid spacing Δx, length units, and frame interval Δt_f, time units.
    boxes
        Number of boxes.
    side, duration
        Extent of a box along x and y, and in time, as shares of those of the video; less than 1.
    seed
        Of the centres of the boxes; below 2³².
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing: float,
        interval: float,
        *,
        boxes: int,
        side: float,
        duration: float,
        seed: int,
    ) -> None:
        self.interval = interval
        extents = np.array([(shape[1] - 1) * spacing, (shape[2] - 1) * spacing, (shape[0] - 1) * interval])
        axes = [
            np.linspace(0.0, extent, points) for extent, points in zip(extents, (*shape[1:], shape[0]), strict=True)
        ]
        with _legacy_random_state(seed):
            self._library = pysindy.WeakPDELibrary(
                function_library=pysindy.PolynomialLibrary(degree=1, include_bias=False),
                derivative_order=2,
                include_interaction=False,
                spatiotemporal_grid=np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1),
                K=boxes,
                H_xt=np.array([side, side, duration]) * extents / 2.0,
            )

    def equation(self, frames: NDArray[Any], threshold: float) -> dict[str, float]:
        """Coefficients of ∂φ/∂t = …, by term: φ is ``u``, its second derivative along x and y ``u_22`` and ``u_11``.

        Parameters
        ----------
        frames
            Shape ``(time, y, x)``, in the order in which they were seen.
        threshold
            Smallest magnitude of a coefficient that is kept.
        """
        # No ridge: it would shrink the coefficients.
        model = pysindy.SINDy(feature_library=self._library, optimizer=pysindy.STLSQ(threshold=threshold, alpha=0.0))
        model.fit(np.moveaxis(frames, 0, -1)[..., None], t=self.interval, feature_names=["u"])
        return dict(zip(model.get_feature_names(), map(float, model.coefficients()[0]), strict=True))

    def coefficient(self, frames: NDArray[Any], threshold: float) -> float:
        """α, length²/time: minus the mean of the coefficients of the two second derivatives; arguments as above."""
        terms = self.equation(frames, threshold)
        return -(terms["u_11"] + terms["u_22"]) / 2.0
