"""The commands ``verify``, ``trace`` and ``crate``: check the results of the workflow, trace and archive them."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from safe_pit_cm.errors import UserError

_RESULTS = Path("results")


def add_parsers(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands and their options to the command line."""
    checks = "check that the results of the workflow are complete, unchanged and of one configuration"
    verify = commands.add_parser("verify", help=checks, description=f"{checks.capitalize()}.")
    verify.add_argument("results", type=Path, nargs="?", default=_RESULTS, metavar="DIR", help="default: results")
    verify.set_defaults(run=run_verify)
    says = "say what a result of the workflow was made from: stages, seeds, settings, code, packages"
    trace = commands.add_parser("trace", help=says, description=f"{says.capitalize()}.")
    trace.add_argument("name", metavar="NAME", help="such as table_4, or the path of a result")
    trace.add_argument("--results", type=Path, default=_RESULTS, metavar="DIR", help="default: results")
    trace.set_defaults(run=run_trace)
    describes = "describe the results of the workflow as an RO-Crate, for an archive"
    crate = commands.add_parser("crate", help=describes, description=f"{describes.capitalize()}.")
    crate.add_argument("results", type=Path, nargs="?", default=_RESULTS, metavar="DIR", help="default: results")
    crate.add_argument("--zip", type=Path, metavar="FILE", help="write all results to FILE; else describe DIR in place")
    crate.set_defaults(run=run_crate)


def run_verify(options: argparse.Namespace) -> None:
    """Check a folder of results, and list what is wrong."""
    from safe_pit_cm.data import verification

    found = verification.verify(options.results)
    for path, wrong in found.problems.items():
        print(f"{path} {wrong}")
    if len(found.unused) == 1:
        print(f"{found.unused[0]} leads to no page")
    elif found.unused:
        print(f"{len(found.unused)} results lead to no page, such as {found.unused[0]}")
    for package, (then, now) in found.newer.items():
        print(f"made with {package} {then}, now {now}: snakemake --forceall makes all anew")
    if found.problems:
        names = " ".join(shlex.quote(path) for path in found.problems)
        raise UserError(
            f"{len(found.problems)} results in {options.results} are not what they should be; rebuild them, in the "
            f"folder above, with the options of your run, by: rm -rf {names} && uv run snakemake --cores all"
        )
    print(f"{found.checked} results: all complete, unchanged, and made from one another")


def run_trace(options: argparse.Namespace) -> None:
    """Print where a result comes from."""
    from safe_pit_cm.data import tracing, verification

    known, _ = verification.load_all(options.results)
    print(tracing.describe(known, options.name))


def run_crate(options: argparse.Namespace) -> None:
    """Write an RO-Crate."""
    from safe_pit_cm.commands.shared import check_parent
    from safe_pit_cm.data import crate

    if options.zip is not None:
        check_parent(options.zip)
        if options.zip.exists():
            raise UserError(f"{options.zip} exists; choose another name")
    print(crate.write(options.results, options.zip))
