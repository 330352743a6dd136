"""The claims of the text, as far as the paper's own results test them."""

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import claims
from safe_pit_cm.safe import autoencoder

with reporting.stage(snakemake.log[0]):
    parameters = sum(each.numel() for each in autoencoder.load(snakemake.input.model).parameters())
    measured = claims.of_paper(dict(snakemake.input.items()), snakemake.params.benchmark, parameters)
    claims.write(measured, snakemake.output[0])
