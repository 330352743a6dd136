"""Table 4: parameter recovery on the test videos."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import recovery, table_4

with reporting.stage(snakemake.log[0]):
    recoveries = recovery.collect(snakemake.input.zero_shot)
    scores = recovery.score(recoveries, "zero-shot", snakemake.params.published)
    table_4.build(scores).write(**snakemake.output)
