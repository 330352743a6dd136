"""An amortised estimator for noisy videos: one pass of a network instead of a fit (beyond the paper).

A :class:`~safe_pit_cm.safe.decay_estimator.DecayEstimator` is trained on the training videos with noise of random
strength. It never sees a true coefficient or a clean video: its loss is the likelihood of the noisy video
(:class:`~safe_pit_cm.studies.residual_share.ResidualShare`), since noise biases the SAFE loss, which predicts a noisy
frame from a noisy frame. On the test videos it is compared with maximum likelihood, in error and in CPU time.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.processes import PROCESS_SIGN
from safe_pit_cm.safe.decay_estimator import DecayEstimator
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.optimisation import Adam
from safe_pit_cm.simulation.videos import frame_interval
from safe_pit_cm.studies.noisy_videos import attempt, maximum_likelihood, with_noise
from safe_pit_cm.studies.residual_share import ResidualShare

MessageProgress = Callable[[str], None]

ONE_PASS, REFINED, LIKELIHOOD = "one_pass", "refined", "maximum_likelihood"
#: Columns that name a row of :func:`run`.
KEY = ["method", "replicate", "noise", "process", "parent"]
# Parent number of the random stream of the training, which belongs to no parent.
_NO_PARENT = 0


@dataclass(frozen=True)
class _Example:
    """A noisy video to learn from: the input of the estimator, and the likelihood."""

    compressed: Tensor
    share: ResidualShare


def _estimator(video: xr.Dataset, settings: Mapping[str, Any], replicate: int) -> DecayEstimator:
    operator = SafeOperator(frame_interval(video), float(video.attrs["grid_spacing"]), settings["substeps"])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(
            randomness.torch_seed(settings["seed"], _NO_PARENT, "noisy_training", replicate)
        )
        return DecayEstimator(operator, settings["hidden"])


def _compress(estimator: DecayEstimator, video: xr.Dataset) -> Tensor:
    return estimator.compress(torch.from_numpy(video["field"].to_numpy().copy()))


def draw_noise(video: xr.Dataset, settings: Mapping[str, Any]) -> list[float]:
    """Noise levels σ with which a training video is shown: 0, and draws that are uniform in ln σ, field units.

    The draws depend on the seed, the parent and the process alone.
    """
    low, high = settings["noise_min"], settings["noise_max"]
    process = int(video.attrs["process"] == "mobility")
    random = randomness.generator(settings["seed"], int(video.attrs["parent"]), "noise_levels", process)
    return [0.0, *np.exp(random.uniform(math.log(low), math.log(high), settings["draws"])).tolist()]


def _loss(estimator: DecayEstimator, examples: Sequence[_Example], scale: float) -> Tensor:
    """Cauchy loss of the residual shares, which for a large share is the negative log-likelihood up to factors."""
    magnitude = estimator(torch.stack([example.compressed for example in examples]))
    shares = [example.share(one) for example, one in zip(examples, magnitude, strict=True)]
    return torch.log1p(torch.stack(shares) / scale).mean()


def _descend(optimiser: Adam, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def train(estimator: DecayEstimator, examples: Sequence[_Example], settings: Mapping[str, Any], replicate: int) -> None:
    """Train an estimator in place; the learning rate falls to zero along half a cosine."""
    estimator.scale_to(torch.stack([example.compressed for example in examples]))
    generator = torch.Generator().manual_seed(
        randomness.torch_seed(settings["seed"], _NO_PARENT, "noisy_training", replicate)
    )
    optimiser = Adam((estimator.parameters(), settings["rate"]))
    for epoch in range(settings["epochs"]):
        optimiser.rates = [settings["rate"] * 0.5 * (1.0 + math.cos(math.pi * epoch / settings["epochs"]))]
        for chosen in torch.randperm(len(examples), generator=generator).split(settings["batch"]):
            batch = [examples[index] for index in chosen]
            _descend(optimiser, _loss(estimator, batch, settings["cauchy_scale"]))


def _one_pass(estimator: DecayEstimator, video: xr.Dataset) -> float:
    with torch.no_grad():
        return float(estimator(_compress(estimator, video)[None])[0])


def _refined(estimator: DecayEstimator, settings: Mapping[str, Any], video: xr.Dataset) -> float:
    """|α| after test-time steps on the likelihood of the video; the estimator itself is kept."""
    own = copy.deepcopy(estimator)
    example = _Example(_compress(own, video), ResidualShare.of_video(video))
    optimiser = Adam((own.parameters(), settings["rate"]))
    for _ in range(settings["steps"]):
        _descend(optimiser, _loss(own, [example], settings["cauchy_scale"]))
    with torch.no_grad():
        return float(own(example.compressed[None])[0])


def _likelihood(video: xr.Dataset) -> float:
    return abs(attempt(partial(maximum_likelihood, video["field"], video, "periodic")).alpha)


def _methods(
    estimators: Sequence[DecayEstimator], settings: Mapping[str, Any]
) -> list[tuple[str, int, Callable[[xr.Dataset], float]]]:
    """Method, number of the training, and function of a noisy video that gives |α|."""
    return [
        (LIKELIHOOD, 0, _likelihood),
        (REFINED, 0, partial(_refined, estimators[0], settings)),
        *((ONE_PASS, number, partial(_one_pass, one)) for number, one in enumerate(estimators)),
    ]


def run(
    train_videos: Iterable[xr.Dataset],
    test_videos: Iterable[xr.Dataset],
    settings: Mapping[str, Any],
    progress: MessageProgress = lambda message: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train estimators on noisy videos, and compare them with maximum likelihood on noisy test videos.

    Parameters
    ----------
    train_videos, test_videos
        Clean videos on one grid.
    settings
        ``seed``; ``substeps`` of the SAFE operator; ``noise``, the levels σ of the test videos; ``noise_min``,
        ``noise_max`` and ``draws``, see :func:`draw_noise`; ``epochs``, ``batch``, ``rate`` and ``cauchy_scale`` of the
        training; ``hidden``, see :class:`~safe_pit_cm.safe.decay_estimator.DecayEstimator`; ``replicates``, the number
        of trainings; ``steps``, test-time steps, which are taken with the first of them.
    progress
        Called with a message after every training and every test video.

    Returns
    -------
    tuple[pd.DataFrame, pd.DataFrame]
        One row per method, training, noise level and video: :data:`KEY` with ``true`` and ``recovered`` α, NaN where
        the noise leaves none, and :data:`KEY` with the CPU ``seconds`` of one estimate.
    """
    estimators: list[DecayEstimator] = []
    examples: list[_Example] = []
    for video in train_videos:
        estimators = estimators or [_estimator(video, settings, one) for one in range(settings["replicates"])]
        for noise in draw_noise(video, settings):
            noisy = with_noise(video, noise, settings["seed"])
            examples.append(_Example(_compress(estimators[0], noisy), ResidualShare.of_video(noisy)))
    for replicate, estimator in enumerate(estimators):
        train(estimator, examples, settings, replicate)
        progress(f"training {replicate + 1} of {len(estimators)} on {len(examples)} noisy videos is complete")
    recovered, seconds = [], []
    for video in test_videos:
        for noise in settings["noise"]:
            noisy = with_noise(video, noise, settings["seed"])
            for method, replicate, estimate in _methods(estimators, settings):
                started = time.process_time()
                magnitude = estimate(noisy)
                taken = time.process_time() - started
                key = (method, replicate, noise, video.attrs["process"], video.attrs["parent"])
                alpha = PROCESS_SIGN[video.attrs["process"]] * magnitude
                recovered.append((*key, float(video.attrs["transport_coefficient"]), alpha))
                seconds.append((*key, taken))
        progress(f"parent {video.attrs['parent']}, {video.attrs['process']} is complete")
    return pd.DataFrame(recovered, columns=[*KEY, "true", "recovered"]), pd.DataFrame(
        seconds, columns=[*KEY, "seconds"]
    )
