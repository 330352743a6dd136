"""Supplementary figure: learned against true coefficients with the fewest sub-steps."""

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting
from safe_pit_cm.equations import stability
from safe_pit_cm.paper import ablation_stores, collapse, collapse_curves

with reporting.stage(snakemake.log[0]):
    substeps = snakemake.params.substeps
    ablation = ablation_stores.collect(snakemake.input.ablations, "substeps")
    facts = ablation.iloc[0]
    bound = stability.largest_stable_alpha(facts["frame_interval"] / substeps, facts["grid_spacing"])
    outcomes = {"signed": snakemake.input.signed, "stable": snakemake.input.stable}
    grid = collapse.grid_of(snakemake.input.grid)
    figure = collapse_curves.draw(collapse.learned(ablation, outcomes), grid, bound, substeps)
    plot_style.save(figure, **snakemake.output)
