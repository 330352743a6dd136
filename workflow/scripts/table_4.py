"""Table 4: parameter recovery on the test videos."""

import pandas as pd

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import recovery, table_4

with reporting.stage(snakemake.log[0]):
    recoveries = {
        "trained": recovery.collect(snakemake.input.trained),
        "amortised": recovery.collect(snakemake.input.trained, "alpha_amortised"),
        "zero-shot": recovery.collect(snakemake.input.zero_shot),
    }
    # Trained once, the model has no further trainings to compare with: its intervals come from its own test set.
    further = {"zero-shot": recovery.collect_further(snakemake.input.replicates, "zero-shot")}
    scores = [
        recovery.score(found, setting, snakemake.params.published, further.get(setting))
        for setting, found in recoveries.items()
    ]
    table_4.build(pd.concat(scores, ignore_index=True)).write(**snakemake.output)
