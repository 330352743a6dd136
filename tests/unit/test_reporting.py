"""The log of a stage: progress, time, and errors in one sentence."""

import errno
import logging
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from safe_pit_cm.data import reporting
from safe_pit_cm.errors import UserError


@pytest.fixture(autouse=True)
def _warnings_as_they_were() -> Iterator[None]:
    # A stage sends the warnings of its process to its log for good; other tests are in this process, too.
    yield
    logging.captureWarnings(False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "stage.log"


def run(log: Path, error: BaseException | None = None) -> None:
    with reporting.stage(str(log)):
        if error is not None:
            raise error


def fail(log: Path, error: Exception) -> list[str]:
    """Lines that a stage leaves in its log when its body raises."""
    with pytest.raises(SystemExit) as caught:
        run(log, error)
    assert caught.value.code == 1
    # Nothing for Python to print after the status.
    assert caught.value.__suppress_context__
    return log.read_text(encoding="utf-8").splitlines()


def test_progress_is_in_the_log_at_once(log: Path) -> None:
    with reporting.stage(str(log)) as logger:
        for step in (1, 2):
            logger.info("step %d", step)
            lines = log.read_text(encoding="utf-8").splitlines()
            assert len(lines) == step
            assert re.fullmatch(rf"\d\d:\d\d:\d\d INFO step {step}", lines[-1])


def test_a_stage_that_succeeds_says_how_long_it_took(log: Path) -> None:
    run(log)
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert re.search(r" INFO done in \d+\.\d\d s", line)


def test_the_log_of_an_earlier_run_is_replaced(log: Path) -> None:
    log.write_text("of an earlier run\n", encoding="utf-8")
    run(log)
    assert "earlier" not in log.read_text(encoding="utf-8")


def test_what_the_user_can_mend_is_one_line_without_a_traceback(log: Path) -> None:
    (line,) = fail(log, UserError("the store α.zarr is damaged; rebuild it"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d ERROR the store α\.zarr is damaged; rebuild it", line)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_that_says_what_to_do(log: Path, code: int) -> None:
    (line,) = fail(log, OSError(code, "No space left on device", "results/007.zarr"))
    assert line.endswith("ERROR no space is left to write results/007.zarr; free some space and run again")


def test_a_full_disk_without_a_file_name_is_a_sentence_too(log: Path) -> None:
    (line,) = fail(log, OSError(errno.ENOSPC, "No space left on device"))
    assert line.endswith("ERROR no space is left to write the output; free some space and run again")


def test_a_missing_permission_is_one_sentence_that_names_the_file(log: Path) -> None:
    (line,) = fail(log, PermissionError(errno.EACCES, "Permission denied", "results/007.zarr"))
    assert " ERROR no permission to write or read results/007.zarr; " in line


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("division by zero"), OSError(errno.EIO, "Input/output error"), KeyError("alpha")]
)
def test_an_error_of_ours_leaves_its_traceback(log: Path, error: Exception) -> None:
    lines = fail(log, error)
    assert lines[0].endswith("ERROR an error in safe-pit-cm itself")
    assert lines[1] == "Traceback (most recent call last):"
    # The traceback leads to where it was raised, and ends in what it was.
    assert any("raise error" in line for line in lines)
    assert lines[-1].startswith(f"{type(error).__name__}: ")


def test_a_failed_stage_does_not_say_that_it_is_done(log: Path) -> None:
    assert not any("done in" in line for line in fail(log, UserError("no")))


@pytest.mark.parametrize("error", [None, UserError("no"), ValueError("no"), KeyboardInterrupt()])
def test_a_stage_leaves_no_handler_behind_however_it_ends(log: Path, error: BaseException | None) -> None:
    loggers = [reporting.logger, logging.getLogger("py.warnings")]
    before = [list(logger.handlers) for logger in loggers]
    if error is None:
        run(log)
    else:
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            run(log, error)
    assert [logger.handlers for logger in loggers] == before


def test_a_second_stage_writes_to_its_own_log_alone(tmp_path: Path) -> None:
    run(tmp_path / "first.log")
    first = (tmp_path / "first.log").read_bytes()
    with reporting.stage(str(tmp_path / "second.log")) as logger:
        logger.info("of the second")
    assert (tmp_path / "first.log").read_bytes() == first
    assert (tmp_path / "second.log").read_text(encoding="utf-8").count("of the second") == 1


def test_warnings_go_to_the_log(log: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with reporting.stage(str(log)):
            warnings.warn("a number is odd", RuntimeWarning, stacklevel=1)
    assert "RuntimeWarning: a number is odd" in log.read_text(encoding="utf-8")


SCRIPT = """
import sys
from safe_pit_cm.data import reporting
from safe_pit_cm.errors import UserError

with reporting.stage(sys.argv[1]) as log:
    log.info("working")
    raise UserError("the input is odd")
"""


def test_a_failing_script_ends_with_status_one_and_a_quiet_terminal(log: Path) -> None:
    finished = subprocess.run([sys.executable, "-c", SCRIPT, log], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", "")
    lines = [line.split(" ", 1)[1] for line in log.read_text(encoding="utf-8").splitlines()]
    assert lines == ["INFO working", "ERROR the input is odd"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file on a full device")
def test_a_sentence_that_a_full_disk_keeps_out_of_the_log_is_on_the_terminal() -> None:
    command = [sys.executable, "-c", SCRIPT, "/dev/full"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (1, "")
    lines = [line.split(" ", 1)[1] for line in finished.stderr.splitlines()]
    assert lines == ["INFO working", "ERROR the input is odd"]
