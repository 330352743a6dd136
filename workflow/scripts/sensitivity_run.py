"""Simulate a small test set with one alternative value, and find the minima of its SAFE losses."""

from safe_pit_cm.data import files, jobs
from safe_pit_cm.studies import sensitivity

with jobs.run(snakemake):
    minima = sensitivity.minima_of_test_set(**snakemake.params.settings)
    with files.replacing(snakemake.output[0]) as partial:
        minima.to_csv(partial, index=False, lineterminator="\n")
