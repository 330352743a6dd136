"""Fit one test video by zero-shot inference, with every propagation that differs for its process."""

import torch

from safe_pit_cm.data import devices, jobs, provenance, reporting, stores
from safe_pit_cm.equations.processes import propagations_of
from safe_pit_cm.safe import zero_shot

with jobs.run(snakemake) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    video = stores.read(snakemake.input.video, "video")
    progress = reporting.every_tenth(log, settings["steps"])
    device = devices.pick(log)
    fits = {}
    for propagation in propagations_of(snakemake.wildcards.process):
        log.info("%s propagation", propagation)
        fits[propagation] = zero_shot.fit(video, propagation=propagation, device=device, progress=progress, **settings)
        fits[propagation].attrs |= provenance.record(snakemake.params.code, settings)
    log.info("true α = %.6f", video.attrs["transport_coefficient"])
    stores.write(fits.pop("signed"), snakemake.output[0], "fit", groups=fits)
