"""Fit one test video with other sub-steps, or with fewer frames, in every reading that differs for its process."""

import torch

from safe_pit_cm import ablation, provenance, reporting, stores
from safe_pit_cm.processes import readings

with reporting.stage(snakemake.log[0]) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    video = stores.read(snakemake.input.video, "video")
    known = {
        propagation: stores.read(
            snakemake.input.zero_shot, "fit", group="/" if propagation == "signed" else propagation
        )
        for propagation in readings(snakemake.wildcards.process)
    }
    vary = {"substeps": ablation.substeps, "frame_step": ablation.frame_steps}[snakemake.rule]
    result = vary(video, known=known, progress=log.info, **settings)
    result.attrs |= provenance.record(snakemake.params.code, settings)
    stores.write(result, snakemake.output[0], snakemake.rule)
