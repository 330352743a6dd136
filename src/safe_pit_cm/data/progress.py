"""How far a run is: the share that is done, the time left, and the stages under way, in plain lines."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping

# Seconds between lines, and before the first estimate of the time left.
_PAUSE, _FIRST = 10.0, 20.0
_STAGES_SHOWN = 3


class Progress:
    """Progress of a run of many jobs.

    The share done is one of time, not of jobs: a job counts as long as the finished ones of its stage took, or, before
    there are any, as long as was expected, times the ratio of measured to expected time so far. The time left is that
    of the open jobs over the number that ran at once so far, and not less than that of the longest one.

    Parameters
    ----------
    stages
        Stage of every job of the run, by the job's key.
    expected
        Seconds per job, by stage; only ratios matter. A stage that is missing counts as a second.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        stages: Mapping[Hashable, str],
        expected: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages = dict(stages)
        self._total = Counter(self._stages.values())
        self._expected = {stage: float(expected.get(stage, 1.0)) for stage in self._total}
        self._clock = clock
        self._begun = self._last = clock()
        self._running: dict[Hashable, float] = {}
        self._done: Counter[str] = Counter()
        self._timed: Counter[str] = Counter()
        self._spent: dict[str, float] = dict.fromkeys(self._total, 0.0)

    def start(self, jobs: Iterable[Hashable]) -> None:
        """Note that jobs start; those that are not of this run are ignored."""
        self._running |= {job: self._clock() for job in jobs if job in self._stages}

    def fail(self, job: Hashable) -> None:
        """Note that a job has failed; it stays open, since it may be tried again."""
        self._running.pop(job, None)

    def finish(self, job: Hashable) -> str | None:
        """Note that a job has ended, and return a line if the last one is some seconds old or this was the last job."""
        stage = self._stages.pop(job, None)
        if stage is None:
            return None
        now = self._clock()
        self._done[stage] += 1
        # A group of jobs on a cluster starts under a name of its own.
        if job in self._running:
            self._spent[stage] += now - self._running.pop(job)
            self._timed[stage] += 1
        if self._stages and now - self._last < _PAUSE:
            return None
        self._last = now
        return self.line(stage)

    def line(self, ended: str | None = None) -> str:
        """``42 % done, about 8 minutes left; infer 6 of 10, train 0 of 1``; first the stage of which a job ended."""
        now = self._clock()
        each = self._seconds_per_job()
        running = {job: now - start for job, start in self._running.items()}
        waiting = Counter(stage for job, stage in self._stages.items() if job not in running)
        open_running = [max(each[self._stages[job]] - spent, 0.0) for job, spent in running.items()]
        longest = max([*open_running, *(each[stage] for stage in waiting)], default=0.0)
        left = sum(open_running) + sum(count * each[stage] for stage, count in waiting.items())
        done = sum(self._done[stage] * each[stage] for stage in self._total) + sum(running.values())
        # 100 % is for the end.
        share = min(int(100 * done / (done + left)), 99) if self._stages and done + left > 0 else 100
        text = f"{share} % done"
        if self._stages and now - self._begun >= _FIRST:
            at_once = max(done / (now - self._begun), 1.0)
            text += f", {_duration(max(left / at_once, longest))} left"
        stages = list(dict.fromkeys([*([ended] if ended else []), *(self._stages[job] for job in running)]))
        under_way = ", ".join(
            f"{stage} {self._done[stage]} of {self._total[stage]}" for stage in stages[:_STAGES_SHOWN]
        )
        if len(stages) > _STAGES_SHOWN:
            under_way += f" and {len(stages) - _STAGES_SHOWN} more"
        return f"{text}; {under_way}" if under_way else text

    def _seconds_per_job(self) -> dict[str, float]:
        measured = sum(self._spent.values())
        foreseen = sum(self._timed[stage] * self._expected[stage] for stage in self._total)
        pace = measured / foreseen if measured > 0 else 1.0
        return {
            stage: self._spent[stage] / self._timed[stage] if self._timed[stage] else pace * self._expected[stage]
            for stage in self._total
        }


def _duration(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"about {minutes} minute{'' if minutes == 1 else 's'}"
    return f"about {round(minutes / 60)} hours"
