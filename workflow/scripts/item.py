"""Make the table or figure that the rule is named after: the module of that name in the package makes it."""

from importlib import import_module

from safe_pit_cm.data import jobs

module = import_module(f"safe_pit_cm.paper.{snakemake.rule}")

with jobs.run(snakemake):
    module.make(
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        dict(snakemake.params.items()),
    )
