"""Split the parent simulations into training, validation and test (§2.2, A.4).

A parent gives one diffusion video and its time reversal. The split is by parent, never by video: no test video is the
reversal of a video seen in training.
"""

import csv
from pathlib import Path
from typing import Literal

from safe_pit_cm.data import files
from safe_pit_cm.equations.processes import PROCESSES

Split = Literal["train", "validation", "test"]
_COLUMNS = ("parent", "process", "split")


def parent_id(parent: int, parents: int) -> str:
    """Zero-padded name of a parent, such as ``007``: three digits, or as many as the last one needs."""
    return f"{parent:0{max(3, len(str(parents - 1)))}d}"


def assign(parents: int, validation_parents: int, test_parents: int) -> dict[str, Split]:
    """Split of every parent: training first, then validation, then test ("the first 80", A.4).

    Raises
    ------
    ValueError
        If no parent remains for training.
    """
    train_parents = parents - validation_parents - test_parents
    if train_parents < 1:
        raise ValueError(f"{parents} parents leave none to train on")
    splits: list[Split] = ["train"] * train_parents
    splits += ["validation"] * validation_parents
    splits += ["test"] * test_parents
    return {parent_id(number, parents): split for number, split in enumerate(splits)}


def write(splits: dict[str, Split], path: str | Path) -> None:
    """Write ``parent,process,split``, one row per video."""
    rows = [(parent, process, split) for process in PROCESSES for parent, split in splits.items()]
    with files.replacing(path) as partial, partial.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
