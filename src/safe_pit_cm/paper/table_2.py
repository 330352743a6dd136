"""Table 2: the three time scales."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.paper.tables import Table


def build(*, step: float, save_interval: int, substeps: int, parameters: Mapping[str, Mapping[str, Any]]) -> Table:
    """Build Table 2 from the configuration; ``parameters`` as for Table 1."""
    interval = step * save_interval

    def source(name: str) -> str:
        return str(parameters[name]["source"])

    rows = [
        (
            "Δt",
            "simulation time step",
            "data generation",
            "PDE solver step",
            f"{step:g}",
            source("time.step"),
        ),
        (
            "k",
            "save interval",
            "data generation",
            "steps between frames",
            f"{save_interval}",
            source("time.save_interval"),
        ),
        ("Δt_f", "frame interval", "between frames", "k Δt", f"{interval:g}", "derived"),
        (
            "S",
            "sub-step count",
            "SAFE operator",
            "hyperparameter",
            f"{substeps}",
            source("safe_operator.substeps"),
        ),
        (
            "Δτ",
            "sub-step size",
            "within the SAFE operator",
            "Δt_f/S",
            f"{interval / substeps:g}",
            "derived",
        ),
    ]
    data = pd.DataFrame(rows, columns=["symbol", "name", "where", "definition", "value", "source"])
    return Table(data=data, display=data.rename(columns={"source": "the paper's number is"}))


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(**params["settings"], parameters=params["parameters"]).write(**outputs)
