"""The lines of progress: share, time left and stages, by a clock that the test sets."""

import re
from dataclasses import dataclass

import pytest

from safe_pit_cm.data.progress import Progress


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_job_counts_as_long_as_it_takes_and_time_left_follows_from_the_jobs_at_once(clock: Clock) -> None:
    # Four short jobs and two of ten times that length, two at a time.
    progress = Progress({**dict.fromkeys(range(4), "short"), 4: "long", 5: "long"}, {"short": 1, "long": 10}, clock)
    for pair in ((0, 1), (2, 3)):
        progress.start(pair)
        clock.now += 60.0
        lines = [progress.finish(job) for job in pair]
        # The second job ends with the first: no line so soon after another.
        assert lines[0] is not None
        assert lines[1] is None
    progress.start([4, 5])
    assert progress.line() == "16 % done, about 10 minutes left; long 0 of 2"
    clock.now += 300.0
    assert progress.line() == "58 % done, about 5 minutes left; long 0 of 2"
    # They take less than expected, and the last one is the end.
    assert progress.finish(4) == "99 % done, less than a minute left; long 1 of 2"
    assert progress.finish(5) == "100 % done; long 2 of 2"


def test_there_is_no_time_left_before_there_is_something_to_go_by(clock: Clock) -> None:
    progress = Progress({0: "fit", 1: "fit", 2: "unforeseen"}, {"fit": 3}, clock)
    progress.start([0])
    clock.now = 12.0
    line = progress.finish(0)
    assert line is not None
    assert re.fullmatch(r"\d+ % done; fit 1 of 2", line)


def test_the_last_job_of_a_short_run_has_a_line_and_other_jobs_are_ignored(clock: Clock) -> None:
    progress = Progress({0: "fit"}, {}, clock)
    progress.start([0, 7])
    assert progress.finish(7) is None
    assert progress.finish(0) == "100 % done; fit 1 of 1"


def test_jobs_whose_start_is_not_known_count_as_expected(clock: Clock) -> None:
    # As those of a group on a cluster, which starts as a whole.
    progress = Progress(dict.fromkeys(range(4), "fit"), {"fit": 5}, clock)
    clock.now = 30.0
    assert progress.finish(0) == "25 % done, less than a minute left; fit 1 of 4"


def test_many_stages_at_once_are_counted(clock: Clock) -> None:
    progress = Progress({name: name for name in "abcde"}, {}, clock)
    progress.start("abcde")
    assert progress.line().endswith("; a 0 of 1, b 0 of 1, c 0 of 1 and 2 more")


def test_a_failed_job_is_no_longer_under_way_and_stays_open(clock: Clock) -> None:
    progress = Progress({0: "fit", 1: "draw"}, {}, clock)
    progress.start([0, 1])
    clock.now = 12.0
    progress.fail(0)
    assert progress.finish(1) == "50 % done; draw 1 of 1"
