"""Supplementary table: what the two phases prevent."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import degeneracy
from safe_pit_cm.studies import variants

with reporting.stage(snakemake.log[0]):
    outcomes = dict(zip(variants.DEGENERACY, snakemake.input.outcomes, strict=True))
    degeneracy.build(outcomes, variants.DEGENERACY).write(**snakemake.output)
