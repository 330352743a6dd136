"""Repeat the zero-shot fits of test parents: of a further data set, or from further random starts."""

import pandas as pd

from safe_pit_cm.data import files, jobs
from safe_pit_cm.studies import replicates

with jobs.run(snakemake) as log:
    settings = snakemake.params.settings
    rows = []
    for parent in snakemake.params.parents:
        videos = replicates.simulate(settings["dataset"], parent, settings["initial_condition"], settings["integrate"])
        recovered = replicates.recover(videos, settings["replicates"], settings["zero_shot"], log)
        minima = replicates.minima(videos, settings["counts"])
        rows += [recovered.assign(method="zero-shot"), minima.assign(method="minimum")]
    with files.replacing(snakemake.output[0]) as partial:
        # A table without rows would turn whole numbers into fractions.
        pd.concat([each for each in rows if len(each)]).to_csv(partial, index=False, lineterminator="\n")
