# Ablations (§3.3), the collapse without sub-steps (§2.4), and how results depend on numbers missing from the text.


rule substeps:
    input:
        videos=expand("results/videos/{process}/{{parent}}.zarr", process=PROCESSES),
        zero_shot=expand("results/zero_shot/{process}/{{parent}}.zarr", process=PROCESSES),
    output:
        directory(expand("results/ablations/substeps/{process}/{{parent}}.zarr", process=PROCESSES)),
    log:
        "logs/substeps/{parent}.log",
    benchmark:
        "logs/benchmarks/substeps/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        ablation="substeps",
        settings=dict(
            counts=lookup(dpath="ablation/substeps", within=config),
            default=lookup(dpath="safe_operator/substeps", within=config),
            **settings.zero_shot(config),
        ),
        code=code_digest("step_ablation"),
    message:
        "Vary the number of sub-steps for the videos of parent {wildcards.parent}"
    script:
        "../scripts/step_ablation.py"


use rule substeps as frame_step with:
    output:
        directory(expand("results/ablations/frame_step/{process}/{{parent}}.zarr", process=PROCESSES)),
    log:
        "logs/frame_step/{parent}.log",
    benchmark:
        "logs/benchmarks/frame_step/{parent}.tsv"
    params:
        ablation="frame_step",
        settings=dict(
            steps_between=lookup(dpath="ablation/frame_steps", within=config),
            default=lookup(dpath="safe_operator/substeps", within=config),
            **settings.zero_shot(config),
        ),
        code=code_digest("step_ablation"),
    message:
        "Vary the number of frames of the videos of parent {wildcards.parent}"


rule coefficient_grid:
    input:
        initial_condition=f"results/initial_conditions/{TEST_PARENTS[0]}.zarr",
    output:
        "results/ablations/collapse/coefficient_grid.csv",
    log:
        "logs/coefficient_grid.log",
    benchmark:
        "logs/benchmarks/coefficient_grid.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=15,
    params:
        settings=dict(
            magnitudes=lookup(dpath="ablation/collapse_magnitudes", within=config),
            count=FEWEST_SUBSTEPS,
            time=lookup(dpath="time", within=config),
        ),
        code=code_digest("coefficient_grid"),
    message:
        "Minimise the loss with the fewest sub-steps for a grid of coefficients"
    script:
        "../scripts/coefficient_grid.py"


rule sensitivity_run:
    output:
        "results/ablations/sensitivity/{alternative}.csv",
    log:
        "logs/sensitivity_run/{alternative}.log",
    benchmark:
        "logs/benchmarks/sensitivity_run/{alternative}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=30,
    params:
        settings=lambda wildcards: settings.sensitivity(config, wildcards.alternative),
        code=code_digest("sensitivity_run"),
    message:
        "Simulate test videos with the alternative {wildcards.alternative}"
    script:
        "../scripts/sensitivity_run.py"


rule choice_scan:
    output:
        "results/lost_choices/{reading}.csv",
    log:
        "logs/choice_scan/{reading}.log",
    benchmark:
        "logs/benchmarks/choice_scan/{reading}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=30,
    params:
        settings=lambda wildcards: settings.lost_choices(config, wildcards.reading),
        published={name: PUBLISHED[name] for name in ("table_3", "table_4")},
        code=code_digest("choice_scan"),
    message:
        "Find the choices that give the published numbers, for the reading {wildcards.reading}"
    script:
        "../scripts/choice_scan.py"
