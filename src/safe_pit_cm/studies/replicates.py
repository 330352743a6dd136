"""Further test sets and further estimators: how much a recovered coefficient scatters from one draw to the next.

A test set is one draw of grains and coefficients, and a fit one draw of initial weights. Repeating both shows how much
a number of the paper depends on these draws.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from safe_pit_cm.equations.processes import PROPAGATIONS, Process, propagations_of
from safe_pit_cm.simulation import integration, microstructure, reversal
from safe_pit_cm.studies import step_ablations


def simulate(
    seed: int, parent: str, initial_condition: Mapping[str, Any], integrate: Mapping[str, Any]
) -> dict[Process, xr.Dataset]:
    """Videos of one parent of a data set, identical to those of the workflow for the same seed.

    Parameters
    ----------
    seed, parent
        As ``seed`` of the configuration, and the name of the parent.
    initial_condition, integrate
        What :func:`safe_pit_cm.simulation.microstructure.initial_condition` and
        :func:`safe_pit_cm.simulation.integration.simulate` take in addition.
    """
    grains = microstructure.initial_condition(seed=seed, parent=parent, **initial_condition)
    video = integration.simulate(grains, **integrate)
    return {"diffusion": video, "mobility": reversal.reverse_time(video)}


def recover(
    videos: Mapping[Process, xr.Dataset],
    replicates: Iterable[int],
    settings: Mapping[str, Any],
    log: logging.Logger,
) -> pd.DataFrame:
    """Fit every video by zero-shot inference, in every propagation, from several random starts.

    Parameters
    ----------
    videos
        Both videos of a parent.
    replicates
        Numbers of the random starts; 0 is the default of :func:`safe_pit_cm.safe.zero_shot.fit`.
    settings
        What :func:`safe_pit_cm.safe.zero_shot.fit` takes in addition.
    log
        Receives a message for every fit.

    Returns
    -------
    pd.DataFrame
        ``dataset`` (its seed), ``parent``, ``process``, ``propagation``, ``replicate``, ``true``, ``recovered``,
        ``ending``: one row per video, propagation and start. A diffusion video has one fit, which holds for both
        propagations.
    """
    # What simulates and finds minima does without PyTorch.
    from safe_pit_cm.safe import zero_shot

    rows: list[dict[str, object]] = []
    for replicate in replicates:
        for process, video in videos.items():
            found: dict[str, Mapping[Any, Any]] = {}
            for propagation in propagations_of(process):
                fit = zero_shot.fit(video, propagation=propagation, replicate=replicate, **settings)
                found[propagation] = fit.attrs
                log.info("start %d, %s, %s: α = %.6f", replicate, process, propagation, fit.attrs["alpha"])
            rows += [
                {
                    "dataset": video.attrs["seed"],
                    "parent": video.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "replicate": replicate,
                    "true": video.attrs["transport_coefficient"],
                    "recovered": attributes["alpha"],
                    "ending": attributes["ending"],
                }
                for propagation in PROPAGATIONS
                for attributes in [found.get(propagation, found["signed"])]
            ]
    return pd.DataFrame(rows)


def minima(videos: Mapping[Process, xr.Dataset], counts: Sequence[int]) -> pd.DataFrame:
    """Find the true minima of the SAFE losses of every video, which zero-shot fits approach at a far higher cost.

    Returns
    -------
    pd.DataFrame
        The columns of :func:`recover`, with the number of ``substeps``.
    """
    rows = []
    for video in videos.values():
        for found in step_ablations.minima(video, counts):
            # A diffusion video has one fit, which holds for both propagations.
            own = PROPAGATIONS if found["process"] == "diffusion" else (found["propagation"],)
            rows += [{**found, "propagation": one, "dataset": video.attrs["seed"], "replicate": 0} for one in own]
    return pd.DataFrame(rows)
