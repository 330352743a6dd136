"""Minimise the SAFE loss with the fewest sub-steps for one parent integrated with a grid of coefficients."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import sensitivity

with jobs.run(snakemake):
    start = stores.read(snakemake.input.initial_condition, "initial_condition")
    grid = sensitivity.coefficient_grid(start, **snakemake.params.settings)
    with files.replacing(snakemake.output[0]) as partial:
        grid.to_csv(partial, index=False, lineterminator="\n")
