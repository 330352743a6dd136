"""Which values of the numbers missing from the text give the published Tables 3 and 4."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.paper import choice_scans
from safe_pit_cm.paper.choice_scans import at, best, credible, posterior
from safe_pit_cm.paper.tables import Table, error, number
from safe_pit_cm.studies.readings import CONFIGURED

# Differences of the log-likelihood that count as none, and as decisive.
_SIMILAR, _EXCLUDED = 3, 10
_VALUES = (
    "interface_width",
    "roughness",
    "magnitude_min",
    "log_likelihood",
    "interior_median",
    "interior_mean",
    "boundary_mean",
)


def build(scans: pd.DataFrame, settings: Mapping[str, Any]) -> Table:
    """Build the table.

    Parameters
    ----------
    scans
        As :func:`safe_pit_cm.paper.choice_scans.collect` returns them.
    settings
        As :func:`safe_pit_cm.settings.lost_choices_items` returns them.
    """
    usual = scans[scans["reading"] == CONFIGURED]
    maes = [name for name in scans.columns if name.startswith("mae_") and not name.endswith("_scatter")]
    entries: list[tuple[str, str, pd.DataFrame]] = [
        ("configured", "configured values", at(usual, **settings["configured"])),
        *(
            (
                "alternative",
                f"w = {pair['interface_width']:g}, η = {pair['roughness']:g}",
                at(usual, **pair),
            )
            for pair in settings["alternatives"]
        ),
        *(
            ("width", f"w = {width:g}, best η", at(usual, interface_width=width))
            for width in sorted(usual["interface_width"].unique())
        ),
        *(("reading", label, scans[scans["reading"] == name]) for name, label in settings["readings"].items()),
    ]
    top = scans["log_likelihood"].max()
    rows, shown = [], []
    for kind, label, chosen in entries:
        if chosen.empty:
            continue
        row = best(chosen)
        own = {name: row[name] for name in (*_VALUES, *maes)}
        own["log_likelihood"] -= top
        own["posterior"] = float(chosen["posterior"].sum()) if kind == "reading" else np.nan
        rows.append({"kind": kind, "choice": label, **own})
        shown.append(
            {
                "choice": label,
                "log-likelihood": number(own["log_likelihood"], 1),
                "posterior": "–" if kind != "reading" else _share(own["posterior"]),
                "w": f"{row['interface_width']:g}",
                "η": f"{row['roughness']:g}",
                "min |α|": f"{row['magnitude_min']:g}",
                "φ₀ inside, median": number(row["interior_median"], 2),
                "mean": number(row["interior_mean"], 2),
                "at boundaries": number(row["boundary_mean"], 2),
                f"MAE, S = {maes[0].removeprefix('mae_')}": error(row[maes[0]]),
                f"MAE, S = {maes[-1].removeprefix('mae_')}": error(row[maes[-1]]),
            }
        )
    return Table(data=pd.DataFrame(rows), display=pd.DataFrame(shown), finding=_finding(scans, usual, settings))


def _share(probability: float) -> str:
    return f"{100 * probability:.1f} %" if probability >= 1e-3 else f"{100 * probability:.0e} %"


def _finding(scans: pd.DataFrame, usual: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    top = usual["log_likelihood"].max()
    ridge = usual.loc[usual.groupby("interface_width")["log_likelihood"].idxmax()]
    ridge = ridge[(ridge["log_likelihood"] > top - _SIMILAR) & (ridge["roughness"] > 0)]
    low, high = credible(usual["magnitude_min"], posterior(usual))
    products = ridge["interface_width"] * ridge["roughness"]
    there = f"; there w η is {products.min():.1f} to {products.max():.1f}" if len(ridge) else ""
    text = (
        f"With white uniform roughness, {len(ridge)} of the {usual['interface_width'].nunique()} interface widths "
        f"reach a log-likelihood within {_SIMILAR} of the greatest{there}. The smallest |α| lies in {low:g} to "
        f"{high:g} (95 %). "
    )
    configured = at(usual, **settings["configured"])
    if not configured.empty:
        below = scans["log_likelihood"].max() - best(configured)["log_likelihood"]
        text += f"The log-likelihood of the configured values is {below:.1f} below the greatest. "
    poor = [
        label
        for name, label in settings["readings"].items()
        if best(scans[scans["reading"] == name])["log_likelihood"] < top - _EXCLUDED
    ]
    return text + (f"Less likely by more than {_EXCLUDED}: {'; '.join(poor)}." if poor else "")


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    settings = params["settings"]
    build(choice_scans.collect(inputs["scans"], settings["readings"]), settings).write(**outputs)
