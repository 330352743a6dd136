"""Table 5: losses of the trained model on the test videos."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import table_5

with reporting.stage(snakemake.log[0]):
    table_5.build(snakemake.input.trained).write(**snakemake.output)
