"""The catalogue gives back what it was given."""

from pathlib import Path

import pandas as pd
import pytest

from safe_pit_cm.data import records, stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.simulation import catalogue
from safe_pit_cm.simulation.splits import Split


def test_it_gives_back_the_videos_of_each_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Video:
        def __init__(self, path: str) -> None:
            self.attrs = {"parent": Path(path).stem, "process": "diffusion"}

    monkeypatch.setattr(stores, "read", lambda path, kind: Video(path))
    monkeypatch.chdir(tmp_path)
    videos: dict[Split, list[str]] = {"train": ["v/002.zarr", "v/000.zarr"], "validation": ["v/001.zarr"], "test": []}
    for video in [*videos["train"], *videos["validation"]]:
        Path(video).parent.mkdir(exist_ok=True)
        Path(video).write_text(video, encoding="utf-8")
    path = tmp_path / "new" / "catalogue.csv"
    catalogue.write(videos, path)
    assert catalogue.read(path) == videos
    table = pd.read_csv(path, dtype=str)
    assert list(table.columns) == ["video", "parent", "process", "split", "digest"]
    assert table["parent"].to_list() == ["002", "000", "001"]
    assert table["digest"][2] == records.digest("v/001.zarr")
    Path("v/001.zarr").write_text("another", encoding="utf-8")
    with pytest.raises(UserError, match=r"^v/001\.zarr is not the video that .*catalogue\.csv lists"):
        catalogue.read(path)


def test_a_missing_video_or_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.zarr does not exist"):
        catalogue.write({"train": [str(tmp_path / "no.zarr")]}, tmp_path / "catalogue.csv")
    assert not (tmp_path / "catalogue.csv").exists()
    with pytest.raises(UserError, match=r"catalogue\.csv does not exist"):
        catalogue.read(tmp_path / "catalogue.csv")
