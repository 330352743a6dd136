"""Make a table or figure: the module of the package that has the name of its files makes it."""

from importlib import import_module
from pathlib import Path

from safe_pit_cm.data import jobs

module = import_module(f"safe_pit_cm.paper.{Path(snakemake.output[0]).stem}")

with jobs.run(snakemake):
    module.make(
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        dict(snakemake.params.items()),
    )
