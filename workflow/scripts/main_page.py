"""The page of the paper's own tables and figures, before there are any results beyond the paper."""

import pandas as pd

from safe_pit_cm.data import jobs
from safe_pit_cm.paper import answer, claims, contents, page, scorecard

with jobs.run(snakemake):
    inputs, published = snakemake.input, snakemake.params.published
    sources = zip(snakemake.params.names, inputs.captions, inputs.contents, strict=True)
    items = [page.item(name, caption, content) for name, caption, content in sources]
    rows = scorecard.judge(published, inputs.table_3, inputs.table_4, claims.read(inputs.claims), beyond=False)
    items.insert(0, page.table(contents.SCORECARD, inputs.scorecard, scorecard.build(rows).to_html()))
    verdicts = [row.verdict for row in rows]
    waiting = sum(claim["measured"] in claims.BEYOND for claim in published["claims"])
    first = answer.compose(verdicts, pd.read_csv(inputs.table_4), published["table_4"], waiting=waiting)
    page.write(items, first, inputs.template, snakemake.output[0], to_come=snakemake.params.to_come)
