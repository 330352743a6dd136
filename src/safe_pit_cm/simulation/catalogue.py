"""The list of all videos, in one file, for stages that read most of them.

If every such stage named every video as an input, the time to plan a run would grow as videos times stages.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from safe_pit_cm.data import files, records, stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.simulation.splits import Split


def write(videos: Mapping[Split, Iterable[str]], path: str | Path) -> None:
    """Read every video, and write one row each: ``video`` (its path), ``parent``, ``process``, ``split``, ``digest``.

    Raises
    ------
    UserError
        If a video is missing or damaged.
    """
    rows = []
    for split, stored in videos.items():
        for video in stored:
            facts = stores.read(video, "video").attrs
            rows.append((video, facts["parent"], facts["process"], split, records.digest(video)))
    table = pd.DataFrame(rows, columns=["video", "parent", "process", "split", "digest"])
    with files.replacing(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def read(path: str | Path) -> dict[Split, list[str]]:
    """Paths of the videos of each split, in the order of the catalogue.

    Raises
    ------
    UserError
        If the file is not there, or a video is not the one that it lists.
    """
    try:
        table = pd.read_csv(path, dtype=str)
    except FileNotFoundError:
        raise UserError(f"the catalogue of videos {path} does not exist") from None
    for video, digest in zip(table["video"], table["digest"], strict=True):
        if not Path(video).exists() or records.digest(video) != digest:
            raise UserError(f"{video} is not the video that {path} lists; {records.rebuild(video)}")
    splits: tuple[Split, ...] = ("train", "validation", "test")
    return {split: table.loc[table["split"] == split, "video"].to_list() for split in splits}
