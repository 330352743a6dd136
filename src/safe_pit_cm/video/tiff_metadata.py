"""What a TIFF says of its frames: scales, times, channels and bits, by OME, ImageJ, Zeiss LSM or plain tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from safe_pit_cm.video import units
from safe_pit_cm.video.source import COLOURS, Choice
from safe_pit_cm.video.times import growing, seconds_of


@dataclass
class Metadata:
    """Scales of a TIFF; the attributes are those of :class:`~safe_pit_cm.video.source.Source`."""

    coordinates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    spacing: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    bits: int | None = None
    acquired: float | None = None

    def set_times(self, times: Sequence[float], unit: str = "s") -> None:
        """Take the times of all frames, from the first on, if they grow: cameras without a clock write zeros."""
        if len(times) > 1 and growing(times):
            self.coordinates["t"] = np.round(np.asarray(times, dtype=np.float64) - times[0], 6)
            self.units["t"] = unit


def metadata_of(file: Any, pages: Sequence[Any], series: int, choice: Choice) -> Metadata:
    """What the file says of one of its series, whose first pages are ``pages``."""
    known = Metadata()
    _from_tags(known, pages)
    if file.is_ome:
        _from_ome(known, file.ome_metadata, series, choice)
    elif file.is_imagej:
        _from_imagej(known, file.imagej_metadata or {}, pages[0])
    elif file.is_lsm:
        _from_lsm(known, file.lsm_metadata or {})
    return known


def _from_tags(known: Metadata, pages: Sequence[Any]) -> None:
    """Bits of a pixel, colours, and the time at which each page was taken."""
    first = pages[0]
    if isinstance(first.bitspersample, int) and first.dtype is not None and first.dtype.kind in "iu":
        known.bits = first.bitspersample
    if first.samplesperpixel in (3, 4):
        known.channels = (*COLOURS, "opacity")[: first.samplesperpixel]
    if "DateTime" not in first.tags:
        return
    known.acquired = seconds_of(first.tags["DateTime"].value)
    # Later pages are read without their tags until they are asked for.
    tags = [page.aspage().tags.get("DateTime") for page in pages]
    stamps = [None if tag is None else seconds_of(tag.value) for tag in tags]
    times = [stamp for stamp in stamps if stamp is not None]
    if len(times) == len(pages):
        known.set_times(times)


def _from_ome(known: Metadata, xml: str, series: int, choice: Choice) -> None:
    images = ElementTree.fromstring(xml).findall("{*}Image")
    image = images[min(series, len(images) - 1)]
    pixels = image.find("{*}Pixels")
    if pixels is None:
        return
    for letter, name, default in (
        ("y", "PhysicalSizeY", "µm"),
        ("x", "PhysicalSizeX", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        if name in pixels.attrib:
            known.spacing[letter] = float(pixels.attrib[name])
            known.units[letter] = pixels.attrib.get(f"{name}Unit", default)
    names = [channel.attrib.get("Name", "") for channel in pixels.findall("{*}Channel")]
    if any(names):
        known.channels = tuple(name or f"channel {index}" for index, name in enumerate(names))
    if "SignificantBits" in pixels.attrib:
        known.bits = int(pixels.attrib["SignificantBits"])
    # Every plane has its own time; those of the channel and slice that are read count.
    wanted = (str(choice.channel or 0), str(choice.z or 0))
    deltas: dict[int, float] = {}
    for plane in pixels.findall("{*}Plane"):
        if (plane.attrib.get("TheC", "0"), plane.attrib.get("TheZ", "0")) == wanted and "DeltaT" in plane.attrib:
            scale = units.factor("t", plane.attrib.get("DeltaTUnit", "s")) or 1.0
            deltas[int(plane.attrib.get("TheT", "0"))] = float(plane.attrib["DeltaT"]) * scale
    times = [deltas[index] for index in sorted(deltas)]
    if len(times) == int(pixels.attrib.get("SizeT", "1")):
        known.set_times(times)
    date = image.find("{*}AcquisitionDate")
    moment = None if date is None else seconds_of(date.text)
    if moment is not None:
        known.acquired = moment + (times[0] if times else 0.0)


def _from_imagej(known: Metadata, described: dict[str, Any], page: Any) -> None:
    interval = float(described.get("finterval") or 0)
    if interval > 0:
        known.spacing["t"], known.units["t"] = interval, str(described.get("tunit", "s"))
    unit = str(described.get("unit", ""))
    for letter, name in (("y", "YResolution"), ("x", "XResolution")):
        # Pixels a unit, as a fraction; without a unit of length it is the resolution of a printer.
        tag = page.tags.get(name)
        if tag is not None and units.factor(letter, unit) is not None and tag.value[0] > 0:
            known.spacing[letter], known.units[letter] = tag.value[1] / tag.value[0], unit


def _from_lsm(known: Metadata, described: dict[str, Any]) -> None:
    for letter in "yx":
        if described.get(f"VoxelSize{letter.upper()}", 0) > 0:
            known.spacing[letter], known.units[letter] = float(described[f"VoxelSize{letter.upper()}"]), "m"
    if described.get("TimeIntervall", 0) > 0:
        known.spacing["t"], known.units["t"] = float(described["TimeIntervall"]), "s"
    stamps = described.get("TimeStamps")
    if stamps is not None:
        known.set_times([float(stamp) for stamp in stamps])
    names = described.get("ChannelColors", {}).get("ColorNames")
    if names:
        known.channels = tuple(map(str, names))
