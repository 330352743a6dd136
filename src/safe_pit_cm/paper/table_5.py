"""Table 5: SAFE and reconstruction loss of the trained model on the test videos."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from safe_pit_cm.data import stores
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper.tables import Table, with_interval

_LOSSES = ("safe_loss", "reconstruction_loss")
# Losses before the test-time steps are in attributes with this ending.
_SETTINGS = {"trained": "", "amortised": "_amortised"}


def _mean(values: ArrayLike, _: ArrayLike) -> float:
    return float(np.asarray(values).mean())


def build(paths: Iterable[str | Path]) -> Table:
    """Build Table 5 from the fit stores of trained inference, with signed propagation."""
    fits = pd.DataFrame([stores.read(path, "fit").attrs for path in sorted(map(str, paths))])
    rows = []
    for setting, ending in _SETTINGS.items():
        for process in (*PROCESSES, "all"):
            chosen = fits[(fits["process"] == process) | (process == "all")].reset_index(drop=True)
            units = [[own.index.to_numpy()] for _, own in chosen.groupby("parent")]
            row: dict[str, object] = {"setting": setting, "process": process, "n": len(chosen)}
            for name in _LOSSES:
                losses = chosen[f"{name}{ending}"]
                low, high = metrics.interval(losses, losses, units, len(units), _mean)
                row |= {name: losses.mean(), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    data = pd.DataFrame(rows)
    display = pd.DataFrame(
        {
            "setting": data["setting"],
            "process": data["process"],
            "videos": data["n"].map(str),
            "mean SAFE loss (95 % interval)": with_interval(data, "safe_loss", "{:.2e}".format),
            "mean reconstruction loss (95 % interval)": with_interval(data, "reconstruction_loss", "{:.2e}".format),
        }
    )
    every = data[data["process"] == "all"].set_index("setting").to_dict("index")
    before, after = every["amortised"], every["trained"]
    finding = (
        f"The test-time steps change the mean SAFE loss from {before['safe_loss']:.2e} to {after['safe_loss']:.2e} and "
        f"the mean reconstruction loss from {before['reconstruction_loss']:.2e} to {after['reconstruction_loss']:.2e}."
    )
    return Table(data=data, display=display, finding=finding)


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(inputs["trained"]).write(**outputs)
