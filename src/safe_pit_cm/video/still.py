"""Read an image of one frame that belongs to a film: a reference, a dark image or a mask."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.errors import UserError
from safe_pit_cm.video.opening import opened
from safe_pit_cm.video.selection import Selection, one_of
from safe_pit_cm.video.source import Choice, grey


def _still(path: Path, option: str, choice: Choice) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An image of one frame, ``(y, x)`` or ``(y, x, channel)``, and the names of its channels."""
    if not path.exists():
        raise UserError(f"there is no file {path}; {option} needs an image of one frame")
    with opened(path, choice) as source:
        axes = source.axes or ("yx" if len(source.shape) == 2 else "yxc" if source.shape[2:] in ((3,), (4,)) else "")
        counts = dict(zip(axes, source.shape, strict=False))
        if any(counts.get(letter, 1) != 1 for letter in set(axes) - set("zyxc")) or not set("yx") <= set(axes):
            sizes = " × ".join(map(str, source.shape))
            raise UserError(f"{path} has {len(source.shape)} axes of {sizes}; {option} needs an image of one frame")
        parts = {letter: slice(0, count) for letter, count in counts.items()}
        for letter, asked in (("c", choice.channel), ("z", choice.z)):
            # A film of several channels may well have a reference of one.
            if counts.get(letter, 1) > 1:
                parts[letter] = one_of(letter, counts[letter], asked, path)
        pixels = source.load(tuple(parts[letter] for letter in axes))
        order = [axes.index(letter) for letter in sorted(axes, key=lambda letter: "tzyxc".find(letter))]
        pixels = pixels.transpose(order)
        kept = (counts["y"], counts["x"], *((pixels.shape[-1],) if "c" in axes else ()))
        pixels = pixels.reshape(kept)
    if pixels.dtype.kind not in "biuf":
        raise UserError(f"{path} holds {pixels.dtype} and no real numbers; {option} needs an image")
    return pixels, source.channels


def read_image(
    path: str | Path,
    film: xr.DataArray,
    selection: Selection | None = None,
    *,
    option: str = "--reference",
    channel: int | None = None,
    z: int | None = None,
) -> NDArray[np.float64]:
    """Read an image of one frame that belongs to a film, such as the one before bleaching or a dark one.

    Parameters
    ----------
    path
        Image of any format that holds a film or a frame of one.
    film
        The film as :func:`~safe_pit_cm.video.reading.read` returned it.
    selection
        The selection by which the film was read; the image is cut to its region.
    option
        What asks for the image, for messages.
    channel, z
        Channel and slice to read, where the image has several.

    Returns
    -------
    NDArray
        ``(y, x)``, of the size of the film that was read.

    Raises
    ------
    UserError
        If there is no such image, or its size is not that of a frame.
    """
    path = Path(path)
    pixels, channels = _still(path, option, Choice(channel=channel, z=z))
    image = (grey(pixels, path, channels) if pixels.ndim == 3 else pixels).astype(np.float64)
    rows, columns = film.attrs["frame_size"]
    if image.shape != (rows, columns):
        raise UserError(
            f"{path} has {image.shape[0]} × {image.shape[1]} pixels and a frame of the film {rows} × {columns}; "
            f"{option} needs an image of a whole frame, taken with the same camera settings"
        )
    if not np.isfinite(image).all():
        raise UserError(f"{path} has NaN or infinite pixels; {option} needs an image without")
    if selection is not None and selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        image = image[y0:y1, x0:x1]
    return image


def read_mask(path: str | Path, selection: Selection) -> NDArray[np.bool_]:
    """Read which pixels to leave out: those that are not zero in an image of the size of a frame.

    Returns
    -------
    NDArray
        Booleans ``(y, x)``, cut to the region of the selection.

    Raises
    ------
    UserError
        If there is no such image.
    """
    pixels, _ = _still(Path(path), "--mask", Choice())
    marked: NDArray[np.bool_] = np.asarray((pixels != 0).any(axis=-1) if pixels.ndim == 3 else pixels != 0)
    if selection.roi is not None:
        y0, y1, x0, x1 = selection.roi
        marked = marked[y0:y1, x0:x1]
    return marked
