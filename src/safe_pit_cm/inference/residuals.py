"""Test of the model: residuals against the noise, by band of wavenumbers.

Whatever diffuses decays: its time courses lie in the smooth space of exponentials
(:class:`~safe_pit_cm.inference.time_courses.TimeCourses`). What lies outside this space is noise, whether or not the
model holds, and measures σ independently of it. Inside, each mode has one fitted amplitude; the rest must be noise of
the same σ.
Advection turns phases, reaction adds to every rate, and a D that varies in space couples modes: each leaves smooth
residuals. In a band of n modes their power over σ² follows F with ``n (smooth − 1)`` degrees of freedom; the
goodness of fit is the smallest p-value of the bands times their number (Bonferroni).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from safe_pit_cm.inference.likelihood import Fit
from safe_pit_cm.inference.modes import BANDS, Modes, band_of
from safe_pit_cm.numerics.arrays import Array

# A model is rejected below this p-value, as is one in a thousand videos of pure diffusion.
SIGNIFICANCE = 1e-3
# Bands with fewer degrees of freedom are not tested: their number is too uncertain.
_LEAST_DEGREES_OF_FREEDOM = 8


@dataclass(frozen=True)
class ResidualCheck:
    """Residual power by band.

    Attributes
    ----------
    wavenumber
        Middle of each band, shape ``(band,)``, 1/length.
    power
        Smooth residual power over its degrees of freedom, shape ``(band,)``, squared field units.
    noise_power
        σ², measured outside the model.
    p_values
        Shape ``(band,)``.
    """

    wavenumber: Array
    power: Array
    noise_power: float
    p_values: Array

    @property
    def goodness_of_fit(self) -> float:
        """P-value of all bands: probability that a video of pure diffusion deviates at least as much."""
        tested = self.p_values[np.isfinite(self.p_values)]
        return float(min(1.0, tested.min() * len(tested))) if len(tested) else 1.0

    @property
    def fits(self) -> bool:
        """Whether the model fits."""
        return self.goodness_of_fit >= SIGNIFICANCE

    @property
    def excess(self) -> float:
        """Largest ratio of residual to noise power."""
        ratio = self.power / self.noise_power
        return float(np.nanmax(ratio)) if np.isfinite(ratio).any() else 1.0


def check(modes: Modes, fit: Fit, *, floor: float = 0.0) -> ResidualCheck:
    """Check the residuals of a fit.

    Parameters
    ----------
    modes, fit
        The video and its fit.
    floor
        Smallest σ that is accepted: that of the rounding of the pixels.
    """
    frames = len(modes.courses.times)
    smooth = min(modes.courses.smooth, frames - 1)
    band = band_of(modes.symbol)

    def of_block(_: slice, block: Modes) -> tuple[Array, Array]:
        residual = np.square(block.at(fit.theta).residual)
        return residual[:, :smooth].sum(1), residual[:, smooth:].sum(1)

    inside, outside = (np.concatenate(parts) for parts in zip(*modes.over_blocks(of_block), strict=True))
    degrees_of_freedom = max(smooth - 1 - modes.background, 1)
    reference_degrees_of_freedom = len(band) * (frames - smooth)
    reference = (outside.sum() + modes.remainder) / reference_degrees_of_freedom
    if modes.remainder == 0 and not outside.any():
        # Too few frames to identify noise by its time course: the finest half of the modes is used.
        fine = band >= BANDS // 2
        reference, reference_degrees_of_freedom = (
            inside[fine].sum() / (fine.sum() * degrees_of_freedom),
            int(fine.sum()) * degrees_of_freedom,
        )
    return compare_bands(
        modes.symbol, inside, degrees_of_freedom, float(reference), reference_degrees_of_freedom, floor
    )


def misfit(modes: Modes, fit: Fit, found: ResidualCheck) -> float:
    """Structure in the residuals over the contrast of the strongest frame."""
    frames = len(modes.courses.times)
    smooth = min(modes.courses.smooth, frames - 1)
    of_mode = max(smooth - 1 - modes.background, 1)
    inside = float(np.nansum(found.power * np.bincount(band_of(modes.symbol), minlength=BANDS))) * of_mode
    freedom = len(modes.symbol) * of_mode
    structure = (inside - found.noise_power * freedom) / (len(modes.symbol) * frames)
    contrast = float(np.square(modes.amplitudes @ modes.courses.basis[0]).mean())
    return float(np.sqrt(max(structure, 0.0) / max(contrast, 1e-300)))


def compare_bands(
    symbol: Array,
    power: Array,
    degrees_of_freedom: float | Array,
    reference: float,
    reference_degrees_of_freedom: int,
    floor: float,
    probes: int | None = None,
) -> ResidualCheck:
    """Compare the residual power of modes with the reference, by band.

    ``degrees_of_freedom`` are those of each mode, or the same for all. If they were measured by ``probes`` realisations
    of noise, their own scatter is included.
    """
    band: NDArray[Any] = band_of(symbol)
    noise_power = max(reference, floor**2, 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.bincount(band, np.broadcast_to(degrees_of_freedom, band.shape), BANDS)
        mean = np.bincount(band, power, BANDS) / total
    spare = (
        reference_degrees_of_freedom
        if probes is None
        else np.minimum(reference_degrees_of_freedom, probes * np.maximum(total, 1))
    )
    p_values = np.where(
        total >= _LEAST_DEGREES_OF_FREEDOM,
        scipy.special.fdtrc(np.maximum(total, 1), spare, mean / noise_power),
        np.nan,
    )
    edges = np.sqrt(symbol.max()) * (np.arange(BANDS) + 0.5) / BANDS
    return ResidualCheck(edges, mean, noise_power, p_values)
