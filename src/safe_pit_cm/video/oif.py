"""OIB and OIF, the formats of FluoView by Olympus."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video.source import INSTALL_MICROSCOPES, Choice, Selection, Source, library


def _interval(settings: Mapping[str, Any], frames: int) -> tuple[float, str] | None:
    """Mean time between frames, and its unit."""
    for number in range(8):
        axis = settings.get(f"Axis {number} Parameters Common", {})
        if axis.get("AxisCode") == "T" and frames > 1:
            span = float(axis.get("EndPosition") or 0) - float(axis.get("StartPosition") or 0)
            return (span / (frames - 1), str(axis.get("UnitName", "ms"))) if span > 0 else None
    return None


def open_oif(path: Path, choice: Choice, stack: ExitStack) -> Source:
    """Open an OIB file, or an OIF file with its folder of images."""
    oiffile = library("oiffile", path, INSTALL_MICROSCOPES)
    file = stack.enter_context(oiffile.OifFile(path))
    settings: Mapping[str, Any] = file.mainfile
    series = file.series[0]
    page = file.asarray(series.files[0])
    letters = [*(letter.lower() for letter in series.dims), "y", "x"]
    shape = (*series.shape, *page.shape)
    sizes = dict(zip(letters, shape, strict=True))
    reference = settings.get("Reference Image Parameter", {})
    spacing: dict[str, float] = {}
    units: dict[str, str] = {}
    for letter, side in (("y", "Height"), ("x", "Width")):
        if float(reference.get(f"{side}ConvertValue") or 0) > 0:
            spacing[letter] = float(reference[f"{side}ConvertValue"])
            units[letter] = str(reference.get(f"{side}Unit", "um"))
    interval = _interval(settings, sizes.get("t", 1))
    if interval is not None:
        spacing["t"], units["t"] = interval
    names = [
        str(settings.get(f"Channel {number} Parameters", {}).get("DyeName", f"channel {number - 1}"))
        for number in range(1, sizes.get("c", 1) + 1)
    ]

    def load(selection: Selection) -> NDArray[np.generic]:
        return np.array(file.asarray()[selection])

    return Source(
        "".join(letters),
        shape,
        np.dtype(page.dtype),
        load,
        spacing=spacing,
        units=units,
        channels=tuple(names) if sizes.get("c", 1) > 1 else (),
        bits=int(reference["ValidBitCounts"]) if "ValidBitCounts" in reference else None,
    )
