"""Errors of crops with an unknown surrounding field, against their width."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.paper import robustness
from safe_pit_cm.paper.robustness import accuracy
from safe_pit_cm.paper.tables import Table, error, number, with_interval


def score(rows: pd.DataFrame) -> pd.DataFrame:
    """Score every width.

    Parameters
    ----------
    rows
        Of :func:`safe_pit_cm.studies.crop_scan.scan`.

    Returns
    -------
    pd.DataFrame
        ``width``, ``boundary``, ``noise`` and what :func:`safe_pit_cm.paper.robustness.accuracy` returns; the whole
        video with its boundary known last.
    """
    keys = ["boundary", "width", "noise"]
    scores = [{**dict(zip(keys, key, strict=True)), **accuracy(own)} for key, own in rows.groupby(keys)]
    return pd.DataFrame(scores).sort_values(["boundary", "width"], ignore_index=True)


def build(rows: pd.DataFrame) -> Table:
    """Build the table."""
    scores = score(rows)
    display = pd.DataFrame(
        {
            "crop": [f"{width} × {width}" for width in scores["width"]],
            "boundary": scores["boundary"].map({"open": "open", "periodic": "known: periodic"}),
            "MAE(α) (95 % interval)": with_interval(scores, "mae", error),
            "least MAE by the Cramér–Rao bound": scores["bound"].map(error),
            "error over bound, root mean square": scores["errors_over_bound"].map(lambda value: number(value, 2)),
            "standard error, mean": scores["stderr"].map(error),
            "videos": scores["n"].map(str),
            "without value": scores["failed"].map(lambda failed: str(failed) if failed else "–"),
        }
    )
    return Table(data=scores, display=display, finding=_finding(rows, scores))


def _finding(rows: pd.DataFrame, scores: pd.DataFrame) -> str:
    opened = scores[(scores["boundary"] == "open") & (scores["n"] > 0)]
    if opened.empty:
        return ""
    narrow, wide = opened.iloc[0], opened.iloc[-1]
    whole = scores[scores["boundary"] == "periodic"].iloc[0]
    crops = rows[rows["boundary"] == "open"]
    worst = ((crops["recovered"] - crops["true"]).abs() / crops["bound"]).max()
    return (
        f"At σ = {whole['noise']:g} the standard error of α is {error(narrow['stderr'])} for crops of "
        f"{narrow['width']} × {narrow['width']} pixels, {error(wide['stderr'])} for {wide['width']} × "
        f"{wide['width']}, and {error(whole['stderr'])} for the whole video of {whole['width']} × "
        f"{whole['width']} with its boundary known. No error of a crop exceeds {worst:.1f} times its bound."
    )


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(robustness.read([inputs["crops"]])).write(**outputs)
