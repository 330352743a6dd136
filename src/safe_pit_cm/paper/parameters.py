"""Every parameter of the run, and whether the paper gives it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from safe_pit_cm.paper.tables import Table


def build(values: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]]) -> Table:
    """Build the table of parameters.

    Parameters
    ----------
    values
        Values by dotted name, such as ``grid.size``.
    parameters
        Their schemas by the same names.
    """
    data = pd.DataFrame(
        {
            "parameter": list(parameters),
            "symbol": [parameters[name].get("symbol", "") for name in parameters],
            # Kept as Python objects: in a numeric column, integers would become floats.
            "value": pd.Series([values[name] for name in parameters], dtype=object),
            "source": [parameters[name]["source"] for name in parameters],
            "meaning": [parameters[name]["description"] for name in parameters],
        }
    )
    display = data.assign(value=[f"{value:g}" if isinstance(value, float) else str(value) for value in data["value"]])
    inferred, chosen = (int((data["source"] == source).sum()) for source in ("inferred", "chosen"))
    finding = (
        f"{chosen} of these {len(data)} parameters are choices: the paper does not give them, or they are missing from "
        f"its text. {inferred} more are missing from its text and inferred from its Tables 3 and 4."
    )
    return Table(data=data, display=display.rename(columns={"source": "default is"}), finding=finding)


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    build(params["settings"], params["parameters"]).write(**outputs)
