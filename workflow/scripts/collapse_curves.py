"""Supplementary figure: learned against true coefficients with the fewest sub-steps."""

from safe_pit_cm import reporting, stability
from safe_pit_cm.paper import ablations, collapse, collapse_curves, style

with reporting.stage(snakemake.log[0]):
    substeps = snakemake.params.substeps
    ablation = ablations.collect(snakemake.input.ablations, "substeps")
    facts = ablation.iloc[0]
    bound = stability.largest_stable_alpha(facts["frame_interval"] / substeps, facts["grid_spacing"])
    outcomes = {"signed": snakemake.input.signed, "stable": snakemake.input.stable}
    grid = collapse.grid_of(snakemake.input.grid)
    figure = collapse_curves.draw(collapse.learned(ablation, outcomes), grid, bound, substeps)
    style.save(figure, **snakemake.output)
