"""Run a job of the workflow: its log, a check of what it reads, and a record of what it makes."""

import gc
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol

from safe_pit_cm.data import records, reporting

# Python looks for cycles of unused objects whenever so many have been made. At its own number it does so all the time
# that a library is imported, a seventh of that of PyTorch, which scripts import after this module.
gc.set_threshold(50_000)


class Params(Protocol):
    """Parameters of a job, by name."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and values."""


class Job(Protocol):
    """What a job says of itself.

    Attributes
    ----------
    rule, wildcards
        What it is.
    input, output
        Paths read and written.
    params
        Parameters; among them ``lineage``, that of the job, and ``upstream``, those that its inputs may have: see
        :func:`safe_pit_cm.data.records.lineage`.
    log
        Path of its log.
    """

    @property
    def rule(self) -> str: ...  # noqa: D102 - described above
    @property
    def wildcards(self) -> Params: ...  # noqa: D102
    @property
    def input(self) -> Iterable[str]: ...  # noqa: D102
    @property
    def output(self) -> Iterable[str]: ...  # noqa: D102
    @property
    def params(self) -> Params: ...  # noqa: D102
    @property
    def log(self) -> list[str]: ...  # noqa: D102


def _record(job: Job, inputs: list[records.Input], params: Mapping[str, Any]) -> None:
    own = {name: value for name, value in params.items() if name not in ("lineage", "upstream")}
    packages = records.packages()
    for path in map(Path, job.output):
        record = records.Record(
            path=records.name(path),
            sha256=records.digest(path),
            size=records.size(path),
            rule=job.rule,
            wildcards=dict(job.wildcards.items()),
            params=own,
            upstream=list(params["upstream"]),
            lineage=params["lineage"],
            inputs=inputs,
            packages=packages,
        )
        records.write(path, record)


@contextmanager
def run(job: Job) -> Iterator[logging.Logger]:
    """Run the body of a workflow script: check the inputs, run it, and record the outputs.

    An error that a user can correct, such as a damaged input, ends the process with status 1 and one sentence in the
    log: see :func:`safe_pit_cm.data.reporting.stage`.

    Yields
    ------
    logging.Logger
        Writes to the log of the job.
    """
    with reporting.stage(job.log[0]) as log:
        params = dict(job.params.items())
        # Until the job has ended, nothing that it leaves behind counts as its result.
        for path in job.output:
            records.forget(path)
        results = records.root(next(iter(job.output)))
        inputs = [records.check(path, params["upstream"], results) for path in job.input]
        yield log
        _record(job, inputs, params)
    if getattr(sys.modules["__main__"], "snakemake", None) is job:
        _leave()


def _leave() -> NoReturn:
    """End the process of a script that has done its work.

    Left to itself, Python takes more than a second to take PyTorch and its libraries apart, as long as many a job.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
