"""Fit crops of noisy videos as if nothing were known of what lies beyond them."""

from safe_pit_cm import crops, files, reporting, stores

with reporting.stage(snakemake.log[0]) as log:
    videos = (stores.read(path, "video") for path in snakemake.input.videos)
    rows = crops.scan(videos, snakemake.params.settings, log.info)
    with files.replacing(snakemake.output[0]) as partial:
        rows.to_csv(partial, index=False, lineterminator="\n")
