"""Train the model in two phases; an interrupted job resumes from its last epoch."""

from pathlib import Path

from safe_pit_cm.data import devices, files, jobs, provenance
from safe_pit_cm.safe import autoencoder, experiment

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    checkpoint = Path(snakemake.output.model).with_name("checkpoint.safetensors")
    device = devices.pick(log)
    model, history = experiment.train(
        experiment.read(snakemake.input.train, device),
        experiment.read(snakemake.input.validation, device),
        settings,
        code=snakemake.params.code,
        checkpoint=checkpoint,
        log=log,
    )
    with files.replacing(snakemake.output.history) as partial:
        history.to_csv(partial, index=False, lineterminator="\n")
    autoencoder.save(model, snakemake.output.model, provenance.record(snakemake.params.code, settings))
    checkpoint.unlink(missing_ok=True)
