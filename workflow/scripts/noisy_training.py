"""Train estimators on noisy videos, and compare them with maximum likelihood on noisy test videos."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.simulation import catalogue
from safe_pit_cm.studies import noisy_training

with jobs.run(snakemake) as log:
    videos = catalogue.read(snakemake.input.catalogue)
    train, test = ((stores.read(path, "video") for path in videos[split]) for split in ("train", "test"))
    tables = noisy_training.run(train, test, snakemake.params.settings, log.info)
    for table, path in zip(tables, (snakemake.output.recovered, snakemake.output.seconds), strict=True):
        with files.replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")
