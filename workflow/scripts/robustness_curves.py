"""Supplementary figure: errors against noise and crop width."""

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting
from safe_pit_cm.paper import robustness, robustness_curves

with reporting.stage(snakemake.log[0]):
    noise, crops = robustness.read([snakemake.input.noise]), robustness.read([snakemake.input.crops])
    plot_style.save(robustness_curves.draw(noise, crops), **snakemake.output)
