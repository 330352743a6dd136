"""The scorecard: published numbers and claims beside measured ones, with verdicts."""

import pandas as pd

from safe_pit_cm.data import reporting
from safe_pit_cm.paper import ablation_stores, claims, recovery, scorecard
from safe_pit_cm.safe import autoencoder

with reporting.stage(snakemake.log[0]):
    given, published = snakemake.input, snakemake.params.published
    table = {name: pd.read_csv(given[name]) for name in ("table_3", "table_4", "degeneracy")}
    frames = ablation_stores.frame_step_scores(ablation_stores.collect(given.frame_steps, "frame_step"))
    measured = {
        **claims.of_table_3(table["table_3"]),
        **claims.of_substeps(ablation_stores.collect(given.substeps, "substeps")),
        **claims.of_inference(recovery.collect(given.trained), recovery.collect(given.zero_shot)),
        **claims.of_degeneracy(table["degeneracy"]),
        **claims.of_estimators(pd.read_csv(given.estimators)),
        **claims.of_baselines(pd.read_csv(given.baselines)),
        **claims.of_frame_steps(frames),
        **claims.of_history(pd.read_csv(given.history)),
        **claims.of_fits(given.zero_shot),
        **claims.of_training(snakemake.params.benchmark, autoencoder.load(given.model)),
    }
    rows = [
        *scorecard.table_3(published["table_3"], table["table_3"]),
        *scorecard.table_4(published["table_4"], table["table_4"]),
        *scorecard.claims(published["claims"], measured),
    ]
    scorecard.build(rows).write(**snakemake.output)
