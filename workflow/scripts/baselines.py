"""Supplementary table: the methods that the paper names but does not run."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import baselines

with reporting.stage(snakemake.log[0]):
    source = snakemake.input
    baselines.build(baselines.records(source.recovered, source.seconds, source.reference)).write(**snakemake.output)
