"""List all videos with their digests."""

from safe_pit_cm.data import reporting
from safe_pit_cm.simulation import catalogue

with reporting.stage(snakemake.log[0]):
    catalogue.write(dict(snakemake.input.items()), snakemake.output[0])
