"""Figures 4 and 5: frames of the test video with the median coefficient."""

from pathlib import Path

from safe_pit_cm import reporting, stores
from safe_pit_cm.paper import fields, style

with reporting.stage(snakemake.log[0]):
    chosen = fields.choose(snakemake.input.trained)
    videos = {Path(path).name: path for path in snakemake.input.videos}
    figure = fields.draw(stores.read(chosen, "fit"), stores.read(videos[chosen.name], "video"))
    style.save(figure, **snakemake.output)
