"""Random streams that depend on the seed and the parent simulation alone.

A parent's numbers are the same however many parents run, in which order and on how many cores, and each
purpose has a stream of its own, so that a change to one stage leaves the draws of the others alone. Replicates repeat a
purpose with other draws; the first one, 0, is the run itself.
"""

from typing import Literal

import numpy as np

Stream = Literal[
    "microstructure",
    "transport",
    "zero_shot",
    "training",
    "refinement",
    "baselines",
    "noise",
    "lost_choices",
    "noisy_training",
    "noise_levels",
]
_STREAM_KEYS: dict[Stream, int] = {
    "microstructure": 0,
    "transport": 1,
    "zero_shot": 2,
    "training": 3,
    "refinement": 4,
    "baselines": 5,
    "noise": 6,
    "lost_choices": 7,
    "noisy_training": 8,
    "noise_levels": 9,
}


def seed_sequence(seed: int, parent: int, stream: Stream, replicate: int = 0) -> np.random.SeedSequence:
    """Seed sequence of one purpose of one parent simulation, spawned from the seed of the config."""
    repeated = (replicate,) if replicate else ()
    return np.random.SeedSequence(seed, spawn_key=(parent, _STREAM_KEYS[stream], *repeated))


def generator(seed: int, parent: int, stream: Stream, replicate: int = 0) -> np.random.Generator:
    """NumPy generator on :func:`seed_sequence`."""
    return np.random.default_rng(seed_sequence(seed, parent, stream, replicate))


def torch_seed(seed: int, parent: int, stream: Stream, replicate: int = 0) -> int:
    """Seed for torch's generators, from :func:`seed_sequence`."""
    return int(seed_sequence(seed, parent, stream, replicate).generate_state(1)[0])
