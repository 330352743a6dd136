"""Short trainings in addition to the paper's, each the configured one with a few values changed.

``PROCEDURES`` justify the procedure of the training: each changes one of its choices, in the first epochs of Phase 1.
``ESTIMATORS`` compare inputs of an amortised estimator, normalisation of the loss, and propagation, by Phase 1 alone,
since the result does not depend on encoder and decoder. ``DEGENERACY`` shows what the two phases, the zero
initialisation and the identity loss prevent (§2.6). ``COLLAPSE`` shows what is learned without sub-steps (§2.4), by
Phase 1 of the published estimator. Nothing heavy is imported here: the workflow reads this module whenever it is
parsed.
"""

from typing import Any

Changes = dict[str, dict[str, Any]]


def _estimator(reads: str, propagation: str = "stable", normalise: bool = True) -> Changes:
    # The filters of rates are cheap, and more of them reduce the scatter between trainings.
    return {
        "estimator": {"reads": reads, "channels": 64} if reads == "rates" else {"reads": reads},
        "loss": {"normalise": normalise},
        # Rates are noisy over one video.
        "training": {"propagation": propagation, "frozen_fraction": 1.0} | ({"batch": 8} if reads == "rates" else {}),
    }


def _degeneracy(unfrozen: bool = True, zero_init: bool = True, identity: bool = True) -> Changes:
    return {
        "autoencoder": {"zero_init": zero_init},
        # Normalised, the SAFE loss is strong enough to spoil the encoder in few epochs.
        "loss": {"normalise": True} if identity else {"normalise": True, "identity": 0},
        "training": {"frozen_fraction": 0.0} if unfrozen else {},
    }


def _procedure(**changes: dict[str, Any]) -> Changes:
    return {**changes, "training": {"frozen_fraction": 1.0, **changes.get("training", {})}}


PROCEDURES: dict[str, Changes] = {
    "procedure_chosen": _procedure(),
    "procedure_signed": _procedure(training={"propagation": "signed"}),
    "procedure_normalised": _procedure(loss={"normalise": True}),
    "procedure_not_standardised": _procedure(estimator={"standardise": False}),
    "procedure_large_batch": _procedure(training={"batch": 8}),
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
    f"coarse_{propagation}": {
        "loss": {"normalise": True},
        "training": {"propagation": propagation, "frozen_fraction": 1.0},
    }
    for propagation in ("signed", "stable")
}


def is_repeated(changes: Changes) -> bool:
    """Whether a variant is trained several times: the one behind the claim beyond the paper, which costs little."""
    return changes == ESTIMATORS["rates"]


def changed(settings: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Changed copy of settings, a mapping of sections."""
    return {
        name: {**section, **changes.get(name, {})} if isinstance(section, dict) else section
        for name, section in settings.items()
    }
