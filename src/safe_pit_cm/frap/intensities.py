"""Brightness relative to an image from before bleaching."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.numerics.arrays import Array

# Pixels darker than this share of the median before bleaching say nothing once they are divided.
_DARKEST = 0.05
# A dark image has light in it if this share of its pixels is brighter than its median by this share of the light.
_LIT = (0.002, 0.1)


def relative(
    video: xr.DataArray, before: NDArray[np.generic] | None, dark: float | NDArray[np.generic] | None
) -> xr.DataArray:
    """Subtract the dark level, and divide by the brightness before bleaching.

    Parameters
    ----------
    video
        ``(time, y, x)``.
    before
        Image from before bleaching, ``(y, x)``, or None.
    dark
        Image without light, its level, or None.

    Returns
    -------
    xr.DataArray
        ``(F − dark)/(before − dark)``; NaN where the detector was saturated or hardly any light fell before bleaching.

    Raises
    ------
    UserError
        If the film or the image from before bleaching is not brighter than the dark one, or the dark one holds light.
    """
    if before is None and dark is None:
        return video
    level: Array = np.asarray(0.0 if dark is None else dark, dtype=np.float64)
    frames = video.to_numpy() - level
    light = frames[0] if before is None else before.astype(np.float64) - level
    typical = float(np.nanmedian(light))
    if not typical > 0:
        bright = "the first frame" if before is None else "the image of --prebleach"
        raise UserError(f"{bright} is no brighter than --dark; check which is which")
    share, least = _LIT
    lit = float((level - np.median(level) > least * typical).mean())
    if lit > share:
        raise UserError(
            f"{lit:.1%} of the pixels of the image of --dark hold light, more than a tenth of that in the film; give "
            f"the dark level as a number, such as its median {np.median(level):g}"
        )
    if before is not None:
        frames = frames / np.where(light > _DARKEST * typical, light, np.nan)
    attrs = dict(video.attrs)
    saturation = attrs.pop("saturation", None)
    if saturation is not None:
        frames = np.where(video.to_numpy() >= saturation, np.nan, frames)
    return xr.DataArray(frames.astype(np.float32), video.coords, video.dims, video.name, attrs)
