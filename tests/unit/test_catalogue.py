"""The catalogue gives back what it was given."""

from pathlib import Path

import pandas as pd
import pytest

from safe_pit_cm.data import stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.simulation import catalogue
from safe_pit_cm.simulation.splits import Split


def test_it_gives_back_the_videos_of_each_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Video:
        def __init__(self, path: str) -> None:
            self.attrs = {"parent": Path(path).stem, "process": "diffusion", "content_digest": f"of {path}"}

    monkeypatch.setattr(stores, "read", lambda path, kind: Video(path))
    videos: dict[Split, list[str]] = {"train": ["v/002.zarr", "v/000.zarr"], "validation": ["v/001.zarr"], "test": []}
    path = tmp_path / "new" / "catalogue.csv"
    catalogue.write(videos, path)
    assert catalogue.read(path) == videos
    table = pd.read_csv(path, dtype=str)
    assert list(table.columns) == ["video", "parent", "process", "split", "digest"]
    assert table["parent"].to_list() == ["002", "000", "001"]
    assert table["digest"][2] == "of v/001.zarr"


def test_a_missing_video_or_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.zarr does not exist"):
        catalogue.write({"train": [str(tmp_path / "no.zarr")]}, tmp_path / "catalogue.csv")
    assert not (tmp_path / "catalogue.csv").exists()
    with pytest.raises(UserError, match=r"catalogue\.csv does not exist"):
        catalogue.read(tmp_path / "catalogue.csv")
