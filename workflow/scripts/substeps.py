"""Fit one test video with other numbers of sub-steps, with every propagation that differs for its process."""

import torch

from safe_pit_cm.data import jobs, provenance, stores
from safe_pit_cm.studies import step_ablations

with jobs.run(snakemake) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    video = stores.read(snakemake.input.video, "video")
    known = step_ablations.known_fits(snakemake.input.zero_shot, snakemake.wildcards.process)
    result = step_ablations.substeps(video, known=known, progress=log.info, **settings)
    result.attrs |= provenance.record(snakemake.params.code, settings)
    stores.write(result, snakemake.output[0], "substeps")
