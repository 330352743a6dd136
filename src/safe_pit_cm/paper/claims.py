"""The claims of the text, measured: one number each, under the name that the file of published values gives it.

Everything is computed from results of the workflow: tables at full precision, recovered coefficients, the history of
the training and the zero-shot fits. Quantities of the test videos have the interval that contains them for 95 % of test
sets of this size; those of a single training, a single timing or the slowest video have none.
"""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from safe_pit_cm.data import files, stores
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper import ablation_stores, recovery, timing
from safe_pit_cm.paper.recovery import select

# |α| has settled when it stays within these fractions of its final value.
_EPOCH_FRACTION, _STEP_FRACTION = 0.1, 0.01
# Claims that results beyond the paper test: those of the three functions that read their tables.
BEYOND = ("degeneracy", "order_seen", "genetic_algorithm_time", "grid_search_time")
# Frame step of the claim on the temporal resolution, as in the file of published values.
_FRAME_STEP = 10


@dataclass(frozen=True)
class Measured:
    """A measured value, and the ends of its interval where it has one."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; the value alone where there is none."""
        known = not (math.isnan(self.low) or math.isnan(self.high))
        return (self.low, self.high) if known else (self.value, self.value)


def _settling_index(values: NDArray[np.float64], fraction: float) -> int:
    """First index from which on values stay within a fraction of the last one."""
    away = np.flatnonzero(np.abs(values - values[-1]) > fraction * abs(values[-1]))
    return int(away[-1]) + 1 if away.size else 0


def _ratio_of_means(first: ArrayLike, second: ArrayLike) -> float:
    return float(np.asarray(first).mean() / np.asarray(second).mean())


def _median_ratio(found: ArrayLike, true: ArrayLike) -> float:
    return float(np.median(np.abs(np.asarray(found) / np.asarray(true))))


def _over_test_sets(rows: pd.DataFrame, first: str, second: str, measure: metrics.Measure) -> Measured:
    """Measure of two columns, with its interval over test sets drawn anew from the parents of the rows."""
    rows = rows.reset_index(drop=True)
    units = [[own.index.to_numpy()] for _, own in rows.groupby("parent")]
    low, high = metrics.interval(rows[first], rows[second], units, len(units), measure)
    return Measured(measure(rows[first], rows[second]), low, high)


def _error_ratio(first: pd.DataFrame, second: pd.DataFrame, *, on: tuple[str, ...] = ("parent",)) -> Measured:
    """MAE(α) of some recoveries over that of others of the same parents, column ``recovered``; matched by ``on``."""
    first, second = (rows.assign(error=(rows["recovered"] - rows["true"]).abs()) for rows in (first, second))
    both = first.merge(second, on=list(on), validate="one_to_one", suffixes=("_first", "_second"))
    return _over_test_sets(both, "error_first", "error_second", _ratio_of_means)


def of_table_3(table: pd.DataFrame) -> dict[str, Measured]:
    """Claims on stability and R² against the number of sub-steps, all with signed propagation.

    That of mobility is about one or two sub-steps; a table of more has no measurement of it.
    """
    rows = table.sort_values("substeps").to_dict("records")
    first, last = rows[0], rows[-1]

    def r2(row: Mapping[Any, Any], name: str) -> Measured:
        return Measured(*(row[f"r2{ending}_{name}"] for ending in ("", "_low", "_high")))

    few = [r2(row, "mobility_signed") for row in rows if row["substeps"] <= 2]
    most = [r2(last, name) for name in ("diffusion", "mobility_signed")]
    found = {
        "stable_magnitude_unsubstepped": Measured(first["alpha_stable"]),
        "stable_magnitude_substepped": Measured(last["alpha_stable"]),
        "stability_reduction": Measured(first["stability_number"] / last["stability_number"]),
        "diffusion_unstable": r2(first, "diffusion"),
        "matching_substep": min(most, key=lambda measured: measured.value),
    }
    return found | ({"mobility_unstable": max(few, key=lambda measured: measured.value)} if few else {})


def of_substeps(ablation: pd.DataFrame) -> dict[str, Measured]:
    """Claims on the benefit of sub-steps, with signed propagation, and on what is learned without them.

    ``ablation`` is what :func:`safe_pit_cm.paper.ablation_stores.collect` returns of the sub-steps.
    """
    adam = ablation.assign(recovered=ablation["alpha"])
    counts = sorted(adam["substeps"].unique().tolist())
    by_count = {count: select(adam[adam["substeps"] == count], "all", "signed") for count in counts}
    first, last = by_count[counts[0]], by_count[counts[-1]]
    steps = [
        _error_ratio(by_count[more], by_count[fewer], on=("parent", "process"))
        for fewer, more in itertools.pairwise(counts)
    ]
    diffusion, mobility = (select(first, process, "signed") for process in ("diffusion", "mobility"))
    found = {
        "diffusion_benefit": _error_ratio(diffusion, select(last, "diffusion", "signed")),
        "collapse_diffusion": _over_test_sets(diffusion, "recovered", "true", _median_ratio),
        "collapse_mobility": _over_test_sets(mobility, "recovered", "true", _median_ratio),
    }
    return found | ({"substep_improvement": max(steps, key=lambda measured: measured.value)} if steps else {})


def of_inference(trained: pd.DataFrame, zero_shot: pd.DataFrame) -> dict[str, Measured]:
    """Claims on trained and zero-shot inference; both as :func:`safe_pit_cm.paper.recovery.collect` returns them."""
    diffusion, mobility = (select(trained, process, "signed") for process in ("diffusion", "mobility"))
    stable, signed = (select(zero_shot, "mobility", propagation) for propagation in ("stable", "signed"))
    return {
        "superiority": _error_ratio(
            select(trained, "all", "signed"), select(zero_shot, "all", "signed"), on=("parent", "process")
        ),
        "trained_imbalance": _error_ratio(mobility, diffusion),
        "stable_direction": _error_ratio(stable, signed),
    }


def of_history(history: pd.DataFrame) -> dict[str, Measured]:
    """Claims on the training: how fast |α| settles in Phase 1, and how far Phase 2 moves it."""
    watched = [f"alpha_{process}_" for process in PROCESSES]
    magnitudes = history[[name for name in history.columns if name.startswith(tuple(watched))]].mean(axis=1).to_numpy()
    frozen = (history["phase"] == 1).to_numpy()
    found: dict[str, Measured] = {}
    if frozen.any():
        found["convergence_epochs"] = Measured(_settling_index(magnitudes[frozen], _EPOCH_FRACTION) + 1)
    if frozen.any() and not frozen.all():
        # Each phase ends with the weights of the epoch that did best on the validation videos.
        losses = history["validation_loss"].to_numpy()
        start, end = np.where(frozen, losses, np.inf).argmin(), losses.argmin()
        found["disturbance"] = Measured(abs(magnitudes[end] / magnitudes[start] - 1.0))
    return found


def of_fits(paths: Iterable[str | Path]) -> dict[str, Measured]:
    """Claims on the zero-shot fits, with signed propagation."""
    steps = [_settling_index(stores.read(path, "fit")["alpha"].to_numpy(), _STEP_FRACTION) for path in paths]
    return {"zero_shot_steps": Measured(max(steps))}


def of_degeneracy(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim on the two phases, against the same training unfrozen from the start."""
    same = table[table["zero_init"] & table["identity_loss_on"]].set_index("two_phases")["latent_change"]
    return {"degeneracy": Measured(same[True] / same[False])}


def of_estimators(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim that the published estimator depends on the order of frames."""
    published = table[table["reads"] == "frames"]
    return {"order_seen": Measured(published["reversal_difference"].max())}


def of_frame_steps(table: pd.DataFrame) -> dict[str, Measured]:
    """Claim on the temporal resolution: R² with every n-th frame, the sub-steps of the same size.

    ``table`` is what :func:`safe_pit_cm.paper.ablation_stores.frame_step_scores` returns. R² counts as 0
    where a fit diverged.
    """
    rows = table[(table["frame_step"] == _FRAME_STEP) & (table["substepping"] == "size")].set_index("group")
    if rows.empty:
        return {}
    fits = rows["r2"].where(rows["failed"] == 0, 0.0)
    return {"frames_mobility": Measured(fits["mobility_signed"] / fits["diffusion"])}


def of_baselines(table: pd.DataFrame) -> dict[str, Measured]:
    """Claims on speed: every method uses the paper's own operator, and all are timed in one run.

    Diffusion and both propagations of mobility cost the same; the mean over all timed fits is compared.
    """
    seconds = table.groupby("method")["seconds"].mean()
    return {
        f"{name}_time": Measured(seconds[method] / seconds["safe_stencil"])
        for name, method in (("genetic_algorithm", "genetic_stencil"), ("grid_search", "grid_stencil"))
        if method in seconds and "safe_stencil" in seconds
    }


def of_training(benchmark: str | Path, parameters: int) -> dict[str, Measured]:
    """Claims on the cost: minutes of the training, as Snakemake measured them, and trainable parameters.

    The minutes are omitted if there is no such measurement: the model may have been trained elsewhere.
    """
    found = {"parameters": Measured(float(parameters))}
    seconds = timing.measured(Path(benchmark))["s"]
    if len(seconds):
        found["training_minutes"] = Measured(float(seconds.iloc[0]) / 60.0)
    return found


def of_paper(inputs: Mapping[str, Any], benchmark: str | Path, parameters: int) -> dict[str, Measured]:
    """Claims that the paper's own results test.

    Parameters
    ----------
    inputs
        Files: ``table_3`` and ``history``, and stores: ``substeps``, ``frame_steps``, ``trained`` and ``zero_shot``.
    benchmark
        Duration of the training.
    parameters
        Number of trainable parameters of the model.
    """
    frames = ablation_stores.frame_step_scores(ablation_stores.collect(inputs["frame_steps"], "frame_step"))
    return {
        **of_table_3(pd.read_csv(inputs["table_3"])),
        **of_substeps(ablation_stores.collect(inputs["substeps"], "substeps")),
        **of_inference(recovery.collect(inputs["trained"]), recovery.collect(inputs["zero_shot"])),
        **of_frame_steps(frames),
        **of_history(pd.read_csv(inputs["history"])),
        **of_fits(inputs["zero_shot"]),
        **of_training(benchmark, parameters),
    }


def of_supplements(tables: Mapping[str, str]) -> dict[str, Measured]:
    """Claims that results beyond the paper test, from the tables ``degeneracy``, ``estimators`` and ``baselines``."""
    return {
        **of_degeneracy(pd.read_csv(tables["degeneracy"])),
        **of_estimators(pd.read_csv(tables["estimators"])),
        **of_baselines(pd.read_csv(tables["baselines"])),
    }


def write(measured: Mapping[str, Measured], path: str | Path) -> None:
    """Write measured values: columns ``claim``, ``value``, ``low`` and ``high``; the last two may be empty."""
    rows = [{"claim": name, **asdict(one)} for name, one in measured.items()]
    with files.replacing(path) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False, lineterminator="\n")


def read(path: str | Path) -> dict[str, Measured]:
    """Read what :func:`write` wrote, to the last bit."""
    # As text: the numbers of pandas may differ from those written in the last bit.
    rows = pd.read_csv(path, dtype=str).itertuples(index=False)
    return {name: Measured(float(value), float(low), float(high)) for name, value, low, high in rows}
