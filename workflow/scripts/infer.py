"""Take test-time steps of the trained model on one test video, with every propagation that differs for its process."""

from dataclasses import replace

import torch

from safe_pit_cm.data import devices, jobs, provenance, reporting, stores
from safe_pit_cm.equations.processes import propagations_of
from safe_pit_cm.safe import autoencoder, experiment, test_time

with jobs.run(snakemake) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    video = stores.read(snakemake.input.video, "video")
    progress = reporting.every_tenth(log, settings["steps"])
    device = devices.pick(log)
    fits = {}
    for propagation in propagations_of(snakemake.wildcards.process):
        log.info("%s propagation", propagation)
        fit = test_time.refine(
            autoencoder.load(snakemake.input.model, device),
            video,
            learning=replace(experiment.learning(settings), propagation=propagation),
            steps=settings["steps"],
            frozen_fraction=settings["training"]["frozen_fraction"],
            refresh=settings["training"]["refresh"],
            seed=settings["seed"],
            progress=progress,
        )
        fit.attrs |= provenance.record(snakemake.params.code, settings)
        # The figures show signed propagation only; the other fields would take space for nothing.
        fits[propagation] = fit if propagation == "signed" else fit.drop_vars(["predicted", "decoded"])
    log.info("true α = %.6f", video.attrs["transport_coefficient"])
    stores.write(fits.pop("signed"), snakemake.output[0], "fit", groups=fits)
