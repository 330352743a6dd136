"""What becomes of the published numbers when a choice of ours is another one: small test sets, freshly simulated.

Fits are replaced by the true minimum of the SAFE loss, which Adam reaches to 10⁻⁵ where the paper uses it, so that a
test set costs little more than its integration.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from safe_pit_cm.ablation import safe_loss
from safe_pit_cm.integration import simulate
from safe_pit_cm.microstructure import initial_condition
from safe_pit_cm.minimum import first_order_bias, minimise
from safe_pit_cm.processes import PROCESS_SIGN, Process, readings
from safe_pit_cm.reversal import reverse_time


def minima(video: xr.Dataset, counts: Iterable[int]) -> list[dict[str, Any]]:
    """α at the minimum of the SAFE loss of a video, by reading and number of sub-steps.

    Returns
    -------
    list
        Rows with ``parent``, ``process``, ``propagation``, ``substeps``, the ``true`` α, the one ``recovered`` and the
        one predicted to ``first_order``.
    """
    process: Process = video.attrs["process"]
    true = float(video.attrs["transport_coefficient"])
    rows = []
    for propagation in readings(process):
        for count in counts:
            loss = safe_loss(video, propagation, count)
            bias = first_order_bias(loss, abs(true), float(video.attrs["time_step"]))
            rows.append(
                {
                    "parent": video.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "substeps": count,
                    "true": true,
                    "recovered": PROCESS_SIGN[process] * minimise(loss)[0],
                    "first_order": true + PROCESS_SIGN[process] * bias,
                }
            )
    return rows


def minima_of_test_set(
    parents: Sequence[str], settings: Mapping[str, Mapping[str, Any]], seed: int, counts: Sequence[int]
) -> pd.DataFrame:
    """Simulate both videos of some parents and find the minima of their SAFE losses.

    Parameters
    ----------
    parents
        Names of the parents, such as ``007``.
    settings
        The sections ``grid``, ``time``, ``microstructure`` and ``transport`` of a configuration.
    seed
        Seed of the configuration.
    counts
        Numbers of sub-steps S.

    Returns
    -------
    pd.DataFrame
        As :func:`minima` returns them, of all videos.
    """
    rows = []
    for parent in parents:
        start = initial_condition(seed=seed, parent=parent, **settings["grid"], **settings["microstructure"])
        diffusion = simulate(start, **settings["transport"], **settings["time"])
        for video in (diffusion, reverse_time(diffusion)):
            rows += minima(video, counts)
    return pd.DataFrame(rows)


def coefficient_grid(
    start: xr.Dataset, magnitudes: Sequence[float], time: Mapping[str, Any], count: int
) -> pd.DataFrame:
    """Minima of the SAFE loss of one parent, integrated anew with each of some true |α| (§2.4).

    Parameters
    ----------
    start
        Its initial condition.
    magnitudes
        True |α|, length²/time.
    time
        The section ``time`` of the configuration.
    count
        Number of sub-steps S.

    Returns
    -------
    pd.DataFrame
        As :func:`minima` returns them.
    """
    rows = []
    for magnitude in magnitudes:
        diffusion = simulate(start, magnitude_min=magnitude, magnitude_max=magnitude, **time)
        for video in (diffusion, reverse_time(diffusion)):
            rows += minima(video, [count])
    return pd.DataFrame(rows)
