"""The likelihood of |α| of a video, in a form from which a network can learn."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.interpolate
import torch
import xarray as xr
from torch import Tensor

from safe_pit_cm.inference.mode_fields import reduce_video
from safe_pit_cm.simulation.videos import spacing
from safe_pit_cm.studies.noisy_videos import discretisation

# |α| from 1/50 to the largest that keeps the sign of every mode, in steps of 8 %.
_LOWEST, _STEP = 0.02, 1.08


@dataclass(frozen=True)
class ResidualShare:
    """Share of the power of a video that no field which diffuses with |α| explains, as a cubic spline in ln |α|.

    With the amplitude of every mode eliminated, the power of the residuals RSS(|α|) has its minimum at the estimate of
    maximum likelihood, and with an unknown noise level the logarithm of the likelihood is −n/2 · ln RSS. Unlike the
    SAFE loss, RSS is not biased by noise (:mod:`safe_pit_cm.inference.likelihood`).

    Attributes
    ----------
    knots
        ln |α| at equal distances, shape ``(knot,)``, float64.
    coefficients
        Of the cubic polynomials between knots, the highest power first, shape ``(4, knot − 1)``, float64.
    """

    knots: Tensor
    coefficients: Tensor

    @classmethod
    def of_video(cls, video: xr.Dataset) -> Self:
        """Reduce a periodic video; one of mobility is read backwards, as diffusion."""
        frames = video["field"].to_numpy()
        times = video["time"].to_numpy()
        if video.attrs["process"] == "mobility":
            frames, times = frames[::-1], times[-1] - times[::-1]
        step = discretisation(video)
        modes = reduce_video(frames, times, spacing(video), "periodic", step)
        highest = 0.9 * step.largest_diffusivity(float(modes.symbol.max()))
        knots = np.arange(np.log(_LOWEST), np.log(highest), np.log(_STEP))
        whole = modes.remainder + float(np.square(modes.amplitudes).sum())
        shares = [(modes.remainder + modes.residual_power(np.array([one]))) / whole for one in np.exp(knots)]
        spline = scipy.interpolate.CubicSpline(knots, shares)
        return cls(torch.from_numpy(knots), torch.from_numpy(np.ascontiguousarray(spline.c)))

    def __call__(self, magnitude: Tensor) -> Tensor:
        """Share at |α| = ``magnitude``, any shape; float64, differentiable, constant beyond the ends of the spline."""
        position = magnitude.double().clamp_min(1e-12).log().clamp(self.knots[0], self.knots[-1])
        last = self.coefficients.shape[1] - 1
        piece = ((position.detach() - self.knots[0]) / (self.knots[1] - self.knots[0])).long().clamp(0, last)
        offset = position - self.knots[piece]
        value = torch.zeros_like(position)
        for coefficients in self.coefficients:
            value = value * offset + coefficients[piece]
        return value
