"""The summary of many films: a row per film, the means of their groups, and a page with both."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from safe_pit_cm.data import files
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import film, forest, outcomes, random_effects
from safe_pit_cm.numerics.rounding import interval, number, plus_minus
from safe_pit_cm.pages import rendering
from safe_pit_cm.video.facts import examined, unit
from safe_pit_cm.video.page import LABELS, percent

COLUMNS = [
    *("sample", "group", "path", "status", "grade", "process", "diffusivity", "stderr", "systematic", "total_stderr"),
    *("ci95_low", "ci95_high", "statistical_low", "statistical_high", "bound", "bound_value", "unit"),
    *("misfit", "goodness_of_fit", "verdict"),
]
GROUP_COLUMNS = [
    *("group", "process", "unit", "films", "n", "mean", "stderr", "ci95_low", "ci95_high", "between", "i_squared"),
]

_WORDS = {"sample", "group", "path", "status", "grade", "process", "bound", "unit", "verdict"}
_COUNTS = {"films", "n"}


def rows(folders: Mapping[str, str], samples: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """What every film gave.

    Parameters
    ----------
    folders
        Folder of the result of each film, by its name.
    samples
        ``path`` and ``group`` of each film, by its name.

    Returns
    -------
    pd.DataFrame
        :data:`COLUMNS`, a row per film in the order of ``samples``; the interval is that of the total error, and
        ``systematic`` is empty where it was not looked for.
    """
    made = []
    for name, sample in samples.items():
        outcome = outcomes.read(folders[name])
        known = {"sample": name, **sample, "status": outcome.status, "verdict": outcome.sentence}
        if outcome.status != "failed":
            known |= _measured(_facts(Path(folders[name])))
        made.append(known)
    return _table(made, COLUMNS)


def _measured(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that a fit fills."""
    low, high = facts["total_ci95"] or (None, None)
    statistical_low, statistical_high = facts["ci95"] or (None, None)
    bound = facts["bound"] or {}
    same = ("grade", "process", "diffusivity", "stderr", "total_stderr", "misfit", "goodness_of_fit")
    return {
        **{name: facts[name] for name in same},
        "systematic": facts["systematic"] if examined(facts) else None,
        "ci95_low": low,
        "ci95_high": high,
        "statistical_low": statistical_low,
        "statistical_high": statistical_high,
        "bound": bound.get("kind"),
        "bound_value": bound.get("value"),
        "unit": facts["units"]["diffusivity"],
    }


def _table(made: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Rows as a table of words, counts and numbers; None, or NaN among numbers, where there is nothing."""
    table = pd.DataFrame(made, columns=columns, dtype="object")
    for name in columns:
        if name in _WORDS:
            table[name] = table[name].where(table[name].notna(), None)
        else:
            table[name] = table[name].astype("int64" if name in _COUNTS else "float64")
    return table


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / "fit.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is missing or damaged; remove the folder {folder} and run again") from error
    return facts


def averaged(table: pd.DataFrame) -> pd.Series:
    """Which films enter the mean of their group: those that were measured with an error bar."""
    return (table["status"] == "measured") & (table["total_stderr"] > 0) & np.isfinite(table["total_stderr"])


def groups(table: pd.DataFrame) -> pd.DataFrame:
    """Means of the groups by the random-effects model of :mod:`~safe_pit_cm.measurements.random_effects`.

    Parameters
    ----------
    table
        As :func:`rows` gives it.

    Returns
    -------
    pd.DataFrame
        :data:`GROUP_COLUMNS`, in the order in which the groups first appear. Coefficients of different processes or
        in different units are not averaged: such a group has a row for each. ``films`` counts all films of the group,
        ``n`` those that are averaged.
    """
    used = averaged(table)
    made: list[dict[str, Any]] = []
    for group in dict.fromkeys(table["group"]):
        own = table[table["group"] == group]
        alike = own[used[own.index]].groupby(["process", "unit"], sort=False)
        for (process, measure), films in alike:
            found = random_effects.combine(films["diffusivity"].to_numpy(), films["total_stderr"].to_numpy())
            made.append(
                {
                    "group": group,
                    "process": process,
                    "unit": measure,
                    "films": len(own),
                    "n": found.count,
                    "mean": found.mean,
                    "stderr": found.stderr,
                    "ci95_low": found.low,
                    "ci95_high": found.high,
                    "between": found.between,
                    "i_squared": found.heterogeneity,
                }
            )
        if not len(alike):
            made.append({"group": group, "films": len(own), "n": 0})
    return _table(made, GROUP_COLUMNS)


def _number(value: float) -> str:
    """Two digits of a number; nothing for NaN."""
    return "" if math.isnan(value) else number(value, 2)


def _measurement(row: Mapping[Any, Any]) -> str:
    """A film's coefficient with its total error, or the bound on it, as the page has it."""
    measure = unit(row["unit"] or "1")
    if row["bound"] is not None:
        return f"{'<' if row['bound'] == 'upper' else '>'} {_number(row['bound_value'])} {measure}".rstrip()
    return "" if math.isnan(row["diffusivity"]) else plus_minus(row["diffusivity"], row["total_stderr"], measure)


def _embedded(path: Path) -> str | None:
    return base64.b64encode(path.read_bytes()).decode() if path.is_file() else None


def page(
    table: pd.DataFrame, means: pd.DataFrame, folders: Mapping[str, str], picture: str | Path, template: str | Path
) -> str:
    """The page: one file that needs no other, with links to the page of each film.

    Parameters
    ----------
    table, means
        As :func:`rows` and :func:`groups` give them.
    folders
        Folder of the result of each film, by its name.
    picture
        PNG file of the forest plot.
    template
        The page's template.
    """
    films = [
        {
            **row,
            # A film that failed looks like one that the model does not fit.
            "grade": row["grade"] or "refused",
            "label": LABELS[row["grade"]] if row["grade"] else "Failed.",
            "measurement": _measurement(row),
            **{name: _number(row[name]) for name in ("stderr", "systematic")},
            "misfit": "" if math.isnan(row["misfit"]) else percent(row["misfit"]),
            "thumbnail": _embedded(Path(folders[row["sample"]]) / film.THUMBNAIL),
        }
        for row in table.to_dict("records")
    ]
    averages = [
        {
            **row,
            "group": row["group"] or "no group",
            "mean": plus_minus(row["mean"], row["stderr"], unit(row["unit"] or "1")) if row["n"] else "–",
            "interval": interval(row["ci95_low"], row["ci95_high"], row["stderr"]) if row["n"] else "–",
            "between": _number(row["between"]) or "–",
            "i_squared": "–" if math.isnan(row["i_squared"]) else f"{100 * row['i_squared']:.0f} %",
        }
        for row in means.to_dict("records")
    ]
    return rendering.render(
        template,
        counts=outcomes.counted(table["status"]),
        films=films,
        groups=averages,
        picture=_embedded(Path(picture)),
    )


def write(
    folders: Sequence[str], samples: Mapping[str, Mapping[str, str]], template: str | Path, outputs: Mapping[str, str]
) -> None:
    """Write the summary.

    Parameters
    ----------
    folders
        Folders of the results, in the order of ``samples``.
    samples
        ``path`` and ``group`` of each film, by its name.
    template
        The page's template.
    outputs
        Files to write: ``csv`` and ``groups``, ``pdf`` and ``png`` of the forest plot, and the page, ``html``.
    """
    places = dict(zip(samples, folders, strict=True))
    table = rows(places, samples)
    means = groups(table)
    for name, data in (("csv", table), ("groups", means)):
        with files.replacing(outputs[name]) as partial:
            data.to_csv(partial, index=False, lineterminator="\n")
    forest.draw(table, means, outputs["pdf"], outputs["png"])
    with files.replacing(outputs["html"]) as partial:
        partial.write_text(page(table, means, places, outputs["png"], template), encoding="utf-8")
