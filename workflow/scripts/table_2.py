"""Table 2: the three time scales."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import table_2

with reporting.stage(snakemake.log[0]):
    table = table_2.build(**snakemake.params.settings, parameters=snakemake.params.parameters)
    table.write(**snakemake.output)
