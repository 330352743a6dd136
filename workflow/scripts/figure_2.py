"""Figure 2: loss terms and gradient flow."""

from safe_pit_cm import plot_style
from safe_pit_cm.data import reporting, stores
from safe_pit_cm.paper import figure_2
from safe_pit_cm.safe import autoencoder, experiment
from safe_pit_cm.safe.phases import Sample

with reporting.stage(snakemake.log[0]):
    model = autoencoder.load(snakemake.input.model)
    sample = Sample.of_video(stores.read(snakemake.input.video, "video"))
    learning = experiment.learning(snakemake.params.settings)
    plot_style.save(figure_2.draw(figure_2.gradients(model, sample, learning), learning), **snakemake.output)
