"""Figure 3: recovered against true α."""

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting
from safe_pit_cm.paper import figure_3, recovery

with reporting.stage(snakemake.log[0]):
    panels = {}
    for title, setting, paths in (
        ("(a) trained, with test-time steps", "trained", snakemake.input.trained),
        ("(b) zero-shot", "zero-shot", snakemake.input.zero_shot),
    ):
        recoveries = recovery.collect(paths)
        panels[title] = (recoveries, recovery.score(recoveries, setting, snakemake.params.published))
    plot_style.save(figure_3.draw(panels), **snakemake.output)
