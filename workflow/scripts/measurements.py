"""The summary of all measured films, and the means of their groups."""

from safe_pit_cm.data import reporting
from safe_pit_cm.measurements import summary

with reporting.stage(snakemake.log[0]):
    outputs = dict(snakemake.output.items())
    summary.write(snakemake.input.films, snakemake.params.samples, snakemake.input.template, outputs)
