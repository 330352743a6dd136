"""Supplementary table: what is learned with the fewest sub-steps."""

from safe_pit_cm.data import reporting
from safe_pit_cm.equations import stability
from safe_pit_cm.paper import ablation_stores, collapse

with reporting.stage(snakemake.log[0]):
    substeps = snakemake.params.substeps
    ablation = ablation_stores.collect(snakemake.input.ablations, "substeps")
    facts = ablation.iloc[0]
    bound = stability.largest_stable_alpha(facts["frame_interval"] / substeps, facts["grid_spacing"])
    outcomes = {"signed": snakemake.input.signed, "stable": snakemake.input.stable}
    collapse.build(collapse.learned(ablation, outcomes), bound, substeps).write(**snakemake.output)
