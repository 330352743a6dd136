"""Table 1: the simulation parameters."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import table_1

with reporting.stage(snakemake.log[0]):
    table = table_1.build(**snakemake.params.settings, parameters=snakemake.params.parameters)
    table.write(**snakemake.output)
