"""Draw the initial condition of one parent simulation."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.simulation import microstructure

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    dataset = microstructure.initial_condition(parent=snakemake.wildcards.parent, **settings)
    log.info("%d grains", dataset.attrs["n_grains"])
    dataset.attrs |= provenance.record(snakemake.params.code, settings)
    stores.write(dataset, snakemake.output[0], "initial_condition")
