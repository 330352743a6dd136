"""Supplementary table: crops of which nothing beyond is known."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import crops, robustness

with reporting.stage(snakemake.log[0]):
    crops.build(robustness.read([snakemake.input.crops])).write(**snakemake.output)
