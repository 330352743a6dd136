"""From stores and settings to a trained model: code shared by all trainings of the workflow."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
import xarray as xr

from safe_pit_cm.data import devices, randomness, stores
from safe_pit_cm.data.provenance import settings_digest
from safe_pit_cm.safe import training
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.phases import Learning
from safe_pit_cm.safe.samples import ProcessSample
from safe_pit_cm.simulation.splits import Split
from safe_pit_cm.simulation.videos import frame_interval

# Splits on whose videos a trained model is evaluated.
_UNSEEN: tuple[Split, ...] = ("validation", "test")
# Parent number of the random stream of the training, which belongs to no parent.
_NO_PARENT = 0


def learning(settings: Mapping[str, Any]) -> Learning:
    """Settings of a training step, from the sections ``loss`` and ``training``."""
    return Learning.of_settings(settings["loss"], settings["training"])


class Video(NamedTuple):
    """A video to learn from or to evaluate on: what a model reads of it, and its store without the field."""

    sample: ProcessSample
    facts: xr.Dataset


def read(paths: Iterable[str], device: str) -> list[Video]:
    """Read video stores, to a torch device."""
    stored = (stores.read(path, "video") for path in paths)
    return [Video(ProcessSample.of_video(video, device), video.drop_vars("field")) for video in stored]


def train(
    videos: Sequence[Video],
    validation: Sequence[Video],
    settings: Mapping[str, Any],
    *,
    code: str,
    log: logging.Logger,
    checkpoint: Path | None = None,
    replicate: int = 0,
) -> tuple[SafePitCm, pd.DataFrame]:
    """Train a fresh model.

    Parameters
    ----------
    videos, validation
        Videos to train on, and videos of other parents to watch the training on.
    settings
        ``seed``, ``substeps`` and the sections ``estimator``, ``autoencoder``, ``loss`` and ``training`` of the
        configuration.
    code
        Digest of the code that trains; with the settings and the content of the videos it identifies a checkpoint.
    log
        Receives a message after every epoch.
    checkpoint
        File from which to resume, written after every epoch.
    replicate
        Which of several trainings that differ in their random draws alone.

    Returns
    -------
    tuple
        The model and its history, as :func:`safe_pit_cm.safe.training.train` returns it.
    """
    samples, watched = ([video.sample for video in of] for of in (videos, validation))
    device = samples[0].field.device
    first = videos[0].facts
    operator = SafeOperator(frame_interval(first), float(first.attrs["grid_spacing"]), settings["substeps"])
    seed = randomness.torch_seed(settings["seed"], _NO_PARENT, "training", replicate)
    torch.manual_seed(seed)
    # Made on the CPU and then moved, so that the initial weights do not depend on the device.
    model = SafePitCm(operator, settings["estimator"], settings["autoencoder"]).to(device)
    weights = sum(parameter.numel() for parameter in model.parameters())
    log.info("%d training and %d validation videos, %d weights, %s", len(samples), len(watched), weights, device)

    def progress(row: training.Row, seconds_left: float) -> None:
        terms = ", ".join(
            f"{name} {row[name]:.2e}"
            for name in ("loss", "safe", "reconstruction", "identity", "bounds")
            if name in row
        )
        errors = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name.startswith("alpha_error"))
        log.info(
            "epoch %d of at most %d, phase %d: %s; validation loss %.3e, %s; at most %.0f s left",
            *(row["epoch"], settings["training"]["epochs"], row["phase"], terms),
            *(row["validation_loss"], errors, seconds_left),
        )

    contents = [video.facts.attrs["content_digest"] for video in (*videos, *validation)]
    if checkpoint is not None and checkpoint.exists():
        log.info("found a checkpoint: resuming from it, unless it belongs to other settings, code or videos")
    history = training.train(
        model,
        samples,
        watched,
        learning=learning(settings),
        schedule=training.Schedule.of_settings(settings["training"]),
        seed=seed,
        checkpoint=checkpoint,
        identity=settings_digest({"code": code, "settings": settings, "videos": contents, "device": str(device)}),
        progress=progress,
    )
    return model, history


def repeat(
    videos: Mapping[Split, Sequence[str]],
    settings: Mapping[str, Any],
    *,
    code: str,
    log: logging.Logger,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train a fresh model ``settings["replicates"]`` times, and evaluate each on the validation and the test videos.

    Returns
    -------
    tuple
        Histories and outcomes, as :func:`train` and :func:`evaluate` return them, with a column ``replicate``; the
        outcomes with a column ``split`` as well.
    """
    histories, outcomes = [], []
    device = devices.pick(log)
    seen = {split: read(videos[split], device) for split in ("train", *_UNSEEN)}
    for replicate in range(settings["replicates"]):
        log.info("replicate %d of %d", replicate + 1, settings["replicates"])
        model, history = train(seen["train"], seen["validation"], settings, code=code, log=log, replicate=replicate)
        histories.append(history.assign(replicate=replicate))
        outcomes += [
            evaluate(model, seen[split], settings).assign(replicate=replicate, split=split) for split in _UNSEEN
        ]
    return pd.concat(histories), pd.concat(outcomes)


def evaluate(model: SafePitCm, videos: Iterable[Video], settings: Mapping[str, Any]) -> pd.DataFrame:
    """Evaluate a model on videos, without test-time steps.

    Returns
    -------
    pd.DataFrame
        One row per video: ``parent``, ``process``, ``true`` and ``recovered`` α; ``safe_loss``, the mean squared
        residual of the latent video over the mean squared frame difference of the observed one; ``latent_change``, the
        mean squared frame difference of the latent video over the same; ``identity_loss`` and ``reconstruction_loss``.
    """
    rows = []
    own = learning({**settings, "loss": {**settings["loss"], "normalise": True, "reconstruction": 1, "identity": 1}})
    for sample, facts in videos:
        [coded] = training.encode_and_decode(model, own, [sample])
        terms, [estimate] = training.evaluate(model, own, [sample], [coded])
        rows.append(
            {
                "parent": sample.parent,
                "process": sample.process,
                "true": float(facts.attrs["transport_coefficient"]),
                "recovered": sample.sign * estimate.item(),
                "safe_loss": terms["safe"],
                "latent_change": coded.change / sample.change,
                "identity_loss": terms["identity"],
                "reconstruction_loss": terms["reconstruction"],
            }
        )
    return pd.DataFrame(rows)
