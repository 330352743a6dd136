"""Simulate one parent: its initial condition, the diffusion video from there, and the mobility video in reverse."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.simulation import integration, microstructure, reversal

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    start = microstructure.initial_condition(parent=snakemake.wildcards.parent, **settings["initial_condition"])
    # The videos keep the attributes of their start.
    start.attrs |= provenance.record(snakemake.params.code, settings)
    video = integration.simulate(start, **settings["integrate"])
    log.info(
        "%d grains, α = %.6f, Δt = %g",
        *(video.attrs[name] for name in ("n_grains", "transport_coefficient", "time_step")),
    )
    stores.write(start, snakemake.output.initial_condition, "initial_condition")
    stores.write(video, snakemake.output.diffusion, "video")
    stores.write(reversal.reverse_time(video), snakemake.output.mobility, "video")
