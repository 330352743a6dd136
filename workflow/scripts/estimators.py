"""Supplementary table: what an amortised estimator must read."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import estimators
from safe_pit_cm.studies import variants

with reporting.stage(snakemake.log[0]):
    outcomes = dict(zip(variants.ESTIMATORS, snakemake.input.outcomes, strict=True))
    estimators.build(outcomes, variants.ESTIMATORS).write(**snakemake.output)
