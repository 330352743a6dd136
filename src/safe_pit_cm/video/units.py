"""Units of time and length as files spell them, and the factor from one to another."""

from collections.abc import Mapping

_TIMES: Mapping[float, str] = {
    1e-9: "ns nanosecond nanoseconds",
    1e-6: "µs us usec microsecond microseconds",
    1e-3: "ms msec millisecond milliseconds",
    1.0: "s sec secs second seconds",
    60.0: "min mins minute minutes",
    3600.0: "h hr hrs hour hours",
    86400.0: "d day days",
}
_LENGTHS: Mapping[float, str] = {
    1e-6: "pm picometer picometre",
    1e-4: "å angstrom",
    1e-3: "nm nanometer nanometers nanometre nanometres",
    1.0: "µm um micron microns micrometer micrometers micrometre micrometres",
    1e3: "mm millimeter millimeters millimetre millimetres",
    1e4: "cm centimeter centimeters centimetre centimetres",
    1e6: "m meter meters metre metres",
    25400.0: "inch inches",
}
# In seconds and in micrometres.
_FACTORS: Mapping[str, Mapping[str, float]] = {
    kind: {name: factor for factor, names in table.items() for name in names.split()}
    for kind, table in {"t": _TIMES, "length": _LENGTHS}.items()
}
_STANDARD = {"t": "s", "length": "µm"}
_FULL = ("second", "minute", "hour", "day", "meter", "angstrom", "inch")


def _kind(letter: str) -> str:
    return "t" if letter == "t" else "length"


def factor(letter: str, unit: str) -> float | None:
    """A unit of the axis ``letter`` in seconds or micrometres; None if it is no unit that is known here."""
    # The micro sign has two code points, ImageJ escapes it, and Latin-1 read as UTF-8 puts a letter before it.
    plain = unit.strip().replace("μ", "µ").replace("Âµ", "µ").replace(r"\u00B5", "µ").replace(r"\u00b5", "µ")
    return _FACTORS[_kind(letter)].get(plain.lower())


def standard(letter: str) -> str:
    """The unit into which known ones are converted: s for ``t``, µm for ``y``, ``x`` and ``z``."""
    return _STANDARD[_kind(letter)]


def full_name(letter: str, unit: str) -> str | None:
    """The name by which OME-Zarr calls a unit, such as ``micrometer``; None if the unit is not known here."""
    if (size := factor(letter, unit)) is None:
        return None
    names = {"t": _TIMES, "length": _LENGTHS}[_kind(letter)][size].split()
    return next(name for name in names if name.endswith(_FULL))
