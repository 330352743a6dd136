"""A run of three rules, made by hand: what the workflow leaves, without Snakemake."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safe_pit_cm.data import jobs, records


@dataclass
class Job:
    """A job as a script sees it."""

    rule: str
    input: list[str]
    output: list[str]
    settings: Mapping[str, Any]
    upstream: list[str]
    wildcards: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> list[str]:
        """The log, in the working directory."""
        return ["job.log"]

    @property
    def params(self) -> dict[str, Any]:
        """Parameters as the workflow gives them."""
        own = {"settings": self.settings, "code": "0123"}
        return {**own, "lineage": records.lineage(self.rule, own, self.upstream), "upstream": self.upstream}

    @property
    def lineage(self) -> str:
        """Lineage of the outputs."""
        return str(self.params["lineage"])


def starts(seed: int = 1, parent: str = "000") -> Job:
    return Job("start", [], [f"results/starts/{parent}.zarr"], {"seed": seed}, [], {"parent": parent})


def video(seed: int = 1, parent: str = "000") -> Job:
    before = starts(seed, parent)
    return Job("video", before.output, [f"results/videos/{parent}.zarr"], {}, [before.lineage], {"parent": parent})


def table(seed: int = 1) -> Job:
    before = [video(seed, parent) for parent in ("000", "001")]
    return Job(
        "page", [job.output[0] for job in before], ["results/table.csv", "results/table.md"], {}, [before[0].lineage]
    )


def write(job: Job, text: str) -> None:
    """Write the outputs of a job: a folder of two files for a store."""
    for path in map(Path, job.output):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zarr":
            path.mkdir(exist_ok=True)
            (path / "zarr.json").write_text("{}", encoding="utf-8")
            (path / "c.0").write_text(text, encoding="utf-8")
        else:
            path.write_text(text, encoding="utf-8")


@contextmanager
def running(job: Job) -> Iterator[logging.Logger]:
    with jobs.run(job) as log:
        yield log


def make(job: Job, text: str | None = None) -> None:
    """Run a job."""
    with running(job):
        write(job, text if text is not None else f"{job.rule} {job.wildcards} {job.settings}")


def make_all(seed: int = 1) -> None:
    """Two starts, their videos, and a table of both."""
    for rule in (starts, video):
        for parent in ("000", "001"):
            rule_of_parent: Callable[[int, str], Job] = rule
            make(rule_of_parent(seed, parent))
    make(table(seed))
