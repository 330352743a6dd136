"""Run baselines on both test videos of a parent."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import baseline_fits

with jobs.run(snakemake) as log:
    outputs = zip(snakemake.output.recovered, snakemake.output.seconds, strict=True)
    for path, (recovered, seconds) in zip(snakemake.input.videos, outputs, strict=True):
        video = stores.read(path, "video")
        log.info("%s", video.attrs["process"])
        records = baseline_fits.run(
            video,
            snakemake.params.settings,
            snakemake.params.methods,
            progress=lambda name, propagation, found, seconds: log.info(
                "%s, %s: |α| = %.6f after %d evaluations in %.3f s",
                *(name, propagation, found.magnitude, found.evaluations, seconds),
            ),
        )
        parts = {recovered: records.drop(columns="seconds"), seconds: records[[*baseline_fits.KEY, "seconds"]]}
        for output, part in parts.items():
            with files.replacing(output) as partial:
                part.to_csv(partial, index=False, lineterminator="\n")
