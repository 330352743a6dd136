"""Fit both test videos of a parent by zero-shot inference, with every propagation that differs for their process."""

from safe_pit_cm.data import devices, jobs, provenance, reporting, stores
from safe_pit_cm.equations.processes import PROCESSES, propagations_of
from safe_pit_cm.safe import zero_shot

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    progress = reporting.every_tenth(log, settings["steps"])
    device = devices.pick(log)
    for process, path, output in zip(PROCESSES, snakemake.input.videos, snakemake.output, strict=True):
        video = stores.read(path, "video")
        fits = {}
        for propagation in propagations_of(process):
            log.info("%s, %s propagation", process, propagation)
            fit = zero_shot.fit(video, propagation=propagation, device=device, progress=progress, **settings)
            fit.attrs |= provenance.record(snakemake.params.code, settings)
            fits[propagation] = fit
        log.info("true α = %.6f", video.attrs["transport_coefficient"])
        stores.write(fits.pop("signed"), output, "fit", groups=fits)
