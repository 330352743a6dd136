"""Adam and the reduction of its rates: equal to PyTorch's, without PyTorch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from safe_pit_cm.safe.optimisation import Adam, Plateau

torch.set_num_threads(1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))


def descend(model: nn.Sequential, optimiser: Adam | torch.optim.Adam, step: int) -> None:
    """One step; the last layer is frozen at first, so that its parameters have no gradient."""
    model[2].requires_grad_(step >= 7)
    optimiser.zero_grad()
    data = torch.rand(8, 3, generator=torch.Generator().manual_seed(step))
    model(data).square().mean().backward()
    optimiser.step()


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_adam_equals_that_of_pytorch_bit_for_bit() -> None:
    ours, theirs = network(), network()
    adam = Adam((ours[0].parameters(), 1e-2), (ours[2].parameters(), 3e-3))
    reference = torch.optim.Adam(
        [{"params": theirs[0].parameters(), "lr": 1e-2}, {"params": theirs[2].parameters(), "lr": 3e-3}]
    )
    for step in range(60):
        if step == 30:
            adam.rates[0] = reference.param_groups[0]["lr"] = 5e-3
        descend(ours, adam, step)
        descend(theirs, reference, step)
        assert_same_weights(ours, theirs)


def test_adam_continues_from_its_state() -> None:
    unbroken, resumed = network(), network()
    first = Adam((unbroken.parameters(), 1e-2))
    for step in range(12):
        descend(unbroken, first, step)
    resumed.load_state_dict(unbroken.state_dict())
    second = Adam((resumed.parameters(), 1.0))
    second.load(*first.state())
    for step in range(12, 20):
        descend(unbroken, first, step)
        descend(resumed, second, step)
    assert_same_weights(unbroken, resumed)


@pytest.mark.parametrize("largest", [1e-3, 1e3])
def test_gradients_are_shortened_as_by_pytorch(largest: float) -> None:
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model[2].requires_grad_(False)
        model(torch.ones(2, 3)).sum().backward()
    Adam((ours.parameters(), 1.0)).clip(largest)
    nn.utils.clip_grad_norm_(theirs.parameters(), largest)
    for one, other in zip(ours[0].parameters(), theirs[0].parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_rates_are_reduced_when_pytorch_reduces_them(patience: int) -> None:
    losses = (torch.rand(200, generator=torch.Generator().manual_seed(patience)) * torch.linspace(2, 1, 200)).tolist()
    reference = torch.optim.Adam(network().parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(reference, factor=0.9, patience=patience, eps=0.0)
    plateau, rate = Plateau(0.9, patience), 1.0
    # The last improvement is too small to count. With its eps, PyTorch would keep rates below 1e-8.
    for loss in [*losses, min(losses) * (1 - 1e-5)]:
        scheduler.step(loss)
        rate *= plateau.observe(loss)
        assert rate == reference.param_groups[0]["lr"]
    assert rate < 0.9


def test_no_step_imports_the_compiler() -> None:
    code = """
import sys, torch
from torch import nn
from safe_pit_cm.safe import experiment, test_time, zero_shot
from safe_pit_cm.safe.optimisation import Adam
weight = nn.Parameter(torch.ones(3))
optimiser = Adam(([weight], 0.1))
weight.square().sum().backward()
nn.utils.clip_grad_norm_([weight], 1.0)
optimiser.step()
optimiser.zero_grad()
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
