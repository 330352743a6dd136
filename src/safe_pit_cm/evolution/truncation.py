"""Which wavenumbers of a first frame are more than its noise."""

import numpy as np
import torch
from torch import Tensor

from safe_pit_cm.evolution.compiled import Grid

# Bands of wavenumbers, and the least excess of power over noise that counts.
_BANDS, _LEAST_EXCESS = 24, 0.05


def exceeding(spectrum: Tensor, noise: Tensor, grid: Grid, effective: float = 1.0) -> Tensor:
    """Bands of wavenumbers in which a spectrum has more power than its noise, ``(field, ky, kx)``.

    Parameters
    ----------
    spectrum, noise
        Spectrum, and expected power of its noise, ``(field, ky, kx)``.
    grid
        The grid.
    effective
        Independent amplitudes as a share of all: below 1 under a window.
    """
    along_y, along_x = grid.wavenumbers()
    kappa = torch.sqrt(along_y**2 + along_x**2)
    band = (kappa / kappa.max() * _BANDS).long().clamp(max=_BANDS - 1)
    kept = torch.zeros(spectrum.shape, dtype=torch.bool)
    for index in range(_BANDS):
        inside = band == index
        count = 2 * int(inside.sum()) * effective
        ratio = (spectrum[:, inside].abs() ** 2 / noise[:, inside]).mean(-1)
        significant = ratio > 1 + max(_LEAST_EXCESS, 3 * np.sqrt(2 / max(count, 1)))
        kept |= significant[:, None, None] & inside
    return kept
