# The paper's tables and figures, in the order of the page: results first, then the model, parameters and settings.
# An item is a module in src/safe_pit_cm/paper, a caption in workflow/report and a rule here: docs/add_an_item.md.


use rule table as scorecard with:
    input:
        table_3="results/paper/tables/table_3.csv",
        table_4="results/paper/tables/table_4.csv",
        claims="results/paper/claims.csv",
        degeneracy="results/paper/tables/degeneracy.csv",
        estimators="results/paper/tables/estimators.csv",
        baselines="results/paper/tables/baselines.csv",
    pathvars:
        item="scorecard",
        # Not in the folder of the other tables.
        tables="results/paper",
    params:
        published=PUBLISHED,


use rule table as table_4 with:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
        replicates=REPLICATES,
    pathvars:
        item="table_4",
    params:
        published=PUBLISHED["table_4"],


use rule figure as figure_3 with:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
    pathvars:
        item="figure_3",
    params:
        published=PUBLISHED["table_4"],


use rule table as table_3 with:
    input:
        ablations=ABLATIONS["substeps"],
        replicates=REPLICATES,
    pathvars:
        item="table_3",
    params:
        magnitude_max=lookup(dpath="transport/magnitude_max", within=config),
        published=PUBLISHED["table_3"],


use rule figure as figure_7 with:
    input:
        table="results/paper/tables/table_3.csv",
    pathvars:
        item="figure_7",


use rule figure as figure_8 with:
    input:
        ablations=ABLATIONS["frame_step"],
    pathvars:
        item="figure_8",


use rule table as collapse with:
    input:
        **COLLAPSE,
    pathvars:
        item="collapse",
    params:
        substeps=FEWEST_SUBSTEPS,


use rule figure as collapse_curves with:
    input:
        **COLLAPSE,
        grid="results/ablations/collapse/coefficient_grid.csv",
    pathvars:
        item="collapse_curves",
    params:
        substeps=FEWEST_SUBSTEPS,


use rule table as sensitivity with:
    input:
        minima=expand("results/ablations/sensitivity/{alternative}.csv", alternative=ALTERNATIVES),
    pathvars:
        item="sensitivity",
    params:
        alternatives=ALTERNATIVES,
        default=lookup(dpath="safe_operator/substeps", within=config),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},


use rule table as lost_choices with:
    input:
        scans=LOST_CHOICES,
    pathvars:
        item="lost_choices",
    params:
        settings=settings.lost_choices_items(config),


use rule table as published_numbers with:
    input:
        scans=LOST_CHOICES,
    pathvars:
        item="published_numbers",
    params:
        settings=settings.lost_choices_items(config),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},


use rule figure as lost_choices_map with:
    input:
        scans=LOST_CHOICES,
    pathvars:
        item="lost_choices_map",
    params:
        settings=settings.lost_choices_items(config),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},
        initial_condition=settings.example_initial_condition(config),


use rule table as table_5 with:
    input:
        trained=TRAINED_FITS,
    pathvars:
        item="table_5",


use rule figure as figure_4 with:
    input:
        trained=[fit for fit in TRAINED_FITS if "/diffusion/" in fit],
        videos=videos_of("test", ["diffusion"]),
    pathvars:
        item="figure_4",
    resources:
        mem_mb=megabytes(1000),
        runtime=5,


use rule figure_4 as figure_5 with:
    input:
        trained=[fit for fit in TRAINED_FITS if "/mobility/" in fit],
        videos=videos_of("test", ["mobility"]),
    pathvars:
        item="figure_5",


use rule figure as figure_6 with:
    input:
        history="results/training/history.csv",
        validation=videos_of("validation"),
    pathvars:
        item="figure_6",


use rule table as training_choices with:
    input:
        histories=variant_results("history", variants.PROCEDURES),
        outcomes=variant_results("outcome", variants.PROCEDURES),
    pathvars:
        item="training_choices",


use rule table as estimators with:
    input:
        outcomes=variant_results("outcome", variants.ESTIMATORS),
    pathvars:
        item="estimators",


use rule table as amortised with:
    input:
        recovered="results/noisy_training/recovered.csv",
        seconds="results/noisy_training/seconds.csv",
    pathvars:
        item="amortised",
    params:
        steps=lookup(dpath="inference/steps", within=config),


use rule table as degeneracy with:
    input:
        outcomes=variant_results("outcome", variants.DEGENERACY),
    pathvars:
        item="degeneracy",


use rule table as baselines with:
    input:
        recovered=baseline_records("recovered", BASELINE_PARENTS),
        seconds=baseline_records("seconds", BASELINE_PARENTS),
        reference=local(shipped("workflow/resources/baselines_long.csv")),
    pathvars:
        item="baselines",


use rule table as robustness with:
    input:
        noise="results/robustness/noise.csv",
    pathvars:
        item="robustness",


use rule figure as robustness_curves with:
    input:
        noise="results/robustness/noise.csv",
        crops="results/robustness/crops.csv",
    pathvars:
        item="robustness_curves",


use rule table as crops with:
    input:
        crops="results/robustness/crops.csv",
    pathvars:
        item="crops",


use rule figure as figure_1 with:
    input:
        model="results/training/model.safetensors",
        video=videos_of("test")[0],
    pathvars:
        item="figure_1",
    resources:
        mem_mb=megabytes(1500),
        runtime=5,


use rule figure_1 as figure_2 with:
    pathvars:
        item="figure_2",
    resources:
        mem_mb=megabytes(6000),
        runtime=5,
    params:
        settings=settings.figure_2(config),


use rule table as table_1 with:
    pathvars:
        item="table_1",
    params:
        settings=settings.table_1(config),
        parameters=PARAMETERS,


use rule table as table_2 with:
    pathvars:
        item="table_2",
    params:
        settings=settings.table_2(config),
        parameters=PARAMETERS,


# Not an item of the paper: all parameters of this run and their sources.
use rule table as parameters with:
    pathvars:
        item="parameters",
    params:
        settings={name: value for name, value in sorted(flatten(config).items()) if name in PARAMETERS},
        parameters=PARAMETERS,
