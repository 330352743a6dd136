"""Train the model for an equation, and recover the coefficients of the test videos with test-time steps."""

from safe_pit_cm.data import files, jobs, stores
from safe_pit_cm.studies import trained_equations

with jobs.run(snakemake) as log:
    videos = (
        [stores.read(path, "equation_video") for path in snakemake.input[split]]
        for split in ("train", "validation", "test")
    )
    tables = trained_equations.run(*videos, say=log.info, **snakemake.params.settings)
    for table, path in zip(tables, (snakemake.output.recovered, snakemake.output.history), strict=True):
        with files.replacing(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n")
