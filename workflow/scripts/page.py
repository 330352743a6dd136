"""The page with every table and figure, and the time that it took to make them."""

import pandas as pd

from safe_pit_cm.data import files, jobs
from safe_pit_cm.paper import answer, contents, page, timing

with jobs.run(snakemake):
    sources = zip(snakemake.params.names, snakemake.input.captions, snakemake.input.contents, strict=True)
    items = [page.item(name, caption, content) for name, caption, content in sources]
    found = page.provenance(snakemake.params.names, snakemake.input.contents)
    # This rule runs last, when the times of all others are known.
    times = timing.build("logs/benchmarks", snakemake.params.rules)
    items.append(page.table(contents.TIMES, snakemake.input.timing, times.to_html()))
    with files.replacing(snakemake.output.timing) as partial:
        partial.write_text(times.to_csv(), encoding="utf-8")
    verdicts = pd.read_csv(snakemake.input.scorecard)["verdict"]
    first = answer.compose(verdicts, pd.read_csv(snakemake.input.table_4), snakemake.params.published)
    page.write(items, first, snakemake.input.template, snakemake.output.page, provenance=found)
