# The paper's tables and figures, and the page that shows them all. A new item is a module in src/safe_pit_cm/paper, a
# script, a caption in workflow/report, a rule here, and its name in common.smk.


rule scorecard:
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
    log:
        "logs/scorecard.log",
    benchmark:
        "logs/benchmarks/scorecard.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=5,
    params:
        published=PUBLISHED,
        # What the training took is told by its benchmark file, which is no input: it changes with every run.
        benchmark="logs/benchmarks/train.tsv",
        code=code_digest("scorecard"),
    message:
        "Scorecard: published beside measured"
    script:
        "../scripts/scorecard.py"


rule table_1:
    output:
        **table_files("table_1"),
    log:
        "logs/table_1.log",
    benchmark:
        "logs/benchmarks/table_1.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        settings=dict(
            size=lookup(dpath="grid/size", within=config),
            spacing=lookup(dpath="grid/spacing", within=config),
            step=lookup(dpath="time/step", within=config),
            steps=lookup(dpath="time/steps", within=config),
            save_interval=lookup(dpath="time/save_interval", within=config),
            grains_min=lookup(dpath="microstructure/grains_min", within=config),
            grains_max=lookup(dpath="microstructure/grains_max", within=config),
            interface_width=lookup(dpath="microstructure/interface_width", within=config),
            roughness=lookup(dpath="microstructure/roughness", within=config),
            magnitude_min=lookup(dpath="transport/magnitude_min", within=config),
            magnitude_max=lookup(dpath="transport/magnitude_max", within=config),
            parents=lookup(dpath="dataset/parents", within=config),
            validation_parents=lookup(dpath="dataset/validation_parents", within=config),
            test_parents=lookup(dpath="dataset/test_parents", within=config),
        ),
        parameters=PARAMETERS,
        code=code_digest("table_1"),
    message:
        "Table 1: simulation parameters"
    script:
        "../scripts/table_1.py"


rule table_2:
    output:
        **table_files("table_2"),
    log:
        "logs/table_2.log",
    benchmark:
        "logs/benchmarks/table_2.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        settings=dict(
            step=lookup(dpath="time/step", within=config),
            save_interval=lookup(dpath="time/save_interval", within=config),
            substeps=lookup(dpath="safe_operator/substeps", within=config),
        ),
        parameters=PARAMETERS,
        code=code_digest("table_2"),
    message:
        "Table 2: time scales"
    script:
        "../scripts/table_2.py"


rule table_4:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
        replicates=REPLICATES,
    output:
        **table_files("table_4"),
    log:
        "logs/table_4.log",
    benchmark:
        "logs/benchmarks/table_4.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        published=PUBLISHED["table_4"],
        code=code_digest("table_4"),
    message:
        "Table 4: parameter recovery"
    script:
        "../scripts/table_4.py"


rule figure_3:
    input:
        trained=TRAINED_FITS,
        zero_shot=ZERO_SHOT_FITS,
    output:
        **figure_files("figure_3"),
    log:
        "logs/figure_3.log",
    benchmark:
        "logs/benchmarks/figure_3.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        published=PUBLISHED["table_4"],
        code=code_digest("figure_3"),
    message:
        "Figure 3: recovered against true coefficients"
    script:
        "../scripts/figure_3.py"


rule table_5:
    input:
        trained=TRAINED_FITS,
    output:
        **table_files("table_5"),
    log:
        "logs/table_5.log",
    benchmark:
        "logs/benchmarks/table_5.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("table_5"),
    message:
        "Table 5: losses of the trained model"
    script:
        "../scripts/table_5.py"


rule table_3:
    input:
        ablations=ABLATIONS["substeps"],
        replicates=REPLICATES,
    output:
        **table_files("table_3"),
    log:
        "logs/table_3.log",
    benchmark:
        "logs/benchmarks/table_3.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        magnitude_max=lookup(dpath="transport/magnitude_max", within=config),
        published=PUBLISHED["table_3"],
        code=code_digest("table_3"),
    message:
        "Table 3: sub-step ablation"
    script:
        "../scripts/table_3.py"


rule figure_7:
    input:
        table="results/paper/tables/table_3.csv",
    output:
        **figure_files("figure_7"),
    log:
        "logs/figure_7.log",
    benchmark:
        "logs/benchmarks/figure_7.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("figure_7"),
    message:
        "Figure 7: recovery against the number of sub-steps"
    script:
        "../scripts/figure_7.py"


rule figure_8:
    input:
        ablations=ABLATIONS["frame_step"],
    output:
        **figure_files("figure_8"),
    log:
        "logs/figure_8.log",
    benchmark:
        "logs/benchmarks/figure_8.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("figure_8"),
    message:
        "Figure 8: recovery against the number of frames"
    script:
        "../scripts/figure_8.py"


rule collapse:
    input:
        ablations=ABLATIONS["substeps"],
        signed="results/variants/coarse_signed/outcome.csv",
        stable="results/variants/coarse_stable/outcome.csv",
    output:
        **table_files("collapse"),
    log:
        "logs/collapse.log",
    benchmark:
        "logs/benchmarks/collapse.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        substeps=FEWEST_SUBSTEPS,
        code=code_digest("collapse"),
    message:
        "Table of what is learned with the fewest sub-steps"
    script:
        "../scripts/collapse.py"


rule collapse_curves:
    input:
        ablations=ABLATIONS["substeps"],
        signed="results/variants/coarse_signed/outcome.csv",
        stable="results/variants/coarse_stable/outcome.csv",
        grid="results/ablations/collapse/coefficient_grid.csv",
    output:
        **figure_files("collapse_curves"),
    log:
        "logs/collapse_curves.log",
    benchmark:
        "logs/benchmarks/collapse_curves.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        substeps=FEWEST_SUBSTEPS,
        code=code_digest("collapse_curves"),
    message:
        "Figure of what is learned with the fewest sub-steps"
    script:
        "../scripts/collapse_curves.py"


rule sensitivity:
    input:
        minima=expand("results/ablations/sensitivity/{alternative}.csv", alternative=ALTERNATIVES),
    output:
        **table_files("sensitivity"),
    log:
        "logs/sensitivity.log",
    benchmark:
        "logs/benchmarks/sensitivity.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        alternatives=ALTERNATIVES,
        default=lookup(dpath="safe_operator/substeps", within=config),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},
        code=code_digest("sensitivity"),
    message:
        "Table of what hangs on the numbers that the text lost"
    script:
        "../scripts/sensitivity.py"


rule estimators:
    input:
        outcomes=variant_outcomes(variants.ESTIMATORS),
    output:
        **table_files("estimators"),
    log:
        "logs/estimators.log",
    benchmark:
        "logs/benchmarks/estimators.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("estimators"),
    message:
        "Table of estimators"
    script:
        "../scripts/estimators.py"


rule degeneracy:
    input:
        outcomes=variant_outcomes(variants.DEGENERACY),
    output:
        **table_files("degeneracy"),
    log:
        "logs/degeneracy.log",
    benchmark:
        "logs/benchmarks/degeneracy.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("degeneracy"),
    message:
        "Table of degeneracy"
    script:
        "../scripts/degeneracy.py"


rule figure_1:
    input:
        model="results/training/model.safetensors",
        video=videos_of("test")[0],
    output:
        **figure_files("figure_1"),
    log:
        "logs/figure_1.log",
    benchmark:
        "logs/benchmarks/figure_1.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=5,
    params:
        code=code_digest("figure_1"),
    message:
        "Figure 1: architecture"
    script:
        "../scripts/figure_1.py"


rule figure_2:
    input:
        model="results/training/model.safetensors",
        video=videos_of("test")[0],
    output:
        **figure_files("figure_2"),
    log:
        "logs/figure_2.log",
    benchmark:
        "logs/benchmarks/figure_2.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(6000),
        runtime=5,
    params:
        settings=dict(
            loss=lookup(dpath="loss", within=config),
            training=lookup(dpath="training", within=config),
        ),
        code=code_digest("figure_2"),
    message:
        "Figure 2: losses and gradient flow"
    script:
        "../scripts/figure_2.py"


rule figure_4:
    input:
        trained=[fit for fit in TRAINED_FITS if "/diffusion/" in fit],
        videos=[video for video in videos_of("test") if "/diffusion/" in video],
    output:
        **figure_files("figure_4"),
    log:
        "logs/figure_4.log",
    benchmark:
        "logs/benchmarks/figure_4.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=5,
    params:
        code=code_digest("fields"),
    message:
        "Figure 4: frames of a diffusion video"
    script:
        "../scripts/fields.py"


rule figure_5:
    input:
        trained=[fit for fit in TRAINED_FITS if "/mobility/" in fit],
        videos=[video for video in videos_of("test") if "/mobility/" in video],
    output:
        **figure_files("figure_5"),
    log:
        "logs/figure_5.log",
    benchmark:
        "logs/benchmarks/figure_5.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=5,
    params:
        code=code_digest("fields"),
    message:
        "Figure 5: frames of a mobility video"
    script:
        "../scripts/fields.py"


rule figure_6:
    input:
        history="results/training/history.csv",
        validation=videos_of("validation"),
    output:
        **figure_files("figure_6"),
    log:
        "logs/figure_6.log",
    benchmark:
        "logs/benchmarks/figure_6.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("figure_6"),
    message:
        "Figure 6: training dynamics"
    script:
        "../scripts/figure_6.py"


# Not an item of the paper: what this run was given, and which of it the paper gives.
rule parameters:
    output:
        **table_files("parameters"),
    log:
        "logs/parameters.log",
    benchmark:
        "logs/benchmarks/parameters.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        settings=dict(sorted(flatten(config).items())),
        parameters=PARAMETERS,
        code=code_digest("parameters"),
    message:
        "Table of all parameters"
    script:
        "../scripts/parameters.py"


rule page:
    input:
        contents=[page_content(item) for item in PAGE],
        # Of the checkout, wherever results are stored.
        captions=local(expand("workflow/report/{item}.rst", item=PAGE)),
        timing=local("workflow/report/timing.rst"),
        template=local("workflow/resources/page.html.jinja"),
    output:
        page=report(
            "results/paper/index.html",
            caption="../report/page.rst",
            category="Page",
        ),
        timing="results/paper/timing.csv",
    log:
        "logs/page.log",
    benchmark:
        "logs/benchmarks/page.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        names=PAGE,
        rules=sorted(rule.name for rule in workflow.rules if rule.name != "all"),
        code=code_digest("page"),
    message:
        "The page with every table and figure"
    script:
        "../scripts/page.py"
