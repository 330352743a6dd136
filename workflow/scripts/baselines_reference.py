"""Join the results and times of the baselines in one file."""

from safe_pit_cm.data import files, reporting
from safe_pit_cm.paper import baselines

with reporting.stage(snakemake.log[0]):
    joined = baselines.join(snakemake.input.recovered, snakemake.input.seconds)
    with files.replacing(snakemake.output[0]) as partial:
        joined.to_csv(partial, index=False, lineterminator="\n")
