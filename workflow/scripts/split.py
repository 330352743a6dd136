"""Split the parent simulations into training, validation and test."""

from safe_pit_cm.data import reporting
from safe_pit_cm.simulation import splits

with reporting.stage(snakemake.log[0]):
    splits.write(splits.assign(**snakemake.params.settings), snakemake.output[0])
