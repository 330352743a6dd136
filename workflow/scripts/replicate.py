"""Repeat the zero-shot fits of one test parent: of another data set, or from other random starts."""

import pandas as pd
import torch

from safe_pit_cm import files, replication, reporting

with reporting.stage(snakemake.log[0]) as log:
    torch.set_num_threads(snakemake.threads)
    settings = snakemake.params.settings
    videos = replication.simulate(
        settings["dataset"], snakemake.wildcards.parent, settings["initial_condition"], settings["integrate"]
    )
    recovered = replication.recover(videos, settings["replicates"], settings["zero_shot"], log)
    minima = replication.minima(videos, settings["counts"])
    table = pd.concat([recovered.assign(method="zero-shot"), minima.assign(method="minimum")])
    with files.replacing(snakemake.output[0]) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
