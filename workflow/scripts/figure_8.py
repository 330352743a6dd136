"""Figure 8: recovery against the number of frames left."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import ablations, figure_8, style

with reporting.stage(snakemake.log[0]):
    style.save(figure_8.draw(ablations.collect(snakemake.input.ablations, "frame_step")), **snakemake.output)
