"""Measure one film; what is wrong with it becomes part of the result and stops no other."""

from safe_pit_cm.data import reporting
from safe_pit_cm.measurements import film

with reporting.stage(snakemake.log[0]) as log:
    found = film.measure(snakemake.params.film, snakemake.params.arguments, snakemake.output[0], log.info)
    log.info("%s: %s", found.status, found.sentence)
