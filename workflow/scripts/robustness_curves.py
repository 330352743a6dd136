"""Supplementary figure: errors against noise and crop width."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import robustness, robustness_curves, style

with reporting.stage(snakemake.log[0]):
    noise, crops = robustness.read([snakemake.input.noise]), robustness.read([snakemake.input.crops])
    style.save(robustness_curves.draw(noise, crops), **snakemake.output)
