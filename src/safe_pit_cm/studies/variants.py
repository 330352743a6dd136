"""Short trainings beside the paper's, each the configured one with a few values changed.

``ESTIMATORS`` ask what an amortised estimator must read, and what normalising the loss and the propagation bring:
Phase 1 alone, since the answer does not depend on encoder and decoder. ``DEGENERACY`` asks what the two phases, the
zero initialisation and the identity loss prevent (§2.6). ``COLLAPSE`` asks what is learned without sub-steps (§2.4):
Phase 1 alone of the published estimator. No imports: the workflow reads this at every parse.
"""

from typing import Any

Changes = dict[str, dict[str, Any]]


def _estimator(reads: str, propagation: str = "stable", normalise: bool = True) -> Changes:
    # The filters of rates are cheap, and more of them scatter less from one training to the next.
    return {
        "estimator": {"reads": reads, "channels": 64} if reads == "rates" else {"reads": reads},
        "loss": {"normalise": normalise},
        "training": {"propagation": propagation, "frozen_fraction": 1.0},
    }


def _degeneracy(unfrozen: bool = True, zero_init: bool = True, identity: bool = True) -> Changes:
    return {
        "autoencoder": {"zero_init": zero_init},
        "loss": {} if identity else {"identity": 0},
        "training": {"frozen_fraction": 0.0} if unfrozen else {},
    }


ESTIMATORS: dict[str, Changes] = {
    "frames": _estimator("frames"),
    "positions": _estimator("positions"),
    "changes": _estimator("changes"),
    "rates": _estimator("rates"),
    "rates_raw": _estimator("rates", normalise=False),
    "frames_raw": _estimator("frames", normalise=False),
    "rates_signed": _estimator("rates", propagation="signed"),
    "frames_signed": _estimator("frames", propagation="signed"),
}

DEGENERACY: dict[str, Changes] = {
    "two_phases": _degeneracy(unfrozen=False),
    "unfrozen": _degeneracy(),
    "unfrozen_random": _degeneracy(zero_init=False),
    "unfrozen_free": _degeneracy(identity=False),
    "unfrozen_random_free": _degeneracy(zero_init=False, identity=False),
}

COLLAPSE: dict[str, Changes] = {
    f"coarse_{propagation}": {"training": {"propagation": propagation, "frozen_fraction": 1.0}}
    for propagation in ("signed", "stable")
}


def is_repeated(changes: Changes) -> bool:
    """Whether a variant is trained several times: those that carry the claim beyond the paper, which cost little."""
    return changes["estimator"]["reads"] == "rates" if "estimator" in changes else False


def changed(settings: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Settings, a mapping of sections, with the changes made; the original stays as it is."""
    return {
        name: {**section, **changes.get(name, {})} if isinstance(section, dict) else section
        for name, section in settings.items()
    }
