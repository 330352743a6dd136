"""What the two phases, the zero initialisation and the identity loss prevent (§2.6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper.tables import Table, error, number
from safe_pit_cm.studies.variants import DEGENERACY, Changes

_LOSSES = ("safe_loss", "latent_change", "identity_loss", "reconstruction_loss")


def build(outcomes: Mapping[str, str | Path], variants: Mapping[str, Changes]) -> Table:
    """Build the table; arguments as for :func:`safe_pit_cm.paper.estimators.build`."""
    rows = []
    for name, path in outcomes.items():
        outcome = pd.read_csv(path, dtype={"parent": str})
        outcome = outcome[outcome["split"] == "test"]
        changes = variants[name]
        rows.append(
            {
                "two_phases": "frozen_fraction" not in changes["training"],
                "zero_init": changes["autoencoder"]["zero_init"],
                "identity_loss_on": "identity" not in changes["loss"],
                "mae": metrics.mean_absolute_error(outcome["recovered"], outcome["true"]),
                "r2": metrics.r_squared(outcome["recovered"], outcome["true"]),
                **{loss: float(outcome[loss].mean()) for loss in _LOSSES},
                "n": len(outcome),
            }
        )
    data = pd.DataFrame(rows)

    def yes(name: str) -> pd.Series:
        return data[name].map({True: "yes", False: "no"})

    display = pd.DataFrame(
        {
            "two phases": yes("two_phases"),
            "zero init": yes("zero_init"),
            "λ_i > 0": yes("identity_loss_on"),
            "MAE(α)": data["mae"].map(error),
            "R²": data["r2"].map(lambda value: number(value, 4)),
            "SAFE loss, relative": data["safe_loss"].map("{:.2e}".format),
            "latent change, relative": data["latent_change"].map("{:.3f}".format),
            "identity loss": data["identity_loss"].map("{:.1e}".format),
            "reconstruction loss": data["reconstruction_loss"].map("{:.1e}".format),
        }
    )
    first, worst = data.iloc[0], data.sort_values("latent_change").iloc[0]
    finding = (
        "With two phases the mean squared frame difference of the latent video is "
        f"{number(first['latent_change'], 3)} times that of the observed one; MAE(α) is {error(first['mae'])}. In the "
        f"variant whose latent video changes least the factor is {number(worst['latent_change'], 3)}; MAE(α) is "
        f"{error(worst['mae'])}."
    )
    return Table(data=data, display=display, finding=finding)


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the table from the files and parameters of its rule."""
    outcomes = dict(zip(DEGENERACY, inputs["outcomes"], strict=True))
    build(outcomes, DEGENERACY).write(**outputs)
