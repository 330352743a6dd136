"""How the published numbers depend on values that are missing from the paper's text."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.paper import ablation_stores, endings, published
from safe_pit_cm.paper.tables import Table, error, number
from safe_pit_cm.studies.alternatives import CONFIGURED


def build(
    minima: Mapping[str, str | Path],
    alternatives: Mapping[str, Mapping[str, Mapping[str, Any]]],
    default: int,
    published_tables: Mapping[str, Mapping[str, Any]],
) -> Table:
    """Build the table.

    Parameters
    ----------
    minima
        By alternative, the CSV file of the minima of its test videos.
    alternatives
        The changes of each, as :func:`safe_pit_cm.studies.alternatives.configured_and_others` returns it.
    default
        Number of sub-steps of Table 4.
    published_tables
        Tables 3 and 4 as published, under these names.
    """
    rows, shown = [], []
    counts: list[int] = []
    for name, path in minima.items():
        recoveries = ablation_stores.both_propagations(pd.read_csv(path, dtype={"parent": str}))
        counts = sorted(recoveries["substeps"].unique())
        changes = [f"{key} = {value}" for section in alternatives[name].values() for key, value in section.items()]
        label = ", ".join(changes).replace("_", " ") if changes else CONFIGURED
        row: dict[str, Any] = {"choice": label, "n": recoveries["parent"].nunique() * 2}
        cells: dict[str, str] = {"choice": label}
        doubtful = {"unsettled": 0, "at_bound": 0, "failed": 0}
        for count in counts:
            scores = ablation_stores.score(recoveries[recoveries["substeps"] == count], "recovered")
            row |= {f"{key}_{count}": scores["all_signed"][key] for key in ("mae", "r2")}
            cells[f"MAE, S = {count}"] = error(scores["all_signed"]["mae"])
            doubtful = {key: so_far + int(scores["all_signed"][key]) for key, so_far in doubtful.items()}
            if count == default:
                for group in ("diffusion", "mobility_signed", "mobility_stable"):
                    row |= {f"{key}_{group}": scores[group][key] for key in ("mae", "r2")}
                cells["R²"] = number(scores["all_signed"]["r2"], 4)
                cells["R², mobility, signed"] = number(scores["mobility_signed"]["r2"], 4)
                cells["MAE, mobility, signed"] = error(scores["mobility_signed"]["mae"])
                cells["MAE, diffusion"] = error(scores["diffusion"]["mae"])
        rows.append(row | doubtful)
        cells["not converged"] = endings.cell(doubtful)
        shown.append(cells)
    paper = {
        "choice": "published",
        **{
            f"MAE, S = {count}": error(published.substeps(published_tables["table_3"], count).get("mae"))
            for count in counts
        },
        "R²": number(published.recovery(published_tables["table_4"], "zero-shot", "all").get("r2"), 4),
        "R², mobility, signed": number(
            published.recovery(published_tables["table_4"], "zero-shot", "mobility").get("r2"), 4
        ),
    }
    data = pd.DataFrame(rows)
    display = pd.DataFrame([*shown, paper]).fillna("–")
    return Table(data=data, display=display, finding=_finding(data, counts, default))


def _finding(data: pd.DataFrame, counts: list[int], default: int) -> str:
    mae = data[f"mae_{default}"]
    low, high = data.iloc[int(mae.argmin())], data.iloc[int(mae.argmax())]
    falls = all(data[f"mae_{more}"].lt(data[f"mae_{fewer}"]).all() for fewer, more in itertools.pairwise(counts))
    return (
        f"Over these values MAE at S = {default} lies between {error(low[f'mae_{default}'])} ({low['choice']}) and "
        f"{error(high[f'mae_{default}'])} ({high['choice']}), and R² of signed mobility between "
        f"{number(data['r2_mobility_signed'].min(), 4)} and {number(data['r2_mobility_signed'].max(), 4)}. "
        f"MAE falls with every step in S for {'all' if falls else 'not all'} of them. Diffusion is recovered to "
        f"{error(data['mae_diffusion'].max())} or better."
    )


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    minima = dict(zip(params["alternatives"], inputs["minima"], strict=True))
    build(minima, params["alternatives"], params["default"], params["published"]).write(**outputs)
