"""Training: phases, resuming, what it is given, and trained inference."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from safe_pit_cm.equations.processes import Propagation
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import Weights
from safe_pit_cm.safe.early_stopping import EarlyStopping
from safe_pit_cm.safe.loss import safe_loss
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.phases import Learning, autoencoder_loss, freeze, frozen_loss
from safe_pit_cm.safe.samples import ProcessSample
from safe_pit_cm.safe.test_time import refine
from safe_pit_cm.safe.training import Row, Schedule, encode_and_decode, evaluate, train
from safe_pit_cm.simulation.integration import forward_euler
from safe_pit_cm.simulation.reversal import reverse_time
from safe_pit_cm.simulation.splits import assign
from safe_pit_cm.studies import variants

torch.set_num_threads(1)

SPACING, STEP, SAVE_INTERVAL, FRAMES = 0.5, 0.01, 25, 9
WEIGHTS = Weights(10.0, 1.0, 1.0, 1.0, 0.0, 0.0, magnitude_low=0.05, magnitude_high=1.0)
LEARNING = Learning(
    WEIGHTS, "signed", normalise=True, pairs=2,
    estimator_rate=1e-3, autoencoder_rate=1e-3, maximum_gradient_norm=1.0,
)  # fmt: skip
SCHEDULE = Schedule(
    epochs=8,
    frozen_fraction=0.5,
    batch=2,
    refresh=2,
    refinement_factor=0.1,
    ramp=2,
    rate_factor=0.5,
    rate_patience=1,
    stop_patience=10,
)


def video(parent: int, mobility: bool = False) -> xr.Dataset:
    random = np.random.default_rng(parent)
    alpha = -random.uniform(0.1, 0.7)
    frames = forward_euler(
        random.uniform(size=(16, 16)),
        alpha,
        spacing=SPACING,
        step=STEP,
        steps=(FRAMES - 1) * SAVE_INTERVAL,
        save_interval=SAVE_INTERVAL,
    )
    axis = np.arange(16) * SPACING
    made = xr.Dataset(
        {"field": (("time", "y", "x"), frames)},
        coords={"time": np.arange(FRAMES) * STEP * SAVE_INTERVAL, "y": axis, "x": axis},
        attrs={
            "seed": 1,
            "parent": f"{parent:03d}",
            "process": "diffusion",
            "transport_coefficient": alpha,
            "diffusivity": -alpha,
            "grid_spacing": SPACING,
            "time_step": STEP,
            "save_interval": SAVE_INTERVAL,
        },
    )
    return reverse_time(made) if mobility else made


def samples(*parents: int) -> list[ProcessSample]:
    return [ProcessSample.of_video(video(parent, mobility)) for parent in parents for mobility in (False, True)]


def model() -> SafePitCm:
    torch.manual_seed(0)
    estimator = {"pooled_size": 8, "channels": 4, "stride": 2, "features": 8, "heads": 4, "reads": "frames"}
    return SafePitCm(
        SafeOperator(STEP * SAVE_INTERVAL, SPACING, SAVE_INTERVAL),
        estimator,
        {"channels": 2, "blocks": 2, "zero_init": True},
    )


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


class KilledError(Exception):
    """The job was killed."""


@pytest.mark.parametrize("epoch", [2, 4, 5, 7])
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(epoch: int, tmp_path: Path) -> None:
    unbroken = model()
    history = train(unbroken, samples(0, 1), samples(2), learning=LEARNING, schedule=SCHEDULE, seed=5)

    def kill(row: Row, seconds_left: float) -> None:
        if row["epoch"] == epoch:
            raise KilledError

    resumed = model()
    with pytest.raises(KilledError):
        train(
            resumed, samples(0, 1), samples(2),
            learning=LEARNING, schedule=SCHEDULE, seed=5, checkpoint=tmp_path / "c.safetensors", progress=kill,
        )  # fmt: skip
    resumed = model()
    rows: list[Row] = []
    again = train(
        resumed, samples(0, 1), samples(2),
        learning=LEARNING, schedule=SCHEDULE, seed=5, checkpoint=tmp_path / "c.safetensors",
        progress=lambda row, seconds_left: rows.append(row),
    )  # fmt: skip
    assert rows[0]["epoch"] == epoch + 1
    assert same(unbroken.state_dict(), resumed.state_dict())
    assert again.equals(history)


def test_a_checkpoint_of_another_training_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    train(
        model(), samples(0), samples(2),
        learning=LEARNING, schedule=SCHEDULE, seed=5, checkpoint=path, identity="another",
    )  # fmt: skip
    fresh, resumed = model(), model()
    train(fresh, samples(0), samples(2), learning=LEARNING, schedule=SCHEDULE, seed=5)
    train(
        resumed, samples(0), samples(2),
        learning=LEARNING, schedule=SCHEDULE, seed=5, checkpoint=path, identity="this",
    )  # fmt: skip
    assert same(fresh.state_dict(), resumed.state_dict())


def test_phase_1_leaves_encoder_and_decoder_alone_and_phase_2_moves_them() -> None:
    frozen, whole, fresh = model(), model(), model()
    train(frozen, samples(0), samples(2), learning=LEARNING, schedule=replace(SCHEDULE, frozen_fraction=1.0), seed=5)
    assert same(fresh.encoder.state_dict(), frozen.encoder.state_dict())
    assert same(fresh.decoder.state_dict(), frozen.decoder.state_dict())
    assert not same(fresh.estimator.state_dict(), frozen.estimator.state_dict())
    history = train(
        whole, samples(0), samples(2), learning=LEARNING, schedule=replace(SCHEDULE, frozen_fraction=0.0), seed=5
    )
    assert set(history["phase"]) == {0, 2}
    assert history["validation_identity"].iloc[-1] > 0


ONLY_SAFE = replace(LEARNING, weights=replace(WEIGHTS, reconstruction=0.0, identity=0.0, bounds=0.0))


def test_every_epoch_is_evaluated_with_the_model_as_it_is() -> None:
    # In Phase 1 the validation videos are encoded once, in Phase 2 at every epoch.
    trained, validation = model(), samples(2)
    untrained, _ = evaluate(trained, LEARNING, validation, encode_and_decode(trained, LEARNING, validation))
    fresh = [untrained["loss"]]

    def evaluate_afresh(row: Row, seconds_left: float) -> None:
        terms, _ = evaluate(trained, LEARNING, validation, encode_and_decode(trained, LEARNING, validation))
        fresh.append(terms["loss"])

    history = train(
        trained, samples(0), validation, learning=LEARNING, schedule=SCHEDULE, seed=5, progress=evaluate_afresh
    )
    assert history["validation_loss"].tolist() == fresh
    assert set(history["phase"]) == {0, 1, 2}


def test_both_phases_measure_the_same_safe_loss() -> None:
    whole, chosen = model(), samples(0, 1)
    latents = [freeze(whole, s, "signed") for s in chosen]
    spectral, _ = frozen_loss(whole, ONLY_SAFE, chosen, latents)
    one_pair = torch.stack([torch.stack((s.field[:1], s.field[1:2]), dim=1) for s in chosen])
    sampled, _ = autoencoder_loss(whole, ONLY_SAFE, ONLY_SAFE.weights, chosen, latents, one_pair)
    assert sampled.item() == spectral.item()


@pytest.mark.parametrize("propagation", ["signed", "stable"])
def test_phase_2_descends_the_safe_loss_of_the_whole_model(propagation: Propagation) -> None:
    # Given every pair and a latent video encoded just now, its gradient is that of Eq. 9 itself, for encoder and
    # estimator alike; only what the estimator sends on to the encoder through what it reads is left out.
    whole, chosen = model(), samples(0, 1)
    with torch.no_grad():
        whole.encoder.projection.weight.normal_(std=0.1)
    whole.eval()
    learning = replace(ONLY_SAFE, propagation=propagation, normalise=False)
    latents = [freeze(whole, s, propagation) for s in chosen]
    every_pair = torch.stack([torch.stack((s.field[:-1], s.field[1:]), dim=1) for s in chosen])
    autoencoder_loss(whole, learning, replace(learning.weights, safe=1.0), chosen, latents, every_pair)[0].backward()
    found = {name: p.grad.clone() for name, p in whole.named_parameters() if p.grad is not None}
    whole.zero_grad()
    magnitude = whole.estimator(torch.stack([latent.compressed for latent in latents]))
    operator = SafeOperator(STEP * SAVE_INTERVAL, SPACING, SAVE_INTERVAL)
    losses = [
        safe_loss(whole.encoder(s.field), one, operator, s.process, propagation)
        for s, one in zip(chosen, magnitude, strict=True)
    ]
    torch.stack(losses).mean().backward()
    expected = {name: p.grad for name, p in whole.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    assert {name.partition(".")[0] for name in found} == {"encoder", "estimator"}
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5 * largest)


def test_the_normalised_safe_loss_is_one_for_a_model_that_sees_no_change() -> None:
    [diffusion, _] = samples(0)
    latent = freeze(model(), diffusion, "signed")
    assert latent.safe(torch.tensor(0.0)).item() / diffusion.change == pytest.approx(1.0, rel=1e-6)


def test_phase_2_starts_with_a_smaller_learning_rate_of_the_estimator_alone() -> None:
    history = train(model(), samples(0, 1), samples(2), learning=LEARNING, schedule=SCHEDULE, seed=5)
    last, first = history[history["phase"] == 1].iloc[-1], history[history["phase"] == 2].iloc[0]
    assert first["estimator_rate"] == pytest.approx(0.1 * last["estimator_rate"])
    assert first["coder_rate"] == last["coder_rate"]
    # Where no Phase 1 precedes it, the estimator learns at its own rate.
    alone = train(
        model(), samples(0), samples(2), learning=LEARNING, schedule=replace(SCHEDULE, frozen_fraction=0.0), seed=5
    )
    assert alone["estimator_rate"].iloc[1] == LEARNING.estimator_rate


def test_the_learning_rates_follow_the_training_loss_alone() -> None:
    # Validation videos of another parent change what is watched, not what is learned.
    schedule = replace(SCHEDULE, epochs=8, frozen_fraction=1.0, rate_patience=1)
    # The loss of a large rate does not fall at every epoch.
    learning = replace(LEARNING, estimator_rate=0.1)
    histories = [
        train(model(), samples(0, 1), samples(parent), learning=learning, schedule=schedule, seed=5)
        for parent in (2, 3)
    ]
    assert histories[0]["validation_loss"].tolist() != histories[1]["validation_loss"].tolist()
    rates = [history["estimator_rate"].tolist() for history in histories]
    assert rates[0] == rates[1]
    assert rates[0][-1] < rates[0][0]


def test_labels_are_used_by_the_supervised_terms_alone() -> None:
    chosen = samples(0)
    wrong = [replace(sample, magnitude=99.0) for sample in chosen]
    one, other, told = model(), model(), model()
    short = replace(SCHEDULE, epochs=4)
    train(one, chosen, samples(2), learning=LEARNING, schedule=short, seed=5)
    train(other, wrong, samples(2), learning=LEARNING, schedule=short, seed=5)
    assert same(one.state_dict(), other.state_dict())
    supervised = replace(LEARNING, weights=replace(WEIGHTS, supervised_alpha=1.0, supervised_field=1.0))
    history = train(told, wrong, samples(2), learning=supervised, schedule=short, seed=5)
    assert not same(one.state_dict(), told.state_dict())
    assert {"supervised_alpha", "supervised_field"} <= set(history.columns)


@pytest.mark.parametrize(("parents", "validation", "test"), [(50, 4, 10), (5, 1, 1), (101, 30, 40)])
def test_no_parent_is_in_two_splits(parents: int, validation: int, test: int) -> None:
    splits = assign(parents, validation, test)
    of = {name: {parent for parent, split in splits.items() if split == name} for name in splits.values()}
    assert len(of["test"]) == test
    assert not of["test"] & (of["train"] | of["validation"])
    assert not of["train"] & of["validation"]


def test_early_stopping_is_due_after_exactly_the_patience_and_keeps_the_best_weights() -> None:
    rule = EarlyStopping()
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 1.0]):
        rule.observe(loss, {"epoch": torch.tensor(epoch)})
    # An equal loss is no improvement.
    assert (rule.best_loss, int(rule.best_weights["epoch"]), rule.stale_epochs) == (1.0, 1, 2)
    assert rule.is_due(2)
    assert not rule.is_due(3)
    rule.restart()
    assert not rule.is_due(1)
    assert rule.best_loss == 1.0


def test_training_stops_early() -> None:
    eager = replace(SCHEDULE, epochs=40, frozen_fraction=0.1, stop_patience=1)
    still = replace(LEARNING, estimator_rate=1e-12, autoencoder_rate=1e-12)
    history = train(model(), samples(0), samples(2), learning=still, schedule=eager, seed=5)
    assert len(history) < 40


def test_test_time_steps_reach_the_coefficient_and_keep_what_was_before() -> None:
    told = video(3)
    fresh = model()
    fit = refine(
        fresh, told, learning=replace(LEARNING, estimator_rate=1e-2, autoencoder_rate=1e-4),
        steps=60, frozen_fraction=0.5, refresh=5, seed=1,
    )  # fmt: skip
    assert fit.sizes["step"] == 61
    assert float(fit["alpha"][0]) == pytest.approx(fit.attrs["alpha_amortised"])
    assert float(fit["alpha"][-1]) == pytest.approx(fit.attrs["alpha"])
    before = abs(fit.attrs["alpha_amortised"] - told.attrs["transport_coefficient"])
    assert abs(fit.attrs["alpha"] - told.attrs["transport_coefficient"]) < 0.2 * before
    assert fit["predicted"].shape == (FRAMES - 1, 16, 16)


@pytest.mark.parametrize("mobility", [False, True])
def test_test_time_steps_do_not_amplify_rounding(mobility: bool) -> None:
    # Each step of the estimator sees all frame pairs; with the few that are drawn for encoder and decoder, weights
    # changed by rounding would end at another coefficient.
    found = []
    for change in (0.0, 1e-7):
        own = model()
        random = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weights in own.parameters():
                weights.mul_(1 + change * torch.randn(weights.shape, generator=random))
        fit = refine(
            own, video(3, mobility), learning=replace(LEARNING, estimator_rate=1e-2, autoencoder_rate=1e-4),
            steps=40, frozen_fraction=0.3, refresh=5, seed=1,
        )  # fmt: skip
        found.append(fit.attrs["alpha"])
    assert abs(found[1] - found[0]) < 1e-5


def test_a_variant_changes_what_it_says_and_nothing_else() -> None:
    loss, training = {"identity": 1, "normalise": True}, {"frozen_fraction": 0.3, "propagation": "signed"}
    settings = {"seed": 1, "loss": loss, "autoencoder": {"zero_init": True}, "training": training}
    assert variants.changed(settings, variants.DEGENERACY["unfrozen_free"]) == {
        **settings,
        "loss": {"identity": 0, "normalise": True},
        "training": {"frozen_fraction": 0.0, "propagation": "signed"},
    }
    assert training["frozen_fraction"] == 0.3
