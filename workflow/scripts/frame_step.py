"""Fit both test videos of a parent from every n-th of their frames, with every propagation that differs."""

import torch

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.equations.processes import PROCESSES
from safe_pit_cm.studies import step_ablations

with jobs.run(snakemake) as log:
    torch.set_num_threads(snakemake.threads)
    settings, inputs = snakemake.params.settings, snakemake.input
    for process, path, fit, output in zip(PROCESSES, inputs.videos, inputs.zero_shot, snakemake.output, strict=True):
        log.info("%s", process)
        video = stores.read(path, "video")
        known = step_ablations.known_fits(fit, process)
        result = step_ablations.frame_steps(video, known=known, progress=log.info, **settings)
        result.attrs |= provenance.record(snakemake.params.code, settings)
        stores.write(result, output, "frame_step")
