# Baselines: other methods to find the coefficient of a test video (supplement). Results and times are in separate
# files, since no two runs take the same time.


rule baseline_fit:
    input:
        videos=expand("results/videos/{process}/{{parent}}.zarr", process=PROCESSES),
    output:
        recovered=expand("results/baselines/recovered/{{method}}/{process}/{{parent}}.csv", process=PROCESSES),
        seconds=expand("results/baselines/seconds/{{method}}/{process}/{{parent}}.csv", process=PROCESSES),
    log:
        "logs/baseline_fit/{method}/{parent}.log",
    benchmark:
        "logs/benchmarks/baseline_fit/{method}/{parent}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=120,
    params:
        settings=dict(
            seed=lookup(dpath="seed", within=config),
            substeps=lookup(dpath="safe_operator/substeps", within=config),
            magnitude_low=lookup(dpath="loss/magnitude_low", within=config),
            magnitude_high=lookup(dpath="loss/magnitude_high", within=config),
            zero_shot=lookup(dpath="zero_shot", within=config),
            estimator=lookup(dpath="estimator", within=config),
            baselines=settings.baselines(config),
        ),
        methods=lambda wildcards: baseline_list.QUICK if wildcards.method == "quick" else [wildcards.method],
        code=code_digest("baseline_fit"),
    message:
        "Run the baselines ({wildcards.method}) on the videos of parent {wildcards.parent}"
    script:
        "../scripts/baseline_fit.py"


# On request: the original of workflow/resources/baselines_long.csv.
rule baselines_reference:
    input:
        recovered=baseline_records("recovered", {**BASELINE_PARENTS, "quick": BASELINE_PARENTS["long"]}),
        seconds=baseline_records("seconds", {**BASELINE_PARENTS, "quick": BASELINE_PARENTS["long"]}),
    output:
        "results/baselines/reference.csv",
    log:
        "logs/baselines_reference.log",
    benchmark:
        "logs/benchmarks/baselines_reference.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("baselines_reference"),
    message:
        "Collect reference values of the long baselines"
    script:
        "../scripts/baselines_reference.py"
