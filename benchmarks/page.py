"""The page of a run, from its measurements alone."""

import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import cost_laws, figures, peers, videos
from benchmarks.methods import METHODS
from benchmarks.report import (
    ALIKE,
    COSTS,
    MACHINE,
    RESULTS,
    ROUNDING,
    as_error,
    as_time,
    finding,
    least_error,
    summary,
)
from benchmarks.runs import NOISES


def markdown_table(table: pd.DataFrame) -> str:
    """The table of the page."""
    head = "| | | a fit | wall | first result | error, clean | error, noisy | memory, MB | lines | space and time |"
    rows = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for number, (name, row) in enumerate(table.iterrows(), 1):
        method = METHODS[str(name)]
        label = f"**{method.label}**" if method.group == "ours" else method.label
        if row["videos"] < table["videos"].max():
            label += f" ({row['videos']:.0f} of the videos of each kind)"
        cells = [
            str(number),
            label,
            as_time(row["seconds"]),
            as_time(row["wall"]),
            as_time(row["first"]),
            as_error(row["clean"]),
            as_error(row["noisy"]),
            _megabytes(row["memory"]),
            f"{row['lines']:.0f}",
            method.space_and_time,
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _megabytes(memory: float) -> str:
    if pd.isna(memory):
        return "–"
    return f"{memory:.0f}" if memory >= 1 else "< 1"


def slopes_table(rows: pd.DataFrame) -> str:
    """Expected and measured exponents."""
    text = ["| | " + " | ".join(law.label for law in cost_laws.LAWS.values()) + " |", "|---" * 4 + "|"]
    for method, label in cost_laws.LABELS.items():
        cells = [label]
        for name, law in cost_laws.LAWS.items():
            own = rows[(rows["law"] == name) & (rows["method"] == method)]
            measured = cost_laws.slope(own["value"].to_numpy(float), own["seconds"].to_numpy(float))
            cells.append(f"{measured:.2f} ({law.slopes[method]:g})")
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def _configurations(table: pd.DataFrame) -> Iterator[str]:
    for name in table.index:
        method = METHODS[str(name)]
        description = (inspect.getdoc(method.load()) or "").replace("``", "`")
        description = " ".join(description.split())
        yield f"| {method.label} | `{method.function.split(':')[1]}` | {description} |"


def write(folder: Path) -> None:
    """Write the page and the figures from the measurements in a folder."""
    rows = pd.read_csv(folder / RESULTS)
    costs = pd.read_csv(folder / COSTS)
    about: dict[str, Any] = json.loads((folder / MACHINE).read_text(encoding="utf-8"))
    table, least = summary(rows), least_error(about)
    figures.draw_methods(table, least, folder / "methods.png")
    figures.draw_costs(costs, folder / "cost_laws.png")
    (folder / "README.md").write_text(_page(table, costs, least, about), encoding="utf-8")


def _page(table: pd.DataFrame, costs: pd.DataFrame, least: float, about: dict[str, Any]) -> str:
    found = "\n".join(f"- {sentence}" for sentence in finding(table)) or "- No peer was run."
    configurations = "\n".join(_configurations(table))
    packages = textwrap.fill(
        ", ".join(f"{name} {version}" for name, version in about["packages"].items()), 118, break_on_hyphens=False
    )
    grid = f"{about['size']} × {about['size']} × {about['frames']}"
    base = f"{cost_laws.GRID.size} × {cost_laws.GRID.size} × {cost_laws.GRID.frames}"
    low, high = videos.DIFFUSIVITIES
    generator, choices = (inspect.cleandoc(each.__doc__ or "").replace("``", "`") for each in (videos, peers))
    generator, choices = generator.partition("\n\n")[2], choices.rpartition("\n\n")[2]
    memory = f", {about['memory_gib']} GiB" if about["memory_gib"] else ""
    return f"""# Ours beside its peers

Written by `uv run --group benchmarks python -m benchmarks`; do not edit. Every measurement is in `{RESULTS}` and
`{COSTS}`.

D of the same {about["videos"]} clean and {about["videos"]} noisy diffusion videos of {grid} (x, y, time), in one
interleaved run on one thread, CPU time:

{found}

Errors below {ROUNDING:g}, or within a factor of {ALIKE:g} of one another, count as equal.

{markdown_table(table)}

![Error against time](methods.png)

- *a fit*, *wall*: median of CPU and wall time of a fit when everything is imported and compiled. On one thread they
  differ where other programs use the machine.
- *first result*: CPU time from the start of the imports to the first D, with what is prepared and compiled.
- *error*: mean of |D̂/D − 1|. White noise has a standard deviation of {NOISES[1]:g}; the field spans 0 to 1. On the
  noisy videos an unbiased method with the least possible scatter (Cramér–Rao, first frame unknown) would have
  {as_error(least)}.
- `direct`, zero-shot and frame pairs predict a noisy frame from a noisy one, which biases D. Peers give D alone,
  neither an error bar nor a check.
- *memory*: peak of the process during a fit less what it holds with its imports and the video; compilers that run as
  processes of their own are not counted.
- *lines*: what a user writes, imports included, counted in `ours.py` and `peers.py`.
- *space and time*: how the equation is discretised. The videos are exact solutions, so the error of a method that is
  not exact contains that of its stencil and time steps at this resolution.

## Videos

{generator}
Δx = 0.5, Δt_f = 0.25, as in the paper; D is drawn from {low:g}–{high:g}, uniform in its logarithm; the blur has a
standard deviation of {videos.BLUR:g} pixels. Frames are float32.

## Methods

{choices}
The start is D = {videos.START:g}, the range {videos.LOW:g}–{videos.HIGH:g}.

| method | function | |
|---|---|---|
{configurations}

Each method runs in a process of its own, one at a time, all on one core. The order rotates over videos and rounds.
A fit of less than half a second is repeated three times in a row and in a second round. Methods that take long see
fewer videos, as the table says.

## Cost laws

CPU seconds on a noisy video of {base}, S = {cost_laws.SUBSTEPS}, where not varied; all with the Euler steps of
the stencil. Dashed: expected slopes. Maximum likelihood projects a video once on some twenty time courses; until that
takes longest, its time does not depend on the number of frames.

![Seconds against N, frames and S](cost_laws.png)

Measured exponent over the larger half of the values, and in brackets the expected one:

{slopes_table(costs)}

## Machine

{about["date"]}; {about["cpu"]}, {about["cores"]} cores{memory}; {about["system"]}; Python {about["python"]};
{packages}.

## Other scripts

`python benchmarks/large_video.py` fits a video of any size with any boundary; `python benchmarks/stencil_gradient.py`
compares time and memory of the gradients by stencils with automatic differentiation.
"""
