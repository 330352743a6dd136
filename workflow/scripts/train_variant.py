"""Train a variant of the model, and evaluate it, without any test-time step, on videos that it was not trained on."""

from safe_pit_cm.data import files, jobs
from safe_pit_cm.safe import experiment
from safe_pit_cm.simulation import catalogue

with jobs.run(snakemake) as log:
    videos = catalogue.read(snakemake.input.catalogue)
    history, outcome = experiment.repeat(videos, snakemake.params.settings, code=snakemake.params.code, log=log)
    for table, path in ((history, snakemake.output.history), (outcome, snakemake.output.outcome)):
        with files.replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")
