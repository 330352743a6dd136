"""Make the tables and the page of an equation."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import equation_tables

with reporting.stage(snakemake.log[0]):
    equation_tables.make(
        snakemake.input.scans,
        snakemake.input.template,
        snakemake.output.csv,
        snakemake.output.page,
        snakemake.wildcards.model,
    )
