"""Table 3: the sub-step ablation."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import ablation_stores, recovery, table_3

with reporting.stage(snakemake.log[0]):
    recoveries = ablation_stores.collect(snakemake.input.ablations, "substeps")
    further = recovery.collect_further(snakemake.input.replicates, "minimum")
    rows = table_3.rows_of(recoveries, further, snakemake.params.magnitude_max, snakemake.params.published)
    table_3.build(rows).write(**snakemake.output)
