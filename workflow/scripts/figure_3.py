"""Figure 3: recovered against true α."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import figure_3, published, recovery, style

with reporting.stage(snakemake.log[0]):
    values = published.read(snakemake.input.published)
    recoveries = recovery.collect(snakemake.input.zero_shot)
    scores = recovery.score(recoveries, "zero-shot", values)
    style.save(figure_3.draw({"(b) zero-shot": (recoveries, scores)}), **snakemake.output)
