"""Take test-time steps of the trained model on both test videos of a parent, with every propagation that differs."""

from dataclasses import replace

from safe_pit_cm.data import devices, jobs, provenance, reporting, stores
from safe_pit_cm.equations.processes import PROCESSES, propagations_of
from safe_pit_cm.safe import autoencoder, experiment, test_time

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    learning = experiment.learning(settings)
    own = {name: settings["training"][name] for name in ("frozen_fraction", "refresh")}
    own |= {"seed": settings["seed"], "steps": settings["steps"]}
    progress = reporting.every_tenth(log, settings["steps"])
    device = devices.pick(log)
    for process, path, output in zip(PROCESSES, snakemake.input.videos, snakemake.output, strict=True):
        video = stores.read(path, "video")
        fits = {}
        for propagation in propagations_of(process):
            log.info("%s, %s propagation", process, propagation)
            model = autoencoder.load(snakemake.input.model, device)
            by = replace(learning, propagation=propagation)
            fit = test_time.refine(model, video, learning=by, progress=progress, **own)
            fit.attrs |= provenance.record(snakemake.params.code, settings)
            # The figures show signed propagation only; the other fields would take space for nothing.
            fits[propagation] = fit if propagation == "signed" else fit.drop_vars(["predicted", "decoded"])
        log.info("true α = %.6f", video.attrs["transport_coefficient"])
        stores.write(fits.pop("signed"), output, "fit", groups=fits)
