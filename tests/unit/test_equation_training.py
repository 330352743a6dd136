"""The paper's model, training and test-time steps for an equation with several coefficients."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import yaml

from checkout import ROOT
from safe_pit_cm.models import catalogue
from safe_pit_cm.safe import equation_training, test_time, training
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.coefficient_estimator import CoefficientEstimator, stable_operator
from safe_pit_cm.safe.equation_operator import EquationOperator
from safe_pit_cm.safe.equation_training import EquationSample
from safe_pit_cm.safe.operator import SafeOperator
from safe_pit_cm.safe.phases import Learning, autoencoder_loss, draw_pairs, freeze, frozen_loss
from safe_pit_cm.safe.samples import ProcessSample

torch.set_num_threads(1)

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
ESTIMATOR = {"pooled_size": 8, "channels": 4, "stride": 2, "features": 8, "heads": 4, "standardise": True}
AUTOENCODER = {"channels": 2, "blocks": 2, "zero_init": True}
INTERVAL, SPACING, FRAMES, SIZE = 0.25, 0.5, 9, 16


def video(name: str, parent: int, theta: list[float] | None = None) -> xr.Dataset:
    """Frames that the SAFE operator of ten sub-steps itself makes from a smooth start."""
    model = catalogue.named(name)
    draw = np.random.default_rng(parent)
    example = np.array([each.example for each in model.coefficients])
    truth = np.array(theta) if theta is not None else example * draw.uniform(0.8, 1.2, len(example))
    modes = np.fft.rfft2(draw.standard_normal((len(model.fields), SIZE, SIZE)))
    decay = np.exp(-20 * (np.fft.fftfreq(SIZE)[:, None] ** 2 + np.fft.rfftfreq(SIZE)[None] ** 2))
    frames = [torch.from_numpy(0.5 + 0.3 * np.fft.irfft2(modes * decay))]
    operator = EquationOperator(model, INTERVAL, SPACING, 10)
    for _ in range(FRAMES - 1):
        frames.append(operator(frames[-1], torch.from_numpy(truth)))
    return xr.Dataset(
        {"field": (("time", "component", "y", "x"), torch.stack(frames).numpy())},
        attrs={
            "model": name,
            "parent": f"{parent:03d}",
            "coefficients": dict(zip(model.names, map(float, truth), strict=True)),
            "grid_spacing": SPACING,
            "frame_interval": INTERVAL,
        },
    )


def samples(name: str, *parents: int) -> list[EquationSample]:
    return [EquationSample.of_video(video(name, parent)) for parent in parents]


def fresh(name: str, own: list[EquationSample]) -> SafePitCm:
    torch.manual_seed(0)
    return equation_training.fresh_model(
        catalogue.named(name), own, 0.2, interval=INTERVAL, spacing=SPACING, estimator=ESTIMATOR,
        autoencoder=AUTOENCODER,
    )  # fmt: skip


def learning(name: str) -> Learning:
    return equation_training.learning(catalogue.named(name), 0.2, CONFIG["loss"], CONFIG["training"])


def test_every_output_has_the_sign_that_the_bounds_declare() -> None:
    estimator = CoefficientEstimator(["positive", "negative", "any"], [1.0, 2.0, 3.0], **ESTIMATOR)
    last = estimator.head[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, -3.0)
    found = estimator(estimator.compress(torch.randn(4, 5, 1, 8, 8)))
    softplus = np.log1p(np.exp(-3.0)) / np.log(2.0)
    np.testing.assert_allclose(found.detach(), np.tile([softplus, -2.0 * softplus, -9.0], (4, 1)), rtol=1e-6)


def test_rates_tell_one_coefficient_only() -> None:
    with pytest.raises(ValueError, match="rates"):
        CoefficientEstimator(["positive"], [1.0], **ESTIMATOR, reads="rates")


def test_encoder_and_decoder_treat_each_field_of_a_vector_by_itself() -> None:
    own = samples("gray-scott", 0)
    model = fresh("gray-scott", own)
    torch.nn.init.normal_(model.encoder.projection.weight)
    model.eval()
    whole = model.encoder(own[0].field)
    for index in range(2):
        torch.testing.assert_close(whole[:, index], model.encoder(own[0].field[:, index]))
    swapped = model.encoder(own[0].field.flip(1)).flip(1)
    torch.testing.assert_close(swapped, whole)


def test_diffusion_as_an_equation_has_the_losses_of_the_paper() -> None:
    """Against the implementation for the paper's process: spectral SAFE loss, and its own operator."""
    made = video("diffusion", 0, [0.4])
    as_equation = EquationSample.of_video(made)
    as_process = ProcessSample("000", as_equation.field[:, 0], as_equation.change, "diffusion", 0.4)
    own = learning("diffusion")
    losses = []
    for sample, operator in (
        (as_equation, EquationOperator(catalogue.named("diffusion"), INTERVAL, SPACING, 10, "fourier")),
        (as_process, SafeOperator(INTERVAL, SPACING, 10)),
    ):
        torch.manual_seed(1)
        model = SafePitCm(operator, ESTIMATOR, AUTOENCODER | {"zero_init": False})
        if sample is as_equation:
            # One output: the same network, with an axis for the coefficient.
            single = CoefficientEstimator(["positive"], [np.log(2.0)], **ESTIMATOR)
            single.load_state_dict({**model.estimator.state_dict(), "sizes": single.sizes})
            model.estimator = single
        model.eval()
        latent = freeze(model, sample, own.propagation)
        frames = draw_pairs([sample], 3, torch.Generator().manual_seed(2))
        for loss, terms in (
            frozen_loss(model, own, [sample], [latent]),
            autoencoder_loss(model, own, own.weights, [sample], [latent], frames),
        ):
            model.zero_grad()
            loss.backward()
            slopes = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            losses.append((terms, slopes))
    half = len(losses) // 2
    for (terms, slopes), (expected, expected_slopes) in zip(losses[:half], losses[half:], strict=True):
        assert terms == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(slopes, expected_slopes, rtol=1e-3, atol=1e-6)


def test_the_bounds_loss_spares_the_range_of_each_coefficient() -> None:
    weights = learning("advection-diffusion").weights
    # D = 0.3, vx = 0.4 and vy = −0.2, within a fifth: the range keeps the sign of each.
    torch.testing.assert_close(torch.as_tensor(weights.magnitude_low), torch.tensor([0.12, 0.16, -0.36]))
    torch.testing.assert_close(torch.as_tensor(weights.magnitude_high), torch.tensor([0.54, 0.72, -0.08]))


def test_phase_1_leaves_the_autoencoder_as_it_is_and_phase_2_changes_it() -> None:
    own, watched = samples("fisher-kpp", 0, 1), samples("fisher-kpp", 2)
    model = fresh("fisher-kpp", own)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    schedule = training.Schedule(
        epochs=4, frozen_fraction=0.5, batch=1, refresh=1, refinement_factor=1.0, ramp=1, rate_factor=0.5,
        rate_patience=5, stop_patience=5,
    )  # fmt: skip
    seen: list[bool] = []

    def look(row: training.Row, seconds_left: float) -> None:
        seen.append(all(torch.equal(value, before[name]) for name, value in model.encoder.state_dict().items()))

    history = training.train(
        model, own, watched, learning=learning("fisher-kpp"), schedule=schedule, seed=1, progress=look
    )
    assert seen == [True, True, False, False]
    assert {"alpha_error_D", "alpha_error_r", "alpha_D_002", "alpha_r_002"} <= set(history)
    assert list(history["phase"]) == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("name", ["fisher-kpp", "advection-diffusion"])
def test_the_frozen_loss_of_the_truth_is_zero_and_steps_descend_to_it(name: str) -> None:
    (sample,) = samples(name, 0)
    model = fresh(name, [sample])
    model.operator = EquationOperator(catalogue.named(name), INTERVAL, SPACING, 10)
    latent = freeze(model, sample, "stable")
    at_truth = latent.safe(torch.tensor(sample.truth)).item() / sample.change
    assert at_truth < 1e-8
    own = replace(learning(name), estimator_rate=0.01)
    course = test_time.take_steps(model, sample, learning=own, steps=100, frozen_fraction=1.0, refresh=1, seed=0)
    assert course.losses[-1] < 1e-3 * course.losses[0]
    np.testing.assert_allclose(course.estimates[-1], sample.truth, rtol=0.05)
    assert course.after.predicted.shape == (FRAMES - 1, 1, SIZE, SIZE)


def test_two_fields_are_trained_and_refined() -> None:
    own, watched = samples("gray-scott", 0), samples("gray-scott", 1)
    model = fresh("gray-scott", own)
    schedule = training.Schedule(
        epochs=2, frozen_fraction=0.5, batch=1, refresh=1, refinement_factor=1.0, ramp=1, rate_factor=0.5,
        rate_patience=5, stop_patience=5,
    )  # fmt: skip
    rule = learning("gray-scott")
    history = training.train(model, own, watched, learning=rule, schedule=schedule, seed=1)
    assert np.isfinite(history["validation_loss"]).all()
    course = test_time.take_steps(model, watched[0], learning=rule, steps=4, frozen_fraction=0.5, refresh=1, seed=0)
    assert course.estimates.shape == (5, 4)
    assert (course.estimates > 0).all()


def test_the_operator_is_stable_for_a_fresh_network() -> None:
    fields = torch.rand(3, 1, 8, 8)
    operator = stable_operator(catalogue.named("fisher-kpp"), [1.0, 0.1], INTERVAL, 0.25, fields)
    # 1.2 · 8/0.25² · 0.25 / 2 = 19.2 sub-steps of diffusion alone, where D = 1 needs 16.
    assert 20 <= operator.substeps <= 21


def test_history_columns_are_those_of_the_paper_for_its_processes() -> None:
    one = ProcessSample("003", torch.zeros(2, 4, 4), 1.0, "mobility", 0.5)
    row = training._recovery([one], [torch.tensor(0.3)])
    assert pd.Series(row).round(6).to_dict() == {"alpha_error_mobility": 0.2, "alpha_mobility_003": 0.3}
