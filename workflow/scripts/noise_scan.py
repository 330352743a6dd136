"""Run every method on test videos with increasing noise."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import noise_scan

with jobs.run(snakemake) as log:
    videos = (stores.read(path, "video") for path in snakemake.input.videos)
    rows = noise_scan.scan(videos, snakemake.params.settings, log.info)
    with files.replacing(snakemake.output[0]) as partial:
        rows.to_csv(partial, index=False, lineterminator="\n")
