"""Figure 6: training dynamics."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from safe_pit_cm.data import stores
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.plot_style import COLOURS, figure_style, save

_LOSSES = (
    ("loss", "weighted sum", "-"),
    ("safe", "SAFE", "--"),
    ("reconstruction", "reconstruction", ":"),
    ("identity", "identity", "-."),
)
_LINES: dict[str, str] = {"diffusion": "-", "mobility": "--"}


def draw(history: pd.DataFrame, true: Mapping[tuple[str, str], float]) -> Figure:
    """Draw losses and |α| by epoch, with the boundary of the phases.

    Parameters
    ----------
    history
        As :func:`safe_pit_cm.safe.training.train` returns it.
    true
        True |α| of the validation videos by process and parent.
    """
    with figure_style():
        figure, (losses, errors, magnitudes) = plt.subplots(3, sharex=True, figsize=(6.4, 8.0))
        for name, label, line in _LOSSES:
            column = f"validation_{name}"
            if column in history:
                positive = history[column].where(history[column] > 0)
                losses.semilogy(
                    history["epoch"], positive, line, color=COLOURS["reference"], label=f"{label}, validation"
                )
        losses.semilogy(history["epoch"], history["loss"], color=COLOURS["stable"], label="weighted sum, training")
        losses.set_ylabel("loss")
        for process in PROCESSES:
            name = f"alpha_error_{process}"
            if name in history:
                errors.plot(history["epoch"], history[name], _LINES[process], color=COLOURS[process], label=process)
        errors.set(ylabel="MAE(α), validation\n(length²/time)", ylim=(0, None))
        for (own, parent), value in true.items():
            colour = COLOURS[own]
            magnitudes.plot(history["epoch"], history[f"alpha_{own}_{parent}"], _LINES[own], color=colour, linewidth=1)
            magnitudes.axhline(value, color=COLOURS["reference"], linewidth=0.6, linestyle=":")
        magnitudes.set(
            xlabel="epoch", ylabel="|α| of the validation videos\n(length²/time; dotted: true)", ylim=(0, None)
        )
        frozen = int((history["phase"] == 1).sum())
        for axis in (losses, errors, magnitudes):
            if 0 < frozen < len(history):
                axis.axvline(frozen + 0.5, color="black", linewidth=0.8)
                axis.annotate(
                    "Phase 2",
                    (frozen + 0.5, 1.0),
                    (4, -2),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    va="top",
                    fontsize=8,
                )
        # Above the curves, which may run anywhere.
        losses.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
        errors.legend(fontsize=8)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    true = {}
    for path in inputs["validation"]:
        facts = stores.read(path, "video").attrs
        true[facts["process"], facts["parent"]] = abs(facts["transport_coefficient"])
    save(draw(pd.read_csv(inputs["history"]), true), **outputs)
