"""The page with every table and figure."""

from safe_pit_cm import reporting
from safe_pit_cm.paper import page

with reporting.stage(snakemake.log[0]):
    sources = zip(snakemake.params.names, snakemake.input.captions, snakemake.input.contents, strict=True)
    items = [page.item(name, caption, content) for name, caption, content in sources]
    page.write(items, snakemake.input.template, snakemake.output[0])
