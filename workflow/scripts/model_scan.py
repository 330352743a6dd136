"""Recover the coefficients of one video of an equation by every method."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import equation_scan

with jobs.run(snakemake) as log:
    video = stores.read(snakemake.input.video, "equation_video")
    rows = equation_scan.scan(video, say=log.info, **snakemake.params.settings)
    with files.replacing(snakemake.output[0]) as partial:
        rows.to_csv(partial, index=False, lineterminator="\n")
