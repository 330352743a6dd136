"""Command line: ``python -m benchmarks``."""

import argparse
import json
import subprocess
from pathlib import Path

import pandas as pd

from benchmarks import page, report, runs
from benchmarks.methods import METHODS
from benchmarks.videos import Grid

_PLAN = runs.Plan(Grid(), videos=6, rounds=2)
_QUICK = runs.Plan(Grid(16, 21), videos=1, rounds=1)
# Errors of 1e-9 are to be seen in the file.
_DIGITS = "%.11g"
_QUICK_METHODS = ("ml", "ml-core", "direct", "spectral")


def main() -> None:
    """Measure, and write tables, figures and page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ours beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one tiny video, few methods")
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="NAME", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the results")
    parser.add_argument("--report", action="store_true", help="measure nothing; write page and figures again")
    options = parser.parse_args()
    if not options.report:
        measure(options.methods or (_QUICK_METHODS if options.quick else tuple(METHODS)), options.quick, options.output)
    page.write(options.output)


def measure(names: tuple[str, ...], quick: bool, folder: Path) -> None:
    """Run methods and cost laws, and write every measurement."""
    progress, plan = runs.Progress(), _QUICK if quick else _PLAN
    for name in names:
        if not METHODS[name].installed:
            progress(f"{name}: left out, {METHODS[name].package} is not installed (uv sync --group benchmarks)")
    installed = [name for name in names if METHODS[name].installed]
    if not installed:
        raise SystemExit("no method is left to measure")
    rows = runs.measure(installed, plan, progress)
    progress("cost laws")
    with runs.start("benchmarks.cost_laws", *(["--quick"] if quick else []), quiet=False) as process:
        costs, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / report.RESULTS, index=False, float_format=_DIGITS, lineterminator="\n")
    pd.DataFrame(json.loads(costs)).to_csv(
        folder / report.COSTS, index=False, float_format=_DIGITS, lineterminator="\n"
    )
    about = json.dumps(report.machine(plan.grid, plan.videos), indent=2)
    (folder / report.MACHINE).write_text(about + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
