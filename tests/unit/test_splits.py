"""The split of parent simulations."""

import csv
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_pit_cm.simulation import splits


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, int]:
    """Parents, and those of them that validate and test, with at least one left."""
    train, validation, test = draw(st.integers(1, 1200)), draw(st.integers(0, 30)), draw(st.integers(0, 30))
    return train + validation + test, validation, test


@settings(deadline=None, derandomize=True, max_examples=60)
@given(size=sizes())
def test_every_parent_is_in_one_split_of_the_size_that_was_asked_for(size: tuple[int, int, int]) -> None:
    parents, validation, test = size
    assigned = splits.assign(*size)
    assert [int(parent) for parent in assigned] == list(range(parents))
    counts = {split: list(assigned.values()).count(split) for split in ("train", "validation", "test")}
    assert counts == {"train": parents - validation - test, "validation": validation, "test": test}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(size=sizes())
def test_the_first_parents_train_and_the_last_test(size: tuple[int, int, int]) -> None:
    blocks = [split for split, _ in groupby(splits.assign(*size).values())]
    wanted = ["train"] + ["validation"] * (size[1] > 0) + ["test"] * (size[2] > 0)
    assert blocks == wanted


def test_the_paper_trains_on_forty_parents_of_which_four_validate() -> None:
    assigned = splits.assign(50, 4, 10)
    assert [parent for parent, split in assigned.items() if split == "test"] == [f"0{n}" for n in range(40, 50)]
    assert [parent for parent, split in assigned.items() if split == "validation"] == ["036", "037", "038", "039"]


@pytest.mark.parametrize(
    ("parent", "parents", "name"),
    [
        (7, 8, "007"),
        (0, 50, "000"),
        (999, 1000, "999"),
        (7, 1000, "007"),
        (7, 1001, "0007"),
        (1000, 1001, "1000"),
        (12, 100001, "000012"),
    ],
)
def test_names_have_three_digits_or_as_many_as_the_last_one_needs(parent: int, parents: int, name: str) -> None:
    assert splits.parent_id(parent, parents) == name


@pytest.mark.parametrize("parents", [50, 1000, 1001])
def test_names_sort_as_their_numbers_do(parents: int) -> None:
    names = list(splits.assign(parents, 0, 1))
    assert sorted(names) == names
    assert len({len(name) for name in names}) == 1


@pytest.mark.parametrize("size", [(10, 0, 10), (10, 5, 5), (10, 8, 8), (0, 0, 0)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="none to train on"):
        splits.assign(*size)


def test_the_file_has_a_row_a_video_and_both_videos_of_a_parent_in_one_split(tmp_path: Path) -> None:
    assigned = splits.assign(12, 2, 3)
    path = tmp_path / "made" / "splits.csv"
    splits.write(assigned, path)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["parent", "process", "split"]
    assert len(rows) == 24
    for process in ("diffusion", "mobility"):
        assert {row["parent"]: row["split"] for row in rows if row["process"] == process} == assigned


def test_the_file_ends_lines_alike_on_every_system(tmp_path: Path) -> None:
    splits.write(splits.assign(2, 0, 1), tmp_path / "splits.csv")
    assert (tmp_path / "splits.csv").read_bytes() == (
        b"parent,process,split\n000,diffusion,train\n001,diffusion,test\n000,mobility,train\n001,mobility,test\n"
    )
