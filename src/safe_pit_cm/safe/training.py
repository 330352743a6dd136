"""Two-phase training (§2.6, §3.1), which resumes after an interruption.

Phase 1 trains the estimator alone, Phase 2 the whole model; both are monitored on videos of validation parents. After
every epoch its complete state is written to one file. A job that finds this file resumes from it and ends with the same
weights, bit for bit, as one that was never interrupted.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from safe_pit_cm.data import files
from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.errors import DivergenceError
from safe_pit_cm.numerics.metrics import mean_absolute_error
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import bounds_loss, squared_difference, total
from safe_pit_cm.safe.early_stopping import EarlyStopping
from safe_pit_cm.safe.optimisation import Adam, Plateau
from safe_pit_cm.safe.phases import (
    Latent,
    Learning,
    Terms,
    autoencoder_loss,
    draw_pairs,
    encode,
    freeze,
    frozen_loss,
    reduce,
    step,
    truths,
)
from safe_pit_cm.safe.samples import Sample

Row = dict[str, float | int]
EpochProgress = Callable[[Row, float], None]

# Validation decodes every n-th frame: reconstruction differs little between successive frames.
_DECODED_EVERY = 10


@dataclass(frozen=True)
class Schedule:
    """Length of the training, and its changes of learning rate.

    Attributes
    ----------
    epochs
        Maximum number of epochs; each visits every training video once.
    frozen_fraction
        Fraction of the epochs in Phase 1, in [0, 1].
    batch
        Videos per step.
    refresh
        Epochs of Phase 2 between encodings of the latent videos from which the estimator learns.
    refinement_factor
        Factor of the learning rate of the estimator at the start of Phase 2, if Phase 1 precedes it, so that Phase 2
        refines |α| without disturbing it (§3.2).
    ramp
        Epochs over which the weights of reconstruction and identity rise to their values in Phase 2.
    rate_factor, rate_patience
        ReduceLROnPlateau: factor, and number of epochs without a smaller training loss. The validation loss, of a few
        videos, varies too much from one epoch to the next: it would reduce the rates long before the training ends.
    stop_patience
        Epochs of Phase 2 without a smaller validation loss after which training stops.
    """

    epochs: int
    frozen_fraction: float
    batch: int
    refresh: int
    refinement_factor: float
    ramp: int
    rate_factor: float
    rate_patience: int
    stop_patience: int

    @classmethod
    def of_settings(cls, training: Mapping[str, Any]) -> Self:
        """Schedule from the section ``training`` of the configuration."""
        return cls(**{entry.name: training[entry.name] for entry in fields(cls)})

    @property
    def frozen_epochs(self) -> int:
        """Epochs of Phase 1."""
        return round(self.frozen_fraction * self.epochs)


@dataclass
class _State:
    """State from which the next epoch starts, in addition to model and optimiser.

    ``encoder`` contains the weights with which the latent videos were last encoded; they are far smaller than the
    videos.
    """

    history: list[Row] = field(default_factory=list)
    stopping: EarlyStopping = field(default_factory=EarlyStopping)
    encoder: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Coded:
    """What encoder and decoder make of a video: all of an evaluation that does not depend on the estimator.

    Attributes
    ----------
    latent
        The latent video, reduced to what the estimator and the SAFE loss read.
    change
        Mean squared difference of its successive frames, squared field units.
    identity, reconstruction
        Terms of the loss, scalars.
    """

    latent: Latent
    change: float
    identity: Tensor
    reconstruction: Tensor


@torch.no_grad()
def _encode_and_decode_one(model: SafePitCm, learning: Learning, sample: Sample) -> Coded:
    video = encode(model, sample)
    decoded = model.decoder.apply_frozen(video[::_DECODED_EVERY])
    return Coded(
        latent=reduce(model, sample, video, learning.propagation),
        change=float(video.diff(dim=0).double().square().mean()),
        identity=squared_difference(video, sample.field),
        reconstruction=squared_difference(decoded, sample.field[::_DECODED_EVERY]),
    )


@torch.no_grad()
def _evaluate_one(model: SafePitCm, learning: Learning, sample: Sample, coded: Coded) -> tuple[Terms, Tensor]:
    weights = learning.weights
    estimates = model.estimator(coded.latent.compressed[None])
    loss, terms = total(
        weights,
        {
            "safe": lambda: coded.latent.safe(estimates[0]) / (sample.change if learning.normalise else 1.0),
            "reconstruction": lambda: coded.reconstruction,
            "identity": lambda: coded.identity,
            "bounds": lambda: bounds_loss(estimates, weights.magnitude_low, weights.magnitude_high),
            "supervised_alpha": lambda: squared_difference(estimates, truths([sample], estimates)),
        },
    )
    return {"loss": loss.item(), **terms}, estimates[0]


def encode_and_decode(model: SafePitCm, learning: Learning, samples: Sequence[Sample]) -> list[Coded]:
    """Apply encoder and decoder to whole videos, without gradient and with the statistics of training."""
    model.eval()
    return [_encode_and_decode_one(model, learning, sample) for sample in samples]


def evaluate(
    model: SafePitCm, learning: Learning, samples: Sequence[Sample], coded: Sequence[Coded]
) -> tuple[Terms, list[Tensor]]:
    """Loss, its terms and the estimates over whole videos, as encoded and decoded by the model; without gradient.

    Returns
    -------
    tuple
        The terms by name, with the weighted sum as ``loss``, mean over the videos; and the estimate of each, |α| or θ.
    """
    model.eval()
    terms, estimates = zip(*map(partial(_evaluate_one, model, learning), samples, coded), strict=True)
    return {name: sum(one[name] for one in terms) / len(terms) for name in terms[0]}, list(estimates)


def _epoch(
    model: SafePitCm,
    learning: Learning,
    schedule: Schedule,
    optimiser: Adam,
    samples: Sequence[Sample],
    latents: Sequence[Latent],
    epoch: int,
    generator: torch.Generator,
) -> Terms:
    """Visit every video once; the mean of the loss terms."""
    model.train()
    ramp = min(1.0, (epoch - schedule.frozen_epochs + 1) / max(1, schedule.ramp))
    sums: Terms = {}
    for chosen in torch.randperm(len(samples), generator=generator).split(schedule.batch):
        batch, encoded = [samples[index] for index in chosen], [latents[index] for index in chosen]
        if epoch < schedule.frozen_epochs:
            loss, terms = frozen_loss(model, learning, batch, encoded)
        else:
            frames = draw_pairs(batch, learning.pairs, generator)
            loss, terms = autoencoder_loss(model, learning, learning.weights.ramped(ramp), batch, encoded, frames)
        if not torch.isfinite(loss):
            raise DivergenceError(
                f"the loss of the training is {loss.item()} in epoch {epoch + 1}: it left the range of numbers; reduce "
                "the learning rates (training), or choose the stable propagation (training.propagation)"
            )
        step(optimiser, loss, learning.maximum_gradient_norm)
        for name, value in {"loss": loss.item(), **terms}.items():
            sums[name] = sums.get(name, 0.0) + value * len(batch) / len(samples)
    return sums


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _encoded_by(
    encoder: Mapping[str, Tensor], model: SafePitCm, samples: Sequence[Sample], propagation: Propagation
) -> list[Latent]:
    """Latent videos of an encoder with these weights, which may be older than those of the model."""
    current = _copied(model.encoder.state_dict())
    model.eval()
    model.encoder.load_state_dict(encoder)
    latents = [freeze(model, sample, propagation) for sample in samples]
    model.encoder.load_state_dict(current)
    return latents


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _save(
    path: Path,
    identity: str,
    model: SafePitCm,
    optimiser: Adam,
    plateau: Plateau,
    state: _State,
    generator: torch.Generator,
) -> None:
    """Write one safetensors file: tensors by name, everything else as JSON in its header."""
    adam, numbers = optimiser.state()
    tensors = {
        **_prefixed("model", model.state_dict()),
        **_prefixed("best", state.stopping.best_weights),
        **_prefixed("encoder", state.encoder),
        **_prefixed("adam", adam),
        "generator": generator.get_state(),
    }
    facts = {
        "identity": identity,
        "history": state.history,
        "best_loss": state.stopping.best_loss,
        "stale_epochs": state.stopping.stale_epochs,
        "adam": numbers,
        "plateau": [plateau.best_loss, plateau.stale_epochs],
    }
    with files.replacing(path) as partial:
        save_file(
            {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()},
            partial,
            metadata={"facts": json.dumps(facts)},
        )


def _load(
    path: Path,
    identity: str,
    model: SafePitCm,
    optimiser: Adam,
    plateau: Plateau,
    generator: torch.Generator,
) -> _State | None:
    """Load the state that :func:`_save` wrote; None if it belongs to another training."""
    with safe_open(path, framework="pt", device="cpu") as stored:
        facts = json.loads(stored.metadata()["facts"])
        if facts["identity"] != identity:
            return None
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118

    def below(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")
        }

    model.load_state_dict(below("model"))
    optimiser.load(below("adam"), facts["adam"])
    plateau.best_loss, plateau.stale_epochs = facts["plateau"]
    generator.set_state(tensors["generator"].cpu())
    stopping = EarlyStopping(below("best"), facts["best_loss"], facts["stale_epochs"])
    return _State(facts["history"], stopping, below("encoder"))


def train(
    model: SafePitCm,
    samples: Sequence[Sample],
    validation: Sequence[Sample],
    *,
    learning: Learning,
    schedule: Schedule,
    seed: int,
    checkpoint: str | Path | None = None,
    identity: str = "",
    progress: EpochProgress = lambda row, seconds_left: None,
) -> pd.DataFrame:
    """Train a model in two phases; it ends with the weights of its best epoch.

    Phase 2 starts from the best weights of Phase 1 and never returns worse ones.

    Parameters
    ----------
    model
        The model, on the device of the samples; changed in place.
    samples, validation
        Videos to train on, and validation videos of other parents.
    learning, schedule
        Settings of a step, and the schedule.
    seed
        Seed of the order of videos and of the choice of frame pairs.
    checkpoint
        File that is written after every epoch and, if it exists, read at the start.
    identity
        Digest of everything that the result depends on. A checkpoint with another digest is ignored.
    progress
        Called after every epoch with its row of the history and the largest number of seconds left.

    Returns
    -------
    pd.DataFrame
        One row per epoch: ``epoch``, ``phase``, learning rates, terms of the training loss, terms of the validation
        loss (``validation_…``), MAE(α) by process or coefficient, and the estimates of every validation video. Epoch
        and phase 0 is the untrained model, which has no training loss.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = learning.optimiser(model)
    plateau = Plateau(schedule.rate_factor, schedule.rate_patience)
    state = None
    if checkpoint is not None and Path(checkpoint).exists():
        state = _load(Path(checkpoint), identity, model, optimiser, plateau, generator)
    if state is None:
        state = _State()
    latents: list[Latent] = []
    coded: list[Coded] = []
    if not state.history:
        coded = encode_and_decode(model, learning, validation)
        state.history.append(_row(0, 0, optimiser.rates, {}, *evaluate(model, learning, validation, coded), validation))
    resumed = len(state.history) - 1
    started = time.perf_counter()
    for epoch in range(resumed, schedule.epochs):
        frozen, since = epoch < schedule.frozen_epochs, epoch - schedule.frozen_epochs
        if since == 0 and state.stopping.best_weights:
            model.load_state_dict(state.stopping.best_weights)
            state.stopping.restart()
            plateau.restart()
            optimiser.rates = [schedule.refinement_factor * optimiser.rates[0], *optimiser.rates[1:]]
        if not frozen and state.stopping.is_due(schedule.stop_patience):
            break
        outdated = epoch == 0 or (not frozen and since % schedule.refresh == 0)
        if outdated:
            state.encoder = _copied(model.encoder.state_dict())
        if outdated or not latents:
            latents = _encoded_by(state.encoder, model, samples, learning.propagation)
        rates = optimiser.rates
        terms = _epoch(model, learning, schedule, optimiser, samples, latents, epoch, generator)
        # In Phase 1 they never change.
        if not frozen or not coded:
            coded = encode_and_decode(model, learning, validation)
        watched, estimates = evaluate(model, learning, validation, coded)
        factor = plateau.observe(terms["loss"])
        optimiser.rates = [factor * rate for rate in rates]
        state.history.append(_row(epoch + 1, 1 if frozen else 2, rates, terms, watched, estimates, validation))
        state.stopping.observe(watched["loss"], model.state_dict())
        if checkpoint is not None:
            _save(Path(checkpoint), identity, model, optimiser, plateau, state, generator)
        done = epoch + 1 - resumed
        progress(state.history[-1], (time.perf_counter() - started) / done * (schedule.epochs - epoch - 1))
    model.load_state_dict(state.stopping.best_weights)
    model.eval()
    return pd.DataFrame(state.history)


def _row(
    epoch: int,
    phase: int,
    rates: Sequence[float],
    terms: Terms,
    watched: Terms,
    estimates: Sequence[Tensor],
    validation: Sequence[Sample],
) -> Row:
    """Row of the history: of the epoch and of the validation after it."""
    return {
        "epoch": epoch,
        "phase": phase,
        "estimator_rate": rates[0],
        "coder_rate": rates[1],
        **terms,
        **{f"validation_{name}": value for name, value in watched.items()},
        **_recovery(validation, estimates),
    }


def _recovery(samples: Sequence[Sample], estimates: Sequence[Tensor]) -> Row:
    """MAE(α) by name of what is estimated, and the estimates of every video."""
    found = [
        (name, sample.parent, estimate, true)
        for sample, one in zip(samples, estimates, strict=True)
        for name, estimate, true in zip(sample.names, *map(np.atleast_1d, (one.tolist(), sample.truth)), strict=True)
    ]
    row: Row = {}
    for own in sorted({name for name, *_ in found}):
        pairs = [pair for name, _, *pair in found if name == own]
        row[f"alpha_error_{own}"] = mean_absolute_error(*zip(*pairs, strict=True))
    return row | {f"alpha_{name}_{parent}": float(estimate) for name, parent, estimate, _ in found}
