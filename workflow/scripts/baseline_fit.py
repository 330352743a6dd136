"""Run baselines on one test video."""

import torch

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import baseline_fits

with jobs.run(snakemake) as log:
    torch.set_num_threads(1)
    video = stores.read(snakemake.input.video, "video")
    records = baseline_fits.run(
        video,
        snakemake.params.settings,
        snakemake.params.methods,
        progress=lambda name, propagation, found, seconds: log.info(
            "%s, %s: |α| = %.6f after %d evaluations in %.3f s",
            *(name, propagation, found.magnitude, found.evaluations, seconds),
        ),
    )
    parts = {"recovered": records.drop(columns="seconds"), "seconds": records[[*baseline_fits.KEY, "seconds"]]}
    for name, part in parts.items():
        with files.replacing(snakemake.output[name]) as partial:
            part.to_csv(partial, index=False, lineterminator="\n")
