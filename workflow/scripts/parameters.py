"""Table of every parameter of the run."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import parameters

with reporting.stage(snakemake.log[0]):
    parameters.build(snakemake.params.settings, snakemake.params.parameters).write(**snakemake.output)
