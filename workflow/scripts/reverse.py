"""Reverse the diffusion video of one parent simulation in time."""

from safe_pit_cm.data import provenance, reporting, stores
from safe_pit_cm.simulation import reversal

with reporting.stage(snakemake.log[0]):
    video = reversal.reverse_time(stores.read(snakemake.input.video, "video"))
    video.attrs |= provenance.record(snakemake.params.code, snakemake.params.settings)
    stores.write(video, snakemake.output[0], "video")
