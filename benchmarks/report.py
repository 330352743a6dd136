"""What a run found: the machine, a table, and sentences that compare ours with the peers."""

import math
import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import videos
from benchmarks.methods import METHODS, is_installed, lines
from benchmarks.runs import NOISES
from safe_pit_cm.inference.cramer_rao import cramer_rao_bound

RESULTS, COSTS, MACHINE = "results.csv", "cost_laws.csv", "machine.json"
# Relative errors below this are taken as equal: they are rounding, of float32 or of a tolerance.
ROUNDING = 1e-5
# Errors within this factor of one another are taken as equal: so few videos do not tell them apart.
ALIKE = 1.5

# Those of ours that are compared with the peers.
_COMPARED = {
    "ml": "Maximum likelihood, with interval and check,",
    "ml-core": "Maximum likelihood without interval and check",
    "direct": "`direct`",
}


def machine(grid: videos.Grid, count: int) -> dict[str, Any]:
    """What a reader needs to judge the times: machine, versions, and the videos."""
    packages = sorted({method.package for method in METHODS.values()} | {"numpy", "jax", "threadpoolctl"})
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages if is_installed(name)},
        "size": grid.size,
        "frames": grid.frames,
        "videos": count,
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        text = file.read_text(encoding="utf-8", errors="replace")
        names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, AttributeError):
        return None


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each method, in the order of :data:`METHODS`.

    Returns
    -------
    pd.DataFrame
        Index ``method``; ``seconds`` of CPU time and ``wall`` time, medians of later fits, s; ``first``, CPU time of
        imports, preparation and first fit, s; ``clean`` and ``noisy``, mean relative error of D; ``memory``, MB;
        ``lines``; ``videos`` of each kind.
    """
    found = []
    for name in (each for each in METHODS if each in set(rows["method"])):
        own = rows[rows["method"] == name]
        later = own[own["stage"] == "later"]
        each = later.drop_duplicates(["video", "noise"])
        error = (each["found"] / each["true"] - 1).abs().groupby(each["noise"]).mean()
        found.append(
            {
                "method": name,
                "seconds": later["cpu"].median(),
                "wall": later["wall"].median(),
                "first": own.loc[own["stage"].isin(["start", "first"]), "cpu"].sum(),
                "clean": error.get(NOISES[0], np.nan),
                "noisy": error.get(NOISES[1], np.nan),
                "memory": own["memory"].max(),
                "lines": lines(METHODS[name].load()),
                "videos": each["video"].nunique(),
            }
        )
    return pd.DataFrame(found).set_index("method")


def least_error(about: dict[str, Any]) -> float:
    """Mean relative error, on the noisy videos, of an unbiased estimate with the least possible scatter."""
    grid = videos.Grid(about["size"], about["frames"])
    bounds = []
    for number in range(about["videos"]):
        truth = videos.video(grid, number, 0.0)
        spacing = (grid.spacing, grid.spacing)
        bound = cramer_rao_bound(truth.first, grid.times, truth.diffusivity, NOISES[1], spacing)
        bounds.append(bound / truth.diffusivity)
    return float(np.mean(bounds) * math.sqrt(2 / math.pi))


def finding(table: pd.DataFrame) -> list[str]:
    """Sentences that compare maximum likelihood and ``direct`` with every peer."""
    theirs = table[[METHODS[name].group == "peer" for name in table.index]]
    sentences = []
    for name, title in _COMPARED.items():
        if name in table.index and len(theirs):
            sentences += [_comparison(title, table.loc[name], theirs, kind) for kind in ("clean", "noisy")]
    return sentences


def _comparison(title: str, ours: Any, theirs: pd.DataFrame, kind: str) -> str:
    """Ours beside the peers of equal or smaller error on one kind of videos."""
    own = ours[kind]
    start = f"{title} takes {as_time(ours['seconds'])} on {kind} videos, with an error of {as_error(own)}."
    better = int((theirs[kind] < own / ALIKE).sum()) if own > ROUNDING else 0
    if better:
        start += f" {better} of the {len(theirs)} peers have a smaller error."
    as_good = theirs[theirs[kind] <= max(ALIKE * own, ROUNDING)].sort_values("seconds")
    if as_good.empty:
        return f"{start} No peer comes near this error."
    faster = as_good[as_good["seconds"] < ours["seconds"]]
    if len(faster):
        named = ", ".join(
            f"{METHODS[str(each)].label} ({as_time(row['seconds'])}, error {as_error(row[kind])})"
            for each, row in faster.iterrows()
        )
        return f"{start} Faster at an error that counts as equal or smaller: {named}."
    best = as_good.iloc[0]
    ratio = best["seconds"] / ours["seconds"]
    label = METHODS[str(as_good.index[0])].label
    return (
        f"{start} No peer of equal or smaller error is faster; the fastest, {label}, takes {ratio:.1f} times as long "
        f"(error {as_error(best[kind])})."
    )


def as_time(seconds: float) -> str:
    """Seconds for a reader."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 1:
        return f"{1e3 * seconds:.3g} ms" if seconds < 0.1 else f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.3g} s"


def as_error(error: float) -> str:
    """A relative error for a reader."""
    if not math.isfinite(error):
        return "–"
    return f"{error:.1e}" if error < 1e-3 else f"{error:.2g}"
