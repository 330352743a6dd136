"""Replacing files and directories: what readers see while and after a writer works, fails or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from safe_pit_cm.data import files


def listing(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, and its text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def write_directory(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "inside").write_text(text, encoding="utf-8")


def test_a_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old", encoding="utf-8")
    with files.replacing(target) as partial:
        partial.write_text("new", encoding="utf-8")
        # A reader sees the old content until the new one is complete.
        assert target.read_text(encoding="utf-8") == "old"
    assert listing(tmp_path) == {"table.csv": "new"}


def test_a_directory_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    target = tmp_path / "store.zarr"
    write_directory(target, "old")
    (target / "chunk that the new one lacks").write_text("old", encoding="utf-8")
    with files.replacing(target) as partial:
        write_directory(partial, "new")
        assert (target / "inside").read_text(encoding="utf-8") == "old"
    assert listing(tmp_path) == {"store.zarr/inside": "new"}


def test_a_file_replaces_a_directory_and_a_directory_a_file(tmp_path: Path) -> None:
    write_directory(tmp_path / "first", "old")
    (tmp_path / "second").write_text("old", encoding="utf-8")
    with files.replacing(tmp_path / "first") as partial:
        partial.write_text("new", encoding="utf-8")
    with files.replacing(tmp_path / "second") as partial:
        write_directory(partial, "new")
    assert listing(tmp_path) == {"first": "new", "second/inside": "new"}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are known on Linux alone")
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_all_data_are_on_the_disk_before_they_are_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    target = tmp_path / "target"
    synced: dict[Path, bool] = {}

    def sync(descriptor: int) -> None:
        synced[Path(f"/proc/self/fd/{descriptor}").readlink()] = target.exists()

    monkeypatch.setattr(os, "fsync", sync)
    with files.replacing(target) as partial:
        if kind == "file":
            partial.write_text("new", encoding="utf-8")
            written = {partial}
        else:
            write_directory(partial, "new")
            write_directory(partial / "group", "new")
            written = {partial, *partial.rglob("*")}
        assert not synced
    # The folder above, which has the new name, comes last.
    assert synced == {**dict.fromkeys(written, False), tmp_path: True}


def test_missing_folders_above_the_target_are_made(tmp_path: Path) -> None:
    with files.replacing(str(tmp_path / "a" / "b" / "file")) as partial:
        partial.write_text("new", encoding="utf-8")
    assert listing(tmp_path) == {"a/b/file": "new"}


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    write_directory(tmp_path / "elsewhere", "precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with files.replacing(tmp_path / "link") as partial:
        partial.write_text("new", encoding="utf-8")
    assert listing(tmp_path) == {"elsewhere/inside": "precious", "link": "new"}
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("before", ["absent", "present"])
def test_a_failed_write_leaves_what_stood_there_and_nothing_else(
    tmp_path: Path, kind: str, before: str, error: type[BaseException]
) -> None:
    target = tmp_path / "target"
    if before == "present":
        write_directory(target, "old")

    def fail() -> None:
        with files.replacing(target) as partial:
            if kind == "file":
                partial.write_text("half", encoding="utf-8")
            else:
                write_directory(partial, "half")
            raise error

    with pytest.raises(error):
        fail()
    assert listing(tmp_path) == ({"target/inside": "old"} if before == "present" else {})


def test_a_failure_before_anything_is_written_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "target"):
        raise RuntimeError
    assert listing(tmp_path) == {"target": "old"}


def test_a_block_that_writes_nothing_is_an_error_and_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old", encoding="utf-8")
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "target"):
        pass
    assert listing(tmp_path) == {"target": "old"}


KILLED = """
import os, signal, sys
from pathlib import Path
from safe_pit_cm.data import files

with files.replacing(sys.argv[1]) as partial:
    if sys.argv[2] == "directory":
        partial.mkdir()
        partial = partial / "inside"
    partial.write_text("half", encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_killed_writer_leaves_no_target_and_the_next_one_cleans_up(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    finished = subprocess.run([sys.executable, "-c", KILLED, target, kind], check=False)
    assert finished.returncode == -signal.SIGKILL
    assert not target.exists()
    # The writer did get as far as writing: its leftovers are there, under a name that no rule has for an output.
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(".")

    with files.replacing(target) as partial:
        assert not partial.exists()
        partial.write_text("new", encoding="utf-8")
    assert listing(tmp_path) == {"target": "new"}


WAITING = """
import sys
from safe_pit_cm.data import files

with files.replacing(sys.argv[1]) as partial:
    partial.mkdir()
    (partial / "inside").write_text("first", encoding="utf-8")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_one_target_do_not_disturb_one_another(tmp_path: Path) -> None:
    # A job that outlives a killed Snakemake, and the job that a new one starts.
    target = tmp_path / "target"
    command = [sys.executable, "-c", WAITING, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "writing\n"
        with files.replacing(target) as partial:
            write_directory(partial, "second")
        assert (target / "inside").read_text(encoding="utf-8") == "second"
        other.communicate("\n")
    assert other.returncode == 0
    assert listing(tmp_path) == {"target/inside": "first"}


def test_a_killed_writer_leaves_the_old_target(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old", encoding="utf-8")
    subprocess.run([sys.executable, "-c", KILLED, target, "file"], check=False)
    assert target.read_text(encoding="utf-8") == "old"


def test_two_targets_in_one_folder_do_not_share_what_is_being_written(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "a.pdf") as first, files.replacing(tmp_path / "a.png") as second:
        first.write_text("pdf", encoding="utf-8")
        second.write_text("png", encoding="utf-8")
    assert listing(tmp_path) == {"a.pdf": "pdf", "a.png": "png"}
