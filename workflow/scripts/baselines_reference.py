"""Join the results and times of the baselines in one file."""

from safe_pit_cm.data import files, jobs
from safe_pit_cm.paper import baselines

with jobs.run(snakemake):
    joined = baselines.join(snakemake.input.recovered, snakemake.input.seconds)
    with files.replacing(snakemake.output[0]) as partial:
        joined.to_csv(partial, index=False, lineterminator="\n")
