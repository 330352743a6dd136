"""Supplementary table: the error of every method against noise."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import robustness

with reporting.stage(snakemake.log[0]):
    robustness.build(robustness.read([snakemake.input.noise])).write(**snakemake.output)
