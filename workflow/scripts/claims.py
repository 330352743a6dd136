"""The claims of the text, as far as the paper's own results test them."""

from safe_pit_cm.data import jobs
from safe_pit_cm.paper import claims
from safe_pit_cm.safe import autoencoder

with jobs.run(snakemake):
    parameters = sum(each.numel() for each in autoencoder.load(snakemake.input.model).parameters())
    measured = claims.of_paper(dict(snakemake.input.items()), snakemake.params.benchmark, parameters)
    claims.write(measured, snakemake.output[0])
