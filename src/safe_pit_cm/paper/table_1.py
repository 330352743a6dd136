"""Table 1: the simulation parameters."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.paper.tables import Table


def build(
    *,
    size: int,
    spacing: float,
    step: float,
    steps: int,
    save_interval: int,
    grains_min: int,
    grains_max: int,
    interface_width: float,
    roughness: float,
    magnitude_min: float,
    magnitude_max: float,
    parents: int,
    validation_parents: int,
    test_parents: int,
    parameters: Mapping[str, Mapping[str, Any]],
) -> Table:
    """Build Table 1 from the configuration.

    Parameters
    ----------
    parameters
        Schemas of the parameters, of which ``source`` says whether the paper states a number, whether it follows from
        stated ones, or whether it is chosen. The other arguments are the values of the configuration.
    """

    def source(name: str) -> str:
        return str(parameters[name]["source"])

    rows = [
        ("grid size", "N × N", f"{size} × {size}", source("grid.size")),
        ("grid spacing", "Δx", f"{spacing:g}", source("grid.spacing")),
        ("time step", "Δt", f"{step:g}", source("time.step")),
        ("number of time steps", "N_t", f"{steps}", source("time.steps")),
        ("save interval", "k", f"{save_interval}", source("time.save_interval")),
        ("saved frame interval", "Δt_f = k Δt", f"{save_interval * step:g}", "derived"),
        ("frames per simulation", "N_t/k + 1", f"{steps // save_interval + 1}", "stated"),
        ("number of grains", "", f"{grains_min}–{grains_max}", source("microstructure.grains_min")),
        ("interface width", "w", f"{interface_width:g}", source("microstructure.interface_width")),
        ("boundary roughness", "η", f"± {roughness:g}", source("microstructure.roughness")),
        (
            "smallest transport coefficient",
            "min |α|",
            f"{magnitude_min:g}",
            source("transport.magnitude_min"),
        ),
        (
            "largest transport coefficient",
            "max |α|",
            f"{magnitude_max:g}",
            source("transport.magnitude_max"),
        ),
        ("diffusion videos (integrated)", "", f"{parents}", source("dataset.parents")),
        ("mobility videos (time-reversed)", "", f"{parents}", source("dataset.parents")),
        ("videos in all", "", f"{2 * parents}", "stated"),
        (
            "training videos",
            "",
            f"{2 * (parents - validation_parents - test_parents)}",
            source("dataset.validation_parents"),
        ),
        (
            "validation videos",
            "",
            f"{2 * validation_parents}",
            source("dataset.validation_parents"),
        ),
        ("test videos", "", f"{2 * test_parents}", source("dataset.test_parents")),
    ]
    data = pd.DataFrame(rows, columns=["parameter", "symbol", "value", "source"])
    return Table(data=data, display=data.rename(columns={"source": "the paper's number is"}))


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(**params["settings"], parameters=params["parameters"]).write(**outputs)
