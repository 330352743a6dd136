"""What a FRAP film gave, in words and as a record: beside the maximum-likelihood estimate, never instead of it."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm.frap import figure
from safe_pit_cm.frap.analysis import Analysis, Normalisation
from safe_pit_cm.frap.classical import Number
from safe_pit_cm.numerics import rounding
from safe_pit_cm.video import facts
from safe_pit_cm.video.results import Supplement

_TEMPLATE = Path(__file__).with_name("frap.html.jinja")

NORMALISATIONS: dict[Normalisation, str] = {
    "double": "double, pixels by their brightness before bleaching and frames by the mean of the reference region",
    "reference": "frames by the mean of the reference region",
    "before": "pixels by their brightness before bleaching",
    "surroundings": "by the level around the spot in the first frame",
}


def plus_minus(number: Number, unit: str = "") -> str:
    """``1.630 ± 0.041 µm²/s``, with two digits of the error."""
    return rounding.plus_minus(number.value, number.stderr, unit)


def likelihood_estimate(found: xr.Dataset) -> dict[str, Any]:
    """D of the fit with all its error bars; None where the fit gives none."""
    estimate = facts.facts_of(found)
    names = ("diffusivity", "stderr", "ci95", "systematic", "total_stderr", "total_ci95", "grade", "bound")
    return {name: estimate[name] for name in names}


def disagreement(analysis: Analysis, found: xr.Dataset) -> str | None:
    """A sentence where the fit and the classical estimates whose assumptions hold exclude one another."""
    likelihood = likelihood_estimate(found)
    interval = likelihood["total_ci95"] or likelihood["ci95"]
    classical = [each.diffusivity for each in analysis.estimates if each.doubt is None and each.diffusivity.ci95]
    if interval is None or not classical:
        return None
    low = min(each.ci95[0] for each in classical if each.ci95)
    high = max(each.ci95[1] for each in classical if each.ci95)
    if interval[1] >= low and interval[0] <= high:
        return None
    return (
        f"the maximum-likelihood D, {likelihood['diffusivity']:.3g}, lies outside the classical estimates whose "
        f"assumptions hold, {low:.3g} to {high:.3g}; find out why before you use either"
    )


def coefficient(found: xr.Dataset) -> str:
    """D for the paper, with the statistical and, where one was looked for, the systematic error."""
    estimate = facts.facts_of(found)
    unit = facts.unit(estimate["units"]["diffusivity"])
    stderr, systematic = estimate["stderr"], estimate["systematic"] if facts.examined(estimate) else None
    if estimate["diffusivity"] is None or stderr is None:
        return facts.sentence(estimate)
    # Two digits of the larger error, and at least one of the smaller.
    larger = max(stderr, systematic or 0.0)
    smaller = min(stderr, systematic or stderr)
    written = rounding.Rounding.of(estimate["diffusivity"], min(larger, 10 * smaller))
    errors = [f"{written.digits(stderr)} (stat.)"]
    if systematic is not None:
        errors.append(f"{written.digits(systematic)} (syst.)")
    text = " ± ".join([written.digits(estimate["diffusivity"]), *errors])
    text = f"({text}){written.power}" if written.power else text
    return f"D = {text} {unit}".rstrip()


def sentence(analysis: Analysis, found: xr.Dataset) -> str:
    """The sentence for the paper."""
    length, time = (facts.unit(found.attrs["units"][name]) for name in ("length", "time"))
    duration = f"{analysis.times[-1]:.4g} {time}".rstrip()
    return (
        f"{coefficient(found)}, mobile fraction {plus_minus(analysis.mobile)}, "
        f"half time {plus_minus(analysis.half_time, time)}; "
        f"one spot of radius {plus_minus(analysis.radius, length)}, n = {len(analysis.times)} frames over {duration}; "
        "D by maximum likelihood of the two-dimensional diffusion equation, mobile fraction and half time by a fit of "
        "the recovery curve of a disc (Soumpasis 1983) with a blurred edge; "
        f"safe-pit-cm {metadata.version('safe-pit-cm')} (method after arXiv:2603.13280)."
    )


def lines(analysis: Analysis, found: xr.Dataset) -> list[str]:
    """What the command prints beside the result of the fit."""
    length, time, measure = (facts.unit(found.attrs["units"][name]) for name in ("length", "time", "diffusivity"))
    row, column = _position(analysis)
    table = [
        f"spot: row {row:.1f}, column {column:.1f}, radius {plus_minus(analysis.radius, length)}",
        f"mobile fraction: {plus_minus(analysis.mobile)}; half time: {plus_minus(analysis.half_time, time)}",
    ]
    for each in analysis.estimates:
        doubt = "" if each.doubt is None else f" – doubtful: {each.doubt}"
        title = f"{each.method.title} ({each.method.citation})"
        table.append(f"{title}: D = {plus_minus(each.diffusivity, measure)}{doubt}")
    return [*table, f"for the paper: {sentence(analysis, found)}"]


def _position(analysis: Analysis) -> tuple[float, float]:
    """Row and column of the spot in the whole frame, as ``--spot`` takes them."""
    return analysis.centre[0] + analysis.origin[0], analysis.centre[1] + analysis.origin[1]


def _number(number: Number) -> dict[str, Any]:
    return {"value": number.value, "stderr": number.stderr, "ci95": number.ci95}


def record(analysis: Analysis, found: xr.Dataset) -> dict[str, Any]:
    """All of the analysis, fit for JSON; lengths and times in the units of the video."""
    units: Mapping[str, str] = found.attrs["units"]
    measure = facts.unit(units["diffusivity"])
    return {
        "sentence": sentence(analysis, found),
        "spot": {
            "centre_pixels": _position(analysis),
            "radius": _number(analysis.radius),
            "disc_radius": analysis.width,
            "edge": analysis.edge,
            "effective_radius": analysis.gaussian_radius,
            "depth": analysis.depth,
            "elongation": analysis.elongation,
        },
        "mobile_fraction": _number(analysis.mobile),
        "half_time": _number(analysis.half_time),
        "recovery": {
            "normalisation": NORMALISATIONS[analysis.normalisation],
            "spot_radius": analysis.region,
            "reference_beyond": analysis.reference,
            "bleached_by_imaging": analysis.lost,
            "full": 1.0,
            "initial": analysis.fitted.initial,
            "plateau": analysis.fitted.plateau,
            "scatter": analysis.fitted.scatter,
            "time": analysis.times,
            "value": analysis.values,
            "stderr": analysis.errors,
            "fit": analysis.fitted.curve(analysis.times),
        },
        "width": {"variance": analysis.variance, "stderr": analysis.variance_error},
        "maximum_likelihood": likelihood_estimate(found),
        "classical": [
            {
                "method": each.method.name,
                "title": each.method.title,
                "citation": each.method.citation,
                **_number(each.diffusivity),
                "text": plus_minus(each.diffusivity, measure),
                "assumption": each.method.assumption,
                "doubt": each.doubt,
            }
            for each in analysis.estimates
        ],
        "units": dict(units),
    }


def supplement(analysis: Analysis, first: NDArray[Any], found: xr.Dataset) -> Supplement:
    """What the command adds to the files of the fit.

    Parameters
    ----------
    analysis
        What was found.
    first
        First frame, ``(y, x)``.
    found
        Result of the fit.
    """
    return Supplement(
        "frap",
        record(analysis, found),
        lambda path: figure.draw(analysis, first, found, likelihood_estimate(found), path),
        _TEMPLATE,
    )
