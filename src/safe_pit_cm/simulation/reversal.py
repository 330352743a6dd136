"""Mobility videos by time reversal (§2.2, A.3)."""

import xarray as xr


def reverse_time(video: xr.Dataset) -> xr.Dataset:
    """Turn a diffusion video into the mobility video of the same parent (Eqs. 16 and 17).

    If φ(t) solves the equation with α = −D, then φ(T − t) solves it with α = +D. Nothing is integrated, so no
    stability condition applies.

    Parameters
    ----------
    video
        ``field(time, y, x)`` with evenly spaced times, α in the attribute ``transport_coefficient``.

    Returns
    -------
    xr.Dataset
        The frames in reverse order on the same times, α with the opposite sign.
    """
    alpha = -float(video.attrs["transport_coefficient"])
    return video.assign(field=video["field"].copy(data=video["field"].to_numpy()[::-1])).assign_attrs(
        process="mobility", transport_coefficient=alpha, diffusivity=abs(alpha)
    )
