"""Simulate one video of an equation of the catalogue."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.studies import equation_videos

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    video = equation_videos.simulate(parent=snakemake.wildcards.parent, **settings)
    video.attrs |= provenance.record(snakemake.params.code, settings)
    log.info("true coefficients %s", video.attrs["coefficients"])
    stores.write(video, snakemake.output[0], "equation_video")
