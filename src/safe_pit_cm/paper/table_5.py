"""Table 5: SAFE and reconstruction loss of the trained model on the test videos."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from safe_pit_cm import stores
from safe_pit_cm.paper.tables import Table
from safe_pit_cm.processes import PROCESSES

_COLUMNS = ["setting", "process", "n", "safe_loss", "reconstruction_loss"]
# Losses before the test-time steps stand in attributes with this ending.
_SETTINGS = {"trained": "", "amortised": "_amortised"}


def build(paths: Iterable[str | Path]) -> Table:
    """Build Table 5 from the fit stores of trained inference, in the signed reading."""
    attributes = [stores.read(path, "fit").attrs for path in sorted(map(str, paths))]
    rows = []
    for setting, ending in _SETTINGS.items():
        for process in (*PROCESSES, "all"):
            chosen = [one for one in attributes if process in ("all", one["process"])]
            losses = [
                sum(one[f"{name}{ending}"] for one in chosen) / len(chosen)
                for name in ("safe_loss", "reconstruction_loss")
            ]
            rows.append((setting, process, len(chosen), *losses))
    data = pd.DataFrame(rows, columns=_COLUMNS)
    display = pd.DataFrame(
        {
            "setting": data["setting"],
            "process": data["process"],
            "videos": data["n"].map(str),
            "mean SAFE loss": data["safe_loss"].map("{:.2e}".format),
            "mean reconstruction loss": data["reconstruction_loss"].map("{:.2e}".format),
        }
    )
    every = data[data["process"] == "all"].set_index("setting").to_dict("index")
    before, after = every["amortised"], every["trained"]
    finding = (
        f"The test-time steps change the mean SAFE loss from {before['safe_loss']:.2e} to {after['safe_loss']:.2e} and "
        f"the mean reconstruction loss from {before['reconstruction_loss']:.2e} to {after['reconstruction_loss']:.2e}."
    )
    return Table(data=data, display=display, finding=finding)
