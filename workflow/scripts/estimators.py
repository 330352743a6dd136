"""Supplementary table: what an amortised estimator must read."""

from safe_pit_cm import reporting, variants
from safe_pit_cm.paper import estimators

with reporting.stage(snakemake.log[0]):
    outcomes = dict(zip(variants.ESTIMATORS, snakemake.input.outcomes, strict=True))
    estimators.build(outcomes, variants.ESTIMATORS).write(**snakemake.output)
