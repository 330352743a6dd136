# The items of the paper, in the order of the page: results first, then what they rest on.
#
# An item has a module in safe_pit_cm.paper, a caption in workflow/report, and a rule here; see docs/add_an_item.md.


use rule item as scorecard with:
    input:
        table_3="results/paper/tables/table_3.csv",
        table_4="results/paper/tables/table_4.csv",
        degeneracy="results/paper/tables/degeneracy.csv",
        estimators="results/paper/tables/estimators.csv",
        baselines="results/paper/tables/baselines.csv",
        substeps=ABLATIONS["substeps"],
        frame_steps=ABLATIONS["frame_step"],
        zero_shot=ZERO_SHOT_FITS,
        trained=TRAINED_FITS,
        history="results/training/history.csv",
        model="results/training/model.safetensors",
    output:
        **table_files("scorecard"),
    pathvars:
        item="scorecard",
    params:
        published=PUBLISHED,
        benchmark="logs/benchmarks/train.tsv",


use rule item as table_4 with:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
        replicates=REPLICATES,
    output:
        **table_files("table_4"),
    pathvars:
        item="table_4",
    params:
        published=PUBLISHED["table_4"],


use rule item as figure_3 with:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
    output:
        **figure_files("figure_3"),
    pathvars:
        item="figure_3",
    params:
        published=PUBLISHED["table_4"],


use rule item as table_3 with:
    input:
        ablations=ABLATIONS["substeps"],
        replicates=REPLICATES,
    output:
        **table_files("table_3"),
    pathvars:
        item="table_3",
    params:
        magnitude_max=lookup(dpath="transport/magnitude_max", within=config),
        published=PUBLISHED["table_3"],


use rule item as figure_7 with:
    input:
        table="results/paper/tables/table_3.csv",
    output:
        **figure_files("figure_7"),
    pathvars:
        item="figure_7",


use rule item as figure_8 with:
    input:
        ablations=ABLATIONS["frame_step"],
    output:
        **figure_files("figure_8"),
    pathvars:
        item="figure_8",


use rule item as collapse with:
    input:
        **COLLAPSE,
    output:
        **table_files("collapse"),
    pathvars:
        item="collapse",
    params:
        substeps=FEWEST_SUBSTEPS,


use rule collapse as collapse_curves with:
    input:
        **COLLAPSE,
        grid="results/ablations/collapse/coefficient_grid.csv",
    output:
        **figure_files("collapse_curves"),
    pathvars:
        item="collapse_curves",


use rule item as sensitivity with:
    input:
        minima=expand("results/ablations/sensitivity/{alternative}.csv", alternative=ALTERNATIVES),
    output:
        **table_files("sensitivity"),
    pathvars:
        item="sensitivity",
    params:
        alternatives=ALTERNATIVES,
        default=lookup(dpath="safe_operator/substeps", within=config),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},


use rule item as table_5 with:
    input:
        trained=TRAINED_FITS,
    output:
        **table_files("table_5"),
    pathvars:
        item="table_5",


use rule item as figure_4 with:
    input:
        trained=[fit for fit in TRAINED_FITS if "/diffusion/" in fit],
        videos=[video for video in videos_of("test") if "/diffusion/" in video],
    output:
        **figure_files("figure_4"),
    pathvars:
        item="figure_4",


use rule item as figure_5 with:
    input:
        trained=[fit for fit in TRAINED_FITS if "/mobility/" in fit],
        videos=[video for video in videos_of("test") if "/mobility/" in video],
    output:
        **figure_files("figure_5"),
    pathvars:
        item="figure_5",


use rule item as figure_6 with:
    input:
        history="results/training/history.csv",
        validation=videos_of("validation"),
    output:
        **figure_files("figure_6"),
    pathvars:
        item="figure_6",


use rule item as estimators with:
    input:
        outcomes=variant_outcomes(variants.ESTIMATORS),
    output:
        **table_files("estimators"),
    pathvars:
        item="estimators",


use rule item as degeneracy with:
    input:
        outcomes=variant_outcomes(variants.DEGENERACY),
    output:
        **table_files("degeneracy"),
    pathvars:
        item="degeneracy",


use rule item as baselines with:
    input:
        recovered=baseline_records("recovered", BASELINE_PARENTS),
        seconds=baseline_records("seconds", BASELINE_PARENTS),
        reference="workflow/resources/baselines_long.csv",
    output:
        **table_files("baselines"),
    pathvars:
        item="baselines",


use rule item as robustness with:
    input:
        noise="results/robustness/noise.csv",
    output:
        **table_files("robustness"),
    pathvars:
        item="robustness",


use rule item as robustness_curves with:
    input:
        noise="results/robustness/noise.csv",
        crops="results/robustness/crops.csv",
    output:
        **figure_files("robustness_curves"),
    pathvars:
        item="robustness_curves",


use rule item as crops with:
    input:
        crops="results/robustness/crops.csv",
    output:
        **table_files("crops"),
    pathvars:
        item="crops",


use rule item as figure_1 with:
    input:
        model="results/training/model.safetensors",
        video=videos_of("test")[0],
    output:
        **figure_files("figure_1"),
    pathvars:
        item="figure_1",


use rule figure_1 as figure_2 with:
    output:
        **figure_files("figure_2"),
    pathvars:
        item="figure_2",
    resources:
        mem_mb=megabytes(6000),
    params:
        settings=settings.learning(config),


use rule item as table_1 with:
    output:
        **table_files("table_1"),
    pathvars:
        item="table_1",
    params:
        settings=settings.table_1(config),
        parameters=PARAMETERS,


use rule table_1 as table_2 with:
    output:
        **table_files("table_2"),
    pathvars:
        item="table_2",
    params:
        settings=settings.table_2(config),


use rule table_1 as parameters with:
    output:
        **table_files("parameters"),
    pathvars:
        item="parameters",
    params:
        settings=dict(sorted(flatten(config).items())),
