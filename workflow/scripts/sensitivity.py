"""Supplementary table: how the published numbers move with what the paper's text lost."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import sensitivity

with reporting.stage(snakemake.log[0]):
    alternatives = snakemake.params.alternatives
    minima = dict(zip(alternatives, snakemake.input.minima, strict=True))
    table = sensitivity.build(minima, alternatives, snakemake.params.default, snakemake.params.published)
    table.write(**snakemake.output)
