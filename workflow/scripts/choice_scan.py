"""Find how likely the published numbers are over a grid of values missing from the text, under one reading of it."""

from safe_pit_cm.data import files, jobs
from safe_pit_cm.studies import lost_choices, published_statistics
from safe_pit_cm.studies.readings import Reading

with jobs.run(snakemake) as log:
    settings, published = dict(snakemake.params.settings), snakemake.params.published
    rows = lost_choices.scan(
        Reading(**settings.pop("reading")),
        published_statistics.published_statistics(**published),
        test_parents=published_statistics.published_test_parents(published["table_4"]),
        **settings,
        progress=log.info,
    )
    with files.replacing(snakemake.output[0]) as partial:
        rows.to_csv(partial, index=False, lineterminator="\n")
