"""Figure 7: MAE and R² against the number of sub-steps."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import ablations, figure_7, style, table_3

with reporting.stage(snakemake.log[0]):
    recoveries = ablations.collect(snakemake.input.ablations, "substeps")
    rows = table_3.rows_of(recoveries, published_table=snakemake.params.published, **snakemake.params.settings)
    style.save(figure_7.draw(rows), **snakemake.output)
