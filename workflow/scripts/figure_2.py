"""Figure 2: loss terms and gradient flow."""

from safe_pit_cm import autoencoder, experiment, reporting, stores
from safe_pit_cm.learning import Sample
from safe_pit_cm.paper import figure_2, style

with reporting.stage(snakemake.log[0]):
    model = autoencoder.load(snakemake.input.model)
    sample = Sample.of_video(stores.read(snakemake.input.video, "video"))
    learning = experiment.learning(snakemake.params.settings)
    style.save(figure_2.draw(figure_2.gradients(model, sample, learning), learning), **snakemake.output)
