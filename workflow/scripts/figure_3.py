"""Figure 3: recovered against true α."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import figure_3, recovery, style

with reporting.stage(snakemake.log[0]):
    recoveries = recovery.collect(snakemake.input.zero_shot)
    scores = recovery.score(recoveries, "zero-shot", snakemake.params.published)
    style.save(figure_3.draw({"(b) zero-shot": (recoveries, scores)}), **snakemake.output)
