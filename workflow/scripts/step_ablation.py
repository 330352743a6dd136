"""Fit both test videos of a parent with other sub-steps, or from fewer frames, with every propagation that differs."""

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.studies import step_ablations

ablation, settings, inputs = snakemake.params.ablation, snakemake.params.settings, snakemake.input

with jobs.run(snakemake) as log:
    vary = {"substeps": step_ablations.substeps, "frame_step": step_ablations.frame_steps}[ablation]
    for process, path, fit, output in zip(PROCESSES, inputs.videos, inputs.zero_shot, snakemake.output, strict=True):
        log.info("%s", process)
        video = stores.read(path, "video")
        result = vary(video, known=step_ablations.known_fits(fit, process), progress=log.info, **settings)
        result.attrs |= provenance.record(snakemake.params.code, settings)
        stores.write(result, output, ablation)
