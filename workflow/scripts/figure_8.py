"""Figure 8: recovery against the number of frames left."""

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting
from safe_pit_cm.paper import ablation_stores, figure_8

with reporting.stage(snakemake.log[0]):
    plot_style.save(figure_8.draw(ablation_stores.collect(snakemake.input.ablations, "frame_step")), **snakemake.output)
