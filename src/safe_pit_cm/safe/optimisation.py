"""Adam, and the rule that reduces its learning rates.

Both do what PyTorch's own do, to the bit. Those cannot be used without importing PyTorch's compiler, which takes longer
than a short fit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MEAN_DECAY, _SQUARE_DECAY, _SMALL = 0.9, 0.999, 1e-8


class Adam:
    """Adam with the usual decay rates, equal to ``torch.optim.Adam`` on the CPU (Kingma and Ba 2015).

    With the running means m of the gradient g and v of its square, after n steps,

        θ ← θ − η m / (1 − β₁ⁿ) / (√(v / (1 − β₂ⁿ)) + ε).

    A parameter without gradient is unchanged, and the step does not count for it.

    Parameters
    ----------
    groups
        Parameters, and their learning rate η.

    Attributes
    ----------
    rates
        Learning rate of each group, which may be changed between steps.
    """

    def __init__(self, *groups: tuple[Iterable[nn.Parameter], float]) -> None:
        self.rates = [rate for _, rate in groups]
        self._parameters = [(parameter, group) for group, (of, _) in enumerate(groups) for parameter in of]
        self._means = [torch.zeros_like(parameter) for parameter, _ in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter, _ in self._parameters]
        self._steps = [0] * len(self._parameters)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter, _ in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def clip(self, maximum_gradient_norm: float) -> None:
        """Shorten the gradient of all parameters to this norm where it is longer."""
        gradients = [parameter.grad for parameter, _ in self._parameters if parameter.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        factor = maximum_gradient_norm / (norm.item() + 1e-6)
        if factor < 1:
            torch._foreach_mul_(gradients, factor)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the gradients."""
        moved, parameters, gradients = [], [], []
        for index, (parameter, _) in enumerate(self._parameters):
            if parameter.grad is not None:
                moved.append(index)
                parameters.append(parameter.data)
                gradients.append(parameter.grad)
        if not moved:
            return
        means, squares = [self._means[index] for index in moved], [self._squares[index] for index in moved]
        # Of a list at a time: a step of a small network is hardly more than the start of its operations.
        torch._foreach_lerp_(means, gradients, 1 - _MEAN_DECAY)
        torch._foreach_mul_(squares, _SQUARE_DECAY)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - _SQUARE_DECAY)
        sizes, roots = [], []
        for index in moved:
            self._steps[index] += 1
            sizes.append(-self.rates[self._parameters[index][1]] / (1 - _MEAN_DECAY ** self._steps[index]))
            roots.append((1 - _SQUARE_DECAY ** self._steps[index]) ** 0.5)
        scales = torch._foreach_sqrt(squares)
        torch._foreach_div_(scales, roots)
        torch._foreach_add_(scales, _SMALL)
        torch._foreach_addcdiv_(parameters, means, scales, scalars=sizes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, list[float]]]:
        """Running means by name, and numbers: everything that the next step depends on."""
        tensors = {
            f"{name}/{index}": tensor
            for name, tensors in (("mean", self._means), ("square", self._squares))
            for index, tensor in enumerate(tensors)
        }
        return tensors, {"rates": self.rates, "steps": [*self._steps]}

    def load(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Sequence[float]]) -> None:
        """Continue from what :meth:`state` gave."""
        for name, tensor in self.state()[0].items():
            tensor.copy_(tensors[name])
        self.rates, self._steps = [*numbers["rates"]], [int(steps) for steps in numbers["steps"]]


@dataclass
class Plateau:
    """Reduction of the learning rates where the loss stops falling, as ``ReduceLROnPlateau`` of PyTorch does.

    Attributes
    ----------
    factor
        By which the rates are multiplied.
    patience
        Number of epochs without a smaller loss that are accepted.
    best_loss, stale_epochs
        Smallest loss so far, and the epochs since then or since the last reduction.
    """

    factor: float
    patience: int
    best_loss: float = float("inf")
    stale_epochs: int = 0

    def restart(self) -> None:
        """Forget the losses so far, as where the loss is another one."""
        self.best_loss, self.stale_epochs = float("inf"), 0

    def observe(self, loss: float) -> float:
        """Factor by which to multiply the rates after an epoch of this loss: 1, or :attr:`factor`."""
        self.stale_epochs += 1
        # A loss smaller by less than this is no improvement.
        if loss < self.best_loss * (1 - 1e-4):
            self.best_loss, self.stale_epochs = loss, 0
        if self.stale_epochs <= self.patience:
            return 1.0
        self.stale_epochs = 0
        return self.factor
