"""Let baselines face one test video."""

import torch

from safe_pit_cm import baselines, files, reporting, stores

with reporting.stage(snakemake.log[0]) as log:
    torch.set_num_threads(1)
    video = stores.read(snakemake.input.video, "video")
    records = baselines.run(
        video,
        snakemake.params.settings,
        snakemake.params.methods,
        progress=lambda name, propagation, found, seconds: log.info(
            "%s, %s: |α| = %.6f after %d evaluations in %.3f s",
            *(name, propagation, found.magnitude, found.evaluations, seconds),
        ),
    )
    parts = {"recovered": records.drop(columns="seconds"), "seconds": records[[*baselines.KEY, "seconds"]]}
    for name, part in parts.items():
        with files.replacing(snakemake.output[name]) as partial:
            part.to_csv(partial, index=False, lineterminator="\n")
