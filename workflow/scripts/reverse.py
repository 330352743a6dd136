"""Reverse the diffusion video of one parent simulation in time."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.simulation import reversal

with jobs.run(snakemake):
    video = reversal.reverse_time(stores.read(snakemake.input.video, "video"))
    video.attrs |= provenance.record(snakemake.params.code, snakemake.params.settings)
    stores.write(video, snakemake.output[0], "video")
