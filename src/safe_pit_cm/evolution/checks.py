"""Test of an equation: slow residuals against those of pure noise, by band of wavenumbers.

A wrong equation leaves residuals that change slowly in time; noise does not. The residuals of the fit and of
realisations of noise that went through the same elimination of the first frame are split into slow and fast time
courses. In every band of wavenumbers the ratio of their slow powers follows F; the goodness of fit is the smallest
p-value times the number of bands.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.stats

from safe_pit_cm.numerics.arrays import Array

# A model is refused below this p-value.
SIGNIFICANCE = 1e-3
_SLOW, _BANDS, _LEAST = 8, 12, 8


@dataclass(frozen=True)
class EquationCheck:
    """Slow residuals by band.

    Attributes
    ----------
    wavenumber
        Middle of each band, 1/length.
    ratio
        Slow power of the residuals over that of noise, shape ``(band,)``; NaN for a band with too few modes.
    p_values
        Shape ``(band,)``.
    """

    wavenumber: Array
    ratio: Array
    p_values: Array

    @property
    def goodness_of_fit(self) -> float:
        """P-value of all bands together (Bonferroni)."""
        tested = self.p_values[np.isfinite(self.p_values)]
        return float(min(1.0, tested.min() * len(tested))) if len(tested) else 1.0


def check(residual: Array, probes: Array, noise: float, spacing: tuple[float, float]) -> EquationCheck:
    """Compare residuals with noise.

    Parameters
    ----------
    residual
        Observed less predicted, ``(time, field, y, x)``; 0 where nothing was observed.
    probes
        The same of noise of standard deviation 1, ``(time, probe, field, y, x)``.
    noise
        σ of the video.
    spacing
        Pixel size (Δy, Δx).
    """
    times, _, rows, columns = residual.shape
    kappa = np.hypot(
        2 * np.pi * np.fft.fftfreq(rows, spacing[0])[:, None], 2 * np.pi * np.fft.fftfreq(columns, spacing[1])[None, :]
    )
    band = np.minimum((kappa / kappa.max() * _BANDS).astype(int), _BANDS - 1).ravel()
    slow = min(_SLOW, times - 1)

    def power(frames: Array) -> tuple[Array, float]:
        """Slow power of each band, and all of the fast power, of frames ``(time, field, y, x)``."""
        courses = scipy.fft.dct(frames, axis=0, norm="ortho")
        modes = scipy.fft.fft2(courses, norm="ortho")
        each = (np.abs(modes[:slow]) ** 2).sum((0, 1)).ravel()
        return np.bincount(band, each, _BANDS).astype(np.float64), float((courses[slow:] ** 2).sum())

    observed, fast = power(residual)
    expected, reference = np.zeros(_BANDS), 0.0
    for index in range(probes.shape[1]):
        found, rest = power(probes[:, index])
        expected += found / probes.shape[1]
        reference += rest / probes.shape[1]
    # Where there are hardly any fast time courses, σ stands in for their power.
    scale = fast / reference if times > 2 * slow and reference > 0 else noise**2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = observed / (expected * scale)
    freedom = expected
    p_values = np.full(_BANDS, np.nan)
    tested = freedom > _LEAST
    p_values[tested] = scipy.stats.f.sf(ratio[tested], freedom[tested], probes.shape[1] * freedom[tested])
    ratio = np.where(tested, ratio, np.nan)
    middle = (np.arange(_BANDS) + 0.5) * kappa.max() / _BANDS
    return EquationCheck(middle, ratio, p_values)
