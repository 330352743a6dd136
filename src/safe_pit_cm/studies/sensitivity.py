"""Dependence of the published numbers on chosen values, from small test sets that are simulated for each value.

Fits are replaced by the true minimum of the SAFE loss, which Adam reaches to within 10⁻⁵ where the paper uses it, so
that a test set costs little more than its integration.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from safe_pit_cm.simulation.integration import simulate
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.studies import replicates
from safe_pit_cm.studies.step_ablations import minima


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
        As :func:`safe_pit_cm.studies.step_ablations.minima` returns them, of all videos.
    """
    initial_condition = {**settings["grid"], **settings["microstructure"]}
    integrate = {**settings["transport"], **settings["time"]}
    videos = [replicates.simulate(seed, parent, initial_condition, integrate).values() for parent in parents]
    return pd.DataFrame([row for both in videos for video in both for row in minima(video, counts)])


def coefficient_grid(
    start: xr.Dataset, magnitudes: Sequence[float], time: Mapping[str, Any], count: int
) -> pd.DataFrame:
    """Minima of the SAFE loss of one parent, integrated with each of several true |α| (§2.4).

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
        As :func:`safe_pit_cm.studies.step_ablations.minima` returns them.
    """
    rows = []
    for magnitude in magnitudes:
        diffusion = simulate(start, magnitude_min=magnitude, magnitude_max=magnitude, **time)
        for video in (diffusion, reverse_time(diffusion)):
            rows += minima(video, [count])
    return pd.DataFrame(rows)
