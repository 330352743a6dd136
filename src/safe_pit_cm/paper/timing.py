"""Time per stage: duration of the jobs of each rule on the machine that ran them."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from safe_pit_cm.paper.tables import Table

_MEASURED = ["s", "cpu_time", "max_rss"]
_NOTHING = pd.DataFrame(columns=_MEASURED, dtype=float)


def measured(file: Path) -> pd.DataFrame:
    """What Snakemake measured of a job; no row where the file is missing, or a kill left it cut."""
    if not file.is_file():
        return _NOTHING
    try:
        rows = pd.read_csv(file, sep="\t", na_values="-").reindex(columns=_MEASURED)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError):
        return _NOTHING
    return rows.apply(pd.to_numeric, errors="coerce").astype(float).dropna(subset="s")


def build(folder: str | Path, rules: Iterable[str]) -> Table:
    """Build the table from the benchmark files of a run.

    Parameters
    ----------
    folder
        Benchmark files of Snakemake: ``{rule}.tsv``, or ``{rule}/….tsv`` for a rule of several jobs.
    rules
        Rules to show. A rule without a benchmark is omitted: its results may have been computed elsewhere.
    """
    rows = []
    for rule in rules:
        files = [Path(folder) / f"{rule}.tsv", *sorted((Path(folder) / rule).rglob("*.tsv"))]
        jobs = pd.concat([_NOTHING, *map(measured, files)])
        if jobs.empty:
            continue
        rows.append(
            {
                "rule": rule,
                "jobs": len(jobs),
                "seconds": float(jobs["s"].sum()),
                "seconds_per_job": float(jobs["s"].mean()),
                "cpu_seconds": float(jobs["cpu_time"].sum()),
                "peak_megabytes": float(jobs["max_rss"].max()),
            }
        )
    columns = ["rule", "jobs", "seconds", "seconds_per_job", "cpu_seconds", "peak_megabytes"]
    data = pd.DataFrame(rows, columns=columns).sort_values("seconds", ascending=False, ignore_index=True)
    display = pd.DataFrame(
        {
            "stage (rule)": data["rule"],
            "jobs": data["jobs"].map(str),
            "time, all jobs": data["seconds"].map("{:.0f} s".format),
            "per job": data["seconds_per_job"].map("{:.1f} s".format),
            "CPU time": data["cpu_seconds"].map("{:.0f} s".format),
            "peak memory": data["peak_megabytes"].map("{:.0f} MB".format),
        }
    )
    finding = (
        f"{data['jobs'].sum()} jobs took {data['seconds'].sum() / 60:.0f} minutes in total, summed over all cores."
    )
    return Table(data=data, display=display, finding=finding)
