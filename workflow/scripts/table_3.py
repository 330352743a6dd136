"""Table 3: the sub-step ablation."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import ablations, table_3

with reporting.stage(snakemake.log[0]):
    recoveries = ablations.collect(snakemake.input.ablations, "substeps")
    rows = table_3.rows_of(recoveries, published_table=snakemake.params.published, **snakemake.params.settings)
    table_3.build(rows).write(**snakemake.output)
