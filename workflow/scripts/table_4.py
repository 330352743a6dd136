"""Table 4: parameter recovery on the test videos."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import published, recovery, table_4

with reporting.stage(snakemake.log[0]):
    values = published.read(snakemake.input.published)
    scores = recovery.score(recovery.collect(snakemake.input.zero_shot), "zero-shot", values)
    table_4.build(scores).write(**snakemake.output)
