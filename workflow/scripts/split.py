"""Split the parent simulations into training, validation and test."""

from safe_pit_cm.data import jobs
from safe_pit_cm.simulation import splits

with jobs.run(snakemake):
    splits.write(splits.assign(**snakemake.params.settings), snakemake.output[0])
