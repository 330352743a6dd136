"""The model: what it is before training, what its parts see, and what its loss terms do."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from safe_pit_cm.errors import UserError
from safe_pit_cm.safe import autoencoder
from safe_pit_cm.safe.attention_estimator import Reads
from safe_pit_cm.safe.autoencoder import PeriodicConvolution, ResidualMap, SafePitCm
from safe_pit_cm.safe.composite_loss import TERMS, Weights, bounds_loss, total
from safe_pit_cm.safe.operator import SafeOperator

torch.set_num_threads(1)

ESTIMATOR = {"pooled_size": 8, "channels": 4, "stride": 2, "features": 8, "heads": 4, "reads": "frames"}
OFF = Weights(**dict.fromkeys(TERMS, 0.0), magnitude_low=0.1, magnitude_high=1.0)


def small_model(reads: Reads = "frames", zero_init: bool = True) -> SafePitCm:
    torch.manual_seed(0)
    coder = {"channels": 4, "blocks": 3, "zero_init": zero_init}
    return SafePitCm(SafeOperator(0.25, 0.5, 10), {**ESTIMATOR, "reads": reads}, coder)


def bits(field: torch.Tensor) -> torch.Tensor:
    return field.view(torch.int32)


@pytest.mark.parametrize("mode", [True, False])
def test_the_fresh_encoder_and_decoder_give_back_their_input_to_the_bit(mode: bool) -> None:
    model = small_model().train(mode)
    video = torch.rand(5, 16, 12)
    assert model.encoder.is_identity
    assert torch.equal(bits(model.encoder(video)), bits(video))
    assert torch.equal(bits(model.decoder(model.encoder(video))), bits(video))


def test_without_zero_initialisation_the_encoder_distorts_the_field() -> None:
    model = small_model(zero_init=False)
    video = torch.rand(5, 16, 16)
    assert not model.encoder.is_identity
    assert not torch.allclose(model.encoder(video), video, atol=1e-2)


def test_the_fresh_encoder_can_learn() -> None:
    model = small_model()
    model.encoder(torch.rand(2, 8, 8)).square().mean().backward()
    assert model.encoder.projection.weight.grad is not None
    assert model.encoder.projection.weight.grad.abs().sum() > 0


def test_the_maps_do_not_know_where_the_periodic_box_begins() -> None:
    coder = ResidualMap(channels=4, blocks=2, zero_init=False).eval()
    field = torch.rand(1, 16, 16)
    torch.testing.assert_close(coder(field.roll((3, 5), (-2, -1))), coder(field).roll((3, 5), (-2, -1)))


@pytest.mark.parametrize("shape", [(8, 8), (5, 9), (1, 2)])
def test_periodic_convolutions_are_those_of_pytorch_with_circular_padding(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    coder = ResidualMap(channels=4, blocks=2, zero_init=False).double()
    reference = copy.deepcopy(coder)
    for module in reference.modules():
        for name, child in module.named_children():
            if isinstance(child, PeriodicConvolution):
                circular = torch.nn.Conv2d(
                    child.in_channels, child.out_channels, 3, padding=1, padding_mode="circular", bias=False
                )
                circular.weight = child.weight
                setattr(module, name, circular.double())
    field = torch.rand(3, *shape, dtype=torch.float64, requires_grad=True)
    direction = torch.rand(3, *shape, dtype=torch.float64)
    found, expected = coder(field), reference(field)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradients = [
        torch.autograd.grad(result, [field, *of.parameters()], direction)
        for result, of in ((found, coder), (expected, reference))
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_frozen_application_in_pieces_without_normalisations_gives_the_whole() -> None:
    coder = ResidualMap(channels=4, blocks=2, zero_init=False).double()
    video = torch.rand(37, 8, 8, dtype=torch.float64)
    # Statistics and weights of normalisations as after training, far from 0 and 1.
    coder(3 * video)
    with torch.no_grad():
        for parameter in coder.parameters():
            parameter.add_(0.1 * torch.rand_like(parameter))
    before = copy.deepcopy(coder.state_dict())
    coder.eval()
    torch.testing.assert_close(coder.apply_frozen(video), coder(video), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(coder.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "term", ["safe", "reconstruction", "identity", "bounds", "supervised_alpha", "supervised_field"]
)
def test_a_term_of_weight_zero_is_not_computed(term: str) -> None:
    def computed() -> torch.Tensor:
        return torch.tensor(2.0)

    def forbidden() -> torch.Tensor:
        raise AssertionError("this term is off")

    terms = {name: computed if name == term else forbidden for name in TERMS}
    loss, values = total(replace(OFF, **{term: 3.0}), terms)
    assert loss.item() == 6.0
    assert values == {term: 2.0}


def test_a_loss_without_terms_is_refused() -> None:
    with pytest.raises(ValueError, match="no term is on"):
        total(OFF, {"safe": lambda: torch.tensor(1.0)})


def test_bounds_cost_only_outside_their_range() -> None:
    assert bounds_loss(torch.tensor([0.1, 0.5, 1.0]), 0.1, 1.0).item() == 0.0
    assert bounds_loss(torch.tensor([0.0, 1.2]), 0.1, 1.0).item() == pytest.approx((0.01 + 0.04) / 2)


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = small_model("rates", zero_init=False)
    autoencoder.save(model, tmp_path / "model.safetensors", {"package_version": "0"})
    again = autoencoder.load(tmp_path / "model.safetensors")
    autoencoder.save(again, tmp_path / "again.safetensors", {"package_version": "0"})
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    assert again.settings == model.settings
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_a_damaged_model_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match=r"model\.safetensors does not exist"):
        autoencoder.load(path)
    path.write_bytes(b"not a model")
    with pytest.raises(UserError, match="cannot be used"):
        autoencoder.load(path)
