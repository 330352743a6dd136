"""Early stopping (§3.1): training ends when the validation loss stops improving, with the best weights."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class EarlyStopping:
    """State of the rule.

    Attributes
    ----------
    best_weights, best_loss
        Weights of the epoch with the smallest validation loss so far, and that loss.
    stale_epochs
        Epochs since then.
    """

    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_loss: float = float("inf")
    stale_epochs: int = 0

    def observe(self, loss: float, weights: dict[str, Tensor]) -> None:
        """Record the validation loss of an epoch; its weights are copied if they are the best so far."""
        self.stale_epochs += 1
        if loss < self.best_loss:
            self.best_loss, self.stale_epochs = loss, 0
            self.best_weights = {name: value.detach().clone() for name, value in weights.items()}

    def restart(self) -> None:
        """Reset the count, as at the start of Phase 2; the best weights are kept."""
        self.stale_epochs = 0

    def is_due(self, patience: int) -> bool:
        """Whether ``patience`` epochs have passed without a better validation loss."""
        return self.stale_epochs >= patience
