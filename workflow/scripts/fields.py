"""Figures 4 and 5: frames of the test video with the median coefficient."""

from pathlib import Path

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting, stores
from safe_pit_cm.paper import fields

with reporting.stage(snakemake.log[0]):
    chosen = fields.choose(snakemake.input.trained)
    videos = {Path(path).name: path for path in snakemake.input.videos}
    figure = fields.draw(stores.read(chosen, "fit"), stores.read(videos[chosen.name], "video"))
    plot_style.save(figure, **snakemake.output)
