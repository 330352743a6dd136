"""Figure 1: the architecture."""

import torch

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting, stores
from safe_pit_cm.paper import figure_1
from safe_pit_cm.safe import autoencoder

with reporting.stage(snakemake.log[0]):
    model = autoencoder.load(snakemake.input.model).eval()
    video = torch.from_numpy(stores.read(snakemake.input.video, "video")["field"].to_numpy().copy())
    plot_style.save(figure_1.draw(model, video), **snakemake.output)
