"""What the claims of the text come to here: one number each, by the name that the file of published values uses.

Everything is taken from what the workflow's stages left: tables at full precision, the history of the training and the
zero-shot fits.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from safe_pit_cm import stores
from safe_pit_cm.autoencoder import SafePitCm
from safe_pit_cm.paper.scorecard import Measured
from safe_pit_cm.processes import PROCESSES

# |α| has arrived when it stays within these shares of where it ends.
_EPOCH_SHARE, _STEP_SHARE = 0.1, 0.01
# The claim on the temporal resolution is tested with every so many-th frame, as the file of published values says.
_FRAME_STEP = 10


def _arrival(values: NDArray[np.float64], share: float) -> int:
    """First index from which on values stay within a share of the last one."""
    away = np.flatnonzero(np.abs(values - values[-1]) > share * abs(values[-1]))
    return int(away[-1]) + 1 if away.size else 0


def of_table_3(table: pd.DataFrame) -> dict[str, Measured]:
    """Claims on the sub-steps, all in the signed reading."""
    table = table.sort_values("substeps", ignore_index=True)
    first, last = table.iloc[0], table.iloc[-1]
    few = table[table["substeps"] <= 2]
    ratios = table["mae"].to_numpy()[1:] / table["mae"].to_numpy()[:-1]
    return {
        "stable_magnitude_unsubstepped": Measured(first["alpha_stable"]),
        "stable_magnitude_substepped": Measured(last["alpha_stable"]),
        "stability_reduction": Measured(first["stability_number"] / last["stability_number"]),
        "mobility_unstable": Measured(few["r2_mobility_signed"].max()),
        "substep_improvement": Measured(ratios.max()),
        "diffusion_unstable": Measured(first["r2_diffusion"]),
        "diffusion_benefit": Measured(first["mae_diffusion"] / last["mae_diffusion"]),
        "matching_substep": Measured(min(last["r2_diffusion"], last["r2_mobility_signed"])),
    }


def of_table_4(table: pd.DataFrame) -> dict[str, Measured]:
    """Claims on trained and zero-shot inference."""
    mae = table.set_index(["setting", "process", "propagation"])["mae"]
    return {
        "superiority": Measured(mae["trained", "all", "signed"] / mae["zero-shot", "all", "signed"]),
        "trained_imbalance": Measured(mae["trained", "mobility", "signed"] / mae["trained", "diffusion", "signed"]),
        "stable_direction": Measured(mae["zero-shot", "mobility", "stable"] / mae["zero-shot", "mobility", "signed"]),
    }


def of_history(history: pd.DataFrame) -> dict[str, Measured]:
    """Claims on the training: how fast |α| settles in Phase 1, and how far Phase 2 moves it."""
    watched = [f"alpha_{process}_" for process in PROCESSES]
    magnitudes = history[[name for name in history.columns if name.startswith(tuple(watched))]].mean(axis=1).to_numpy()
    frozen = (history["phase"] == 1).to_numpy()
    found: dict[str, Measured] = {}
    if frozen.any():
        found["convergence_epochs"] = Measured(_arrival(magnitudes[frozen], _EPOCH_SHARE) + 1)
    if frozen.any() and not frozen.all():
        # Each phase ends with the weights of the epoch that did best on the validation videos.
        losses = history["validation_loss"].to_numpy()
        start, end = np.where(frozen, losses, np.inf).argmin(), losses.argmin()
        found["disturbance"] = Measured(abs(magnitudes[end] / magnitudes[start] - 1.0))
    return found


def of_fits(paths: Iterable[str | Path]) -> dict[str, Measured]:
    """Claims on the zero-shot fits, in the signed reading."""
    steps = [_arrival(stores.read(path, "fit")["alpha"].to_numpy(), _STEP_SHARE) for path in paths]
    return {"zero_shot_steps": Measured(max(steps))}


def of_degeneracy(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim on the two phases, against the same training unfrozen from the start."""
    same = table[table["zero_init"] & table["identity_loss_on"]].set_index("two_phases")["latent_change"]
    return {"degeneracy": Measured(same[True] / same[False])}


def of_estimators(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim that the published estimator sees the order of frames."""
    published = table[table["reads"] == "frames"]
    return {"order_seen": Measured(published["reversal_difference"].max())}


def of_collapse(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim on what is learned without sub-steps: the median ratio of learned and true |α|."""
    ratio = table.set_index(["process", "estimator"])["ratio_median"]
    return {
        "collapse_diffusion": Measured(ratio["diffusion", "zero-shot, Adam"]),
        "collapse_mobility": Measured(ratio["mobility, signed", "zero-shot, Adam"]),
    }


def of_frame_steps(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim on the temporal resolution: R² with every n-th frame, the sub-steps of the same size.

    ``table`` is what :func:`safe_pit_cm.paper.ablations.frame_step_scores` returns. Fits that diverged count as no fit
    at all.
    """
    rows = table[(table["frame_step"] == _FRAME_STEP) & (table["substepping"] == "size")].set_index("group")
    if rows.empty:
        return {}
    fits = rows["r2"].where(rows["failed"] == 0, 0.0)
    return {"frames_mobility": Measured(fits["mobility_signed"] / fits["diffusion"])}


def of_baselines(table: pd.DataFrame) -> dict[str, Measured]:
    """Claims on speed, like with like: the paper's own operator in every method, as measured in one run.

    Both readings of mobility and diffusion cost the same; the mean over what was timed is compared.
    """
    seconds = table.groupby("method")["seconds"].mean()
    return {
        f"{name}_time": Measured(seconds[method] / seconds["safe_stencil"])
        for name, method in (("genetic_algorithm", "genetic_stencil"), ("grid_search", "grid_stencil"))
        if method in seconds and "safe_stencil" in seconds
    }


def of_training(benchmark: str | Path, model: SafePitCm) -> dict[str, Measured]:
    """Claims on the cost: minutes of the training, as Snakemake measured them, and trainable parameters.

    The minutes are left out where the benchmark file is missing: the model may have been trained elsewhere.
    """
    found = {"parameters": Measured(float(sum(parameter.numel() for parameter in model.parameters())))}
    if Path(benchmark).is_file():
        found["training_minutes"] = Measured(float(pd.read_csv(benchmark, sep="\t")["s"].iloc[0]) / 60.0)
    return found
