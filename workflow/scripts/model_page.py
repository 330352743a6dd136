"""Make the tables and the page of an equation."""

from safe_pit_cm.data import jobs
from safe_pit_cm.paper import equation_tables

with jobs.run(snakemake):
    equation_tables.make(
        [*snakemake.input.scans, snakemake.input.training],
        snakemake.input.template,
        snakemake.output.csv,
        snakemake.output.page,
        snakemake.wildcards.model,
    )
