"""Train a variant of the model, and let it face the test videos without any test-time step."""

import torch

from safe_pit_cm import catalogue, experiment, files, reporting

with reporting.stage(snakemake.log[0]) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    videos = catalogue.read(snakemake.input.catalogue)
    model, history = experiment.train(
        videos["train"], videos["validation"], settings, code=snakemake.params.code, log=log
    )
    outcome = experiment.face(model, videos["test"], settings)
    for table, path in ((history, snakemake.output.history), (outcome, snakemake.output.outcome)):
        with files.replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")
