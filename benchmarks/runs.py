"""The interleaved run: every method in a process of its own, one at a time, in an order that rotates."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import threads
from benchmarks.methods import METHODS
from benchmarks.videos import Grid

ROOT = Path(__file__).parents[1]
#: Standard deviations of the noise; the field spans 0 to 1.
NOISES = 0.0, 0.01
# A fit that takes longer than this, s, is not repeated; faster ones are, so many times in a row.
_LONG, _REPEATS = 0.5, 3


@dataclass(frozen=True)
class Plan:
    """Extent of a run.

    Attributes
    ----------
    grid
        Of the videos.
    videos
        Number of videos of each noise level.
    rounds
        Number of times that fast methods see every video.
    """

    grid: Grid
    videos: int
    rounds: int


def start(module: str, *arguments: str, quiet: bool = True) -> "subprocess.Popen[str]":
    """Start a module of this package in a process with one thread; ``quiet`` hides what it writes besides answers."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **threads.ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
    )


class Worker:
    """A process that runs one method."""

    def __init__(self, name: str, grid: Grid) -> None:
        self.name = name
        self._arguments = ("benchmarks.worker", name, str(grid.size), str(grid.frames))
        self._process = start(*self._arguments)

    def ask(self, *request: Any) -> dict[str, Any]:
        """Answer to a request.

        Raises
        ------
        RuntimeError
            If the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            # A fit needs the start alone.
            requests = [["start"], request] if request[0] == "fit" else [request]
            lines = "\\n".join(map(json.dumps, requests))
            raise RuntimeError(
                f"{self.name} has failed, and is left out; to see why: "
                f"printf '{lines}\\n' | python -m {' '.join(self._arguments)}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Progress:
    """Lines on the standard error, each with the time since the start."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def __call__(self, message: str) -> None:
        """Print a message."""
        print(f"{time.perf_counter() - self._started:6.0f} s  {message}", file=sys.stderr, flush=True)


def rotated(names: Sequence[str], by: int) -> list[str]:
    """The same names, starting elsewhere."""
    by %= len(names)
    return [*names[by:], *names[:by]]


def measure(names: Sequence[str], plan: Plan, progress: Callable[[str], None]) -> pd.DataFrame:
    """Run methods on the same videos.

    Returns
    -------
    pd.DataFrame
        One row for every measurement: ``method``; ``stage``, which is ``start`` (imports and what is prepared once),
        ``first`` (the first fit, with what is compiled then), ``later`` or ``memory``; ``video``, ``noise``, ``round``;
        ``true`` and ``found`` D; ``wall`` and ``cpu`` time, s; ``memory``, MB.
    """
    rows: list[dict[str, Any]] = []
    workers: dict[str, Worker] = {}
    failed: set[str] = set()

    def ask(worker: Worker, stage: str, *request: Any, **about: Any) -> float:
        """Ask, keep the answer, and return the wall time; a method that fails stops no other."""
        try:
            answer = worker.ask(*request)
        except RuntimeError as error:
            failed.add(worker.name)
            progress(str(error))
            return 0.0
        rows.append({"method": worker.name, "stage": stage, **about, **answer})
        return float(answer.get("wall", 0.0))

    try:
        for name in names:
            progress(f"{name}: start")
            workers[name] = Worker(name, plan.grid)
            ask(workers[name], "start", "start")
            if name not in failed:
                seconds = ask(workers[name], "first", "fit", 0, NOISES[-1], video=0, noise=NOISES[-1])
                progress(f"{name}: first fit {seconds:.3g} s")
        seen: dict[str, float] = {}
        for part, number, noise, name in turns(names, plan):
            repeats = _REPEATS if seen.get(name, 0.0) < _LONG else 1
            if name in failed or (part > 0 and repeats == 1):
                continue
            for _ in range(repeats):
                request = "fit", number, noise
                seen[name] = ask(workers[name], "later", *request, round=part, video=number, noise=noise)
                if name in failed or seen[name] >= _LONG:
                    break
            progress(f"round {part}, video {number}, σ = {noise:g}, {name}: {seen[name]:.3g} s")
    finally:
        for worker in workers.values():
            worker.close()
    for name in (each for each in names if each not in failed):
        progress(f"{name}: memory")
        worker = Worker(name, plan.grid)
        try:
            ask(worker, "memory", "memory")
        finally:
            worker.close()
    rows = [row for row in rows if row["method"] not in failed]
    columns = ["method", "stage", "round", "video", "noise", "true", "found", "wall", "cpu", "memory"]
    return pd.DataFrame(rows, columns=columns).astype({"round": "Int64", "video": "Int64"})


def turns(names: Sequence[str], plan: Plan) -> Iterator[tuple[int, int, float, str]]:
    """Round, video, noise and method of every later fit; the order of the methods rotates."""
    turn = 0
    for part in range(plan.rounds):
        for number in range(plan.videos):
            for noise in NOISES:
                for name in rotated(names, turn):
                    if number < (METHODS[name].videos or plan.videos):
                        yield part, number, noise, name
                turn += 1
