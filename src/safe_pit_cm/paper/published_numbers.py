"""What each published number of Tables 3 and 4 says of the numbers missing from the text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.paper import choice_scans
from safe_pit_cm.paper.choice_scans import at, best, credible, posterior
from safe_pit_cm.paper.tables import Table
from safe_pit_cm.studies.published_statistics import Statistic, published_statistics
from safe_pit_cm.studies.readings import CONFIGURED


def build(scans: pd.DataFrame, settings: Mapping[str, Any], published: list[Statistic]) -> Table:
    """Build the table.

    Parameters
    ----------
    scans
        As :func:`safe_pit_cm.paper.choice_scans.collect` returns them.
    settings
        As :func:`safe_pit_cm.settings.lost_choices_items` returns them.
    published
        The published numbers.
    """
    usual = scans[scans["reading"] == CONFIGURED]
    configured = at(usual, **settings["configured"])
    own = best(usual if configured.empty else configured)
    same_width = at(usual, interface_width=own["interface_width"])
    rows, shown = [], []
    for one in published:
        mean, scatter = own[one.name], own[f"{one.name}_scatter"]
        likelihood = same_width[f"log_likelihood_{one.name}"]
        low, high = credible(same_width["roughness"], same_width["prior"] * np.exp(likelihood - likelihood.max()))
        row = {
            "statistic": one.name,
            "published": one.value,
            "expected": mean,
            "expected_low": mean * np.exp(-1.96 * scatter),
            "expected_high": mean * np.exp(1.96 * scatter),
            "roughness_low": low,
            "roughness_high": high,
            **_prediction(usual, one),
        }
        cells = {
            "number": _label(one),
            "published": _digits(one.value, one),
            "expected, 95 % of test sets": _range(row["expected"], row["expected_low"], row["expected_high"], one),
            f"η that it allows with the last MAE, w = {own['interface_width']:g}": f"{low:g} to {high:g}",
            "predicted from the others, S ≥ 5": "fitted",
        }
        if one.held_out:
            cells["predicted from the others, S ≥ 5"] = _range(
                row["predicted"], row["predicted_low"], row["predicted_high"], one
            )
        rows.append(row)
        shown.append(cells)
    data = pd.DataFrame(rows)
    return Table(data=data, display=pd.DataFrame(shown), finding=_finding(data))


def _prediction(usual: pd.DataFrame, one: Statistic) -> dict[str, float]:
    """Median and 95 % range of a held-out number, over the posterior of the fitted ones; NaN if not held out."""
    if not one.held_out:
        return dict.fromkeys(("predicted", "predicted_low", "predicted_high"), np.nan)
    # A mixture of normal distributions of the logarithm, one for each row.
    probability = posterior(usual, "log_likelihood_fitted")
    chosen = probability > 1e-9 * probability.max()
    rows, probability = usual[chosen], probability[chosen]
    quantiles = np.linspace(-3.0, 3.0, 61)
    normal = np.exp(-0.5 * quantiles**2)
    middle, width = rows[f"predicted_{one.name}"].to_numpy(), rows[f"predicted_{one.name}_scatter"].to_numpy()
    values = middle[:, None] * np.exp(width[:, None] * quantiles)
    weights = probability.to_numpy()[:, None] * normal
    order = np.argsort(values.ravel())
    share = np.cumsum(weights.ravel()[order])
    low, median, high = np.interp([0.025, 0.5, 0.975], share / share[-1], values.ravel()[order])
    return {"predicted": median, "predicted_low": low, "predicted_high": high}


def _label(one: Statistic) -> str:
    if one.name == "unexplained_mobility":
        return f"R² of mobility, S = {one.substeps}"
    return f"{'MAE(α)' if one.name.startswith('mae') else 'R²'}, S = {one.substeps}"


def _digits(value: float, one: Statistic) -> str:
    """A value with the decimals that the paper has; R² of its unexplained variance."""
    decimals = 4 if one.rounding < 1e-3 else 2
    return f"{value if one.name.startswith('mae') else 1.0 - value:.{decimals}f}"


def _range(value: float, low: float, high: float, one: Statistic) -> str:
    ends = (low, high) if one.name.startswith("mae") else (high, low)
    return f"{_digits(value, one)} ({_digits(ends[0], one)} to {_digits(ends[1], one)})"


def _finding(data: pd.DataFrame) -> str:
    held = data[data["predicted"].notna()]
    inside = held["published"].between(held["predicted_low"], held["predicted_high"])
    expected = data["published"].between(data["expected_low"], data["expected_high"])
    return (
        f"Interface width and roughness were fitted to these numbers, so their agreement confirms nothing by itself: "
        f"{int(expected.sum())} of {len(data)} lie in the range expected of a test set. Predicted from the numbers at "
        f"S ≥ 5 alone, {int(inside.sum())} of the {len(held)} others lie in their 95 % range."
    )


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    settings = params["settings"]
    scans = choice_scans.collect(inputs["scans"], settings["readings"])
    build(scans, settings, published_statistics(**params["published"])).write(**outputs)
