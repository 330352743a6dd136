"""List all videos with their digests."""

from safe_pit_cm.data import jobs
from safe_pit_cm.simulation import catalogue

with jobs.run(snakemake):
    catalogue.write(dict(snakemake.input.items()), snakemake.output[0])
