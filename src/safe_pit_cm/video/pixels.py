"""What the pixels of a video say of the detector, and which of them cannot be a measured field."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError

_LARGEST = 1e100  # beyond, squares overflow
_CLIPPED = 1e-3  # share of equal extreme pixels that is no chance
_DEPTHS = (8, 10, 12, 14)  # bits of detectors whose images are stored in 16


@dataclass(frozen=True)
class Brightness:
    """What a look at all pixels found.

    Attributes
    ----------
    saturation
        Largest value that the detector can give, at which a pixel is saturated; None where it is not known.
    warnings
        Doubts about the pixels.
    """

    saturation: float | None
    warnings: list[str]


@dataclass
class _Extreme:
    """The largest value so far and how many pixels have exactly that."""

    value: float = -np.inf
    count: int = 0

    def update(self, frame: NDArray[np.float64]) -> None:
        value = float(np.nanmax(frame, initial=-np.inf))
        if value > self.value:
            self.value, self.count = value, 0
        if value == self.value:
            self.count += int((frame == value).sum())


def _saturation(dtype: np.dtype[Any], bits: int | None, highest: _Extreme, size: int) -> float | None:
    """Largest value of the detector: by its bits, else by the type, unless the pixels pile up at that of fewer bits."""
    if dtype.kind not in "iu":
        return None
    # Metadata can name fewer bits than the pixels have.
    if bits is not None and 2.0**bits - 1 >= highest.value and bits < 8 * dtype.itemsize:
        return 2.0**bits - 1
    piled_up = highest.count > _CLIPPED * size
    of_fewer = [2.0**depth - 1 for depth in _DEPTHS if depth < 8 * dtype.itemsize and piled_up]
    return highest.value if highest.value in of_fewer else float(np.iinfo(dtype).max)


def check_pixels(pixels: NDArray[Any], path: Path, missing: bool = False, bits: int | None = None) -> Brightness:
    """Refuse pixels that cannot be a measured field; find the level of saturation and doubtful pixels.

    Looks at one frame after another, so that the check takes no memory. With ``missing``, NaN is taken for a pixel that
    was not measured. ``bits`` are those that the detector fills, where the file gives them.

    Raises
    ------
    UserError
        If pixels are no numbers, NaN, infinite, too large to compute with or wrapped around, or all equal.
    """
    if pixels.dtype.kind not in "iufb":
        raise UserError(f"{path} holds {pixels.dtype} and no real numbers; save the brightness as integers or floats")
    highest, negated = _Extreme(), _Extreme()
    wrapped = 0
    integer = pixels.dtype.kind in "iu"
    low, high = (np.iinfo(pixels.dtype).min, np.iinfo(pixels.dtype).max) if integer else (-np.inf, np.inf)
    before: NDArray[np.float64] | None = None
    for index, raw in enumerate(pixels):
        frame = raw.astype(np.float64)
        if not integer and (bad := np.isinf(frame) if missing else ~np.isfinite(frame)).any():
            y, x = np.argwhere(bad)[0]
            raise UserError(
                f"{path} has {int(bad.sum())} NaN or infinite pixels in frame {index} (the first at row {y}, column "
                f"{x}); cut them off by --roi or --frames, or, where they are NaN because nothing was measured there, "
                "give --missing"
            )
        highest.update(frame)
        negated.update(-frame)
        if integer:
            if before is not None:
                wrapped += int((np.abs(frame - before) > 0.75 * (float(high) - float(low))).sum())
            before = frame
    lowest = -negated.value
    if max(abs(lowest), abs(highest.value)) > (2.0**53 if integer else _LARGEST):
        raise UserError(
            f"{path} has pixels as large as {max(abs(lowest), abs(highest.value)):.3g}, which looks like an overflow "
            "and is too large to compute with exactly; divide the video by a constant, which changes no diffusivity"
        )
    if wrapped > 1e-4 * pixels.size:
        raise UserError(
            f"{path} has {wrapped} pixels that jump by nearly the whole range of {pixels.dtype} from one frame to the "
            "next, which looks like integer overflow; save the video again with more bits or a lower gain"
        )
    if lowest == highest.value:
        raise UserError(f"{path} is constant (every pixel is {lowest:g}); a fit needs a field that changes")
    if lowest > highest.value:
        raise UserError(f"{path} holds nothing but NaN; check the file, or choose other frames by --frames")
    if not any((frame != pixels[0]).any() for frame in pixels[1:]):
        raise UserError(f"every frame of {path} is the same; nothing moves, so there is no coefficient to measure")
    saturation = _saturation(pixels.dtype, bits, highest, pixels.size)
    return Brightness(saturation, _clipping(pixels, highest, negated, saturation))


def _clipping(pixels: NDArray[Any], highest: _Extreme, negated: _Extreme, saturation: float | None) -> list[str]:
    """Warnings about pixels that pile up at the largest or smallest value."""
    warnings = []
    for extreme, limit, what in (
        (highest, saturation, "saturated"),
        (negated, 0.0 if pixels.dtype.kind in "u" else None, "cut off"),
    ):
        share = extreme.count / pixels.size
        # Integers repeat by nature: their extremes count only at a limit.
        if share > _CLIPPED and (pixels.dtype.kind == "f" or extreme.value == limit):
            value = extreme.value if extreme is highest else -extreme.value + 0.0
            side = "largest" if extreme is highest else "smallest"
            warnings.append(
                f"{share:.1%} of the pixels have exactly the {side} value, {value:g}: where they are {what} or "
                "clipped, the fit is biased"
            )
    return warnings
