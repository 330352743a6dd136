"""What a FRAP film gave, in words and as a record: beside the maximum-likelihood estimate, never instead of it."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
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

# In place of the sentence for the paper.
NOTHING = "for the paper: nothing, since the fit gives no D that can be published"


def likelihood_estimate(found: xr.Dataset) -> dict[str, Any]:
    """D of the fit with all its error bars, what it estimated along, and how far it can be trusted."""
    estimate = facts.facts_of(found)
    names = ("diffusivity", "stderr", "ci95", "systematic", "total_stderr", "total_ci95", "bound", "grade", "nuisances")
    return {name: estimate.get(name) for name in names}


def disagreement(analysis: Analysis, found: xr.Dataset) -> str | None:
    """A sentence where the fit and the classical estimates whose assumptions hold exclude one another."""
    likelihood = likelihood_estimate(found)
    interval = likelihood["total_ci95"]
    classical = [each.diffusivity.ci95 for each in analysis.estimates if each.doubt is None and each.diffusivity.ci95]
    if interval is None or not classical:
        return None
    low, high = min(low for low, _ in classical), max(high for _, high in classical)
    if interval[1] >= low and interval[0] <= high:
        return None
    return (
        f"the maximum-likelihood D, {likelihood['diffusivity']:.3g}, lies outside the classical estimates whose "
        f"assumptions hold, {low:.3g} to {high:.3g}; find out why before you use either"
    )


def coefficient(found: xr.Dataset) -> str | None:
    """D for the paper, with both errors, or its bound; None where the fit refuses the model or finds neither."""
    estimate = facts.facts_of(found)
    if estimate["grade"] == "refused" or (estimate["diffusivity"] is None and estimate["bound"] is None):
        return None
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


def sentence(analysis: Analysis, found: xr.Dataset) -> str | None:
    """The sentence for the paper; None where the fit gives no D to publish."""
    value = coefficient(found)
    if value is None:
        return None
    length, time = (facts.unit(found.attrs["units"][name]) for name in ("length", "time"))
    duration = f"{analysis.times[-1]:.4g} {time}".rstrip()
    # Without an image from before bleaching, what counts as full is the brightness of another place.
    full = "" if analysis.normalisation in ("double", "before") else " (relative to the surroundings)"
    return (
        f"{value}, mobile fraction {analysis.mobile.text()}{full}, half time {analysis.half_time.text(time)}; "
        f"one spot of radius {analysis.radius.text(length)}, n = {len(analysis.times)} frames over {duration}; "
        "D by maximum likelihood of the two-dimensional diffusion equation, mobile fraction and half time by a fit of "
        "the recovery curve of a disc (Soumpasis 1983) with a blurred edge; "
        f"safe-pit-cm {metadata.version('safe-pit-cm')} (method after arXiv:2603.13280)."
    )


def lines(analysis: Analysis, found: xr.Dataset) -> list[str]:
    """What the command prints beside the result of the fit."""
    length, time, measure = (facts.unit(found.attrs["units"][name]) for name in ("length", "time", "diffusivity"))
    row, column = _position(analysis)
    text = [
        f"spot: row {row:.1f}, column {column:.1f}, radius {analysis.radius.text(length)}",
        f"mobile fraction: {analysis.mobile.text()}; half time: {analysis.half_time.text(time)}",
    ]
    for each in analysis.estimates:
        doubt = "" if each.doubt is None else f" – {each.doubt}"
        if each.doubt is not None and np.isfinite(each.bias):
            doubt += f"; corrected: {each.corrected:.3g}"
        title = f"{each.method.title} ({each.method.citation})"
        text.append(f"{title}: D = {each.diffusivity.text(measure)}{doubt}")
    publishable = sentence(analysis, found)
    return [*text, f"for the paper: {publishable}" if publishable is not None else NOTHING]


def _position(analysis: Analysis) -> tuple[float, float]:
    """Row and column of the spot in the whole frame, as ``--spot`` takes them."""
    (row, column), (first, left) = analysis.found.centre, analysis.origin
    return row + first, column + left


def _number(number: Number) -> dict[str, Any]:
    return {"value": number.value, "stderr": number.stderr, "ci95": number.ci95}


def record(analysis: Analysis, found: xr.Dataset) -> dict[str, Any]:
    """All of the analysis, fit for JSON; lengths and times in the units of the video."""
    units: Mapping[str, str] = found.attrs["units"]
    measure = facts.unit(units["diffusivity"])
    whole = analysis.whole
    return {
        "sentence": sentence(analysis, found),
        "spot": {
            "centre_pixels": _position(analysis),
            "radius": _number(analysis.radius),
            "disc_radius": whole.disc.width,
            "edge": whole.disc.edge,
            "effective_radius": whole.gaussian_radius,
            "depth": whole.disc.depth,
            "elongation": analysis.found.elongation,
        },
        "mobile_fraction": _number(analysis.mobile),
        "half_time": _number(analysis.half_time),
        "recovery": {
            "normalisation": NORMALISATIONS[analysis.normalisation],
            "spot_radius": analysis.region,
            "reference_beyond": analysis.reference,
            "lost_by_reference": whole.lost,
            "initial": whole.fitted.initial,
            "plateau": whole.fitted.plateau,
            "scatter": whole.fitted.scatter,
            "time": analysis.times,
            "value": whole.values,
            "stderr": whole.errors,
            "fit": whole.fitted.curve(analysis.times),
        },
        "width": {"variance": whole.measured.variance, "stderr": whole.measured.error},
        "maximum_likelihood": likelihood_estimate(found),
        "classical": [
            {
                "method": each.method.name,
                "title": each.method.title,
                "citation": each.method.citation,
                **_number(each.diffusivity),
                "text": each.diffusivity.text(measure),
                "assumption": each.method.assumption,
                "bias": each.bias,
                "corrected": each.corrected,
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
