"""The page with every table and figure, and the time that it took to make them."""

from safe_pit_cm.data import files, jobs
from safe_pit_cm.paper import page, timing

with jobs.run(snakemake):
    sources = zip(snakemake.params.names, snakemake.input.captions, snakemake.input.contents, strict=True)
    items = [page.item(name, caption, content) for name, caption, content in sources]
    found = page.provenance(snakemake.params.names, snakemake.input.contents)
    # This rule runs last, when the times of all others are known.
    times = timing.build("logs/benchmarks", snakemake.params.rules)
    items.append(page.Item("time_by_stage", page.caption_html(snakemake.input.timing), times.to_html()))
    with files.replacing(snakemake.output.timing) as partial:
        partial.write_text(times.to_csv(), encoding="utf-8")
    page.write(items, found, snakemake.input.template, snakemake.output.page)
