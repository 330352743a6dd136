"""Integrate the diffusion video of one parent simulation."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.simulation import integration

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    initial_condition = stores.read(snakemake.input.initial_condition, "initial_condition")
    video = integration.simulate(initial_condition, **settings)
    log.info("α = %.6f, Δt = %g", video.attrs["transport_coefficient"], video.attrs["time_step"])
    video.attrs |= provenance.record(snakemake.params.code, settings)
    stores.write(video, snakemake.output[0], "video")
