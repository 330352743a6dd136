# Zero-shot inference: a fresh model for every test video, on the SAFE loss alone (§2.7). A job fits both of a parent.


rule zero_shot:
    input:
        videos=expand("results/videos/{process}/{{parent}}.zarr", process=PROCESSES),
    output:
        directory(expand("results/zero_shot/{process}/{{parent}}.zarr", process=PROCESSES)),
    log:
        "logs/zero_shot/{parent}.log",
    benchmark:
        "logs/benchmarks/zero_shot/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=15,
        # Uses a GPU if one is allocated; the request is in profiles/slurm.
        gpu=0,
    params:
        settings=dict(
            seed=lookup(dpath="seed", within=config),
            substeps=lookup(dpath="safe_operator/substeps", within=config),
            steps=lookup(dpath="zero_shot/steps", within=config),
            learning_rate=lookup(dpath="zero_shot/learning_rate", within=config),
            estimator=dict(
                pooled_size=lookup(dpath="estimator/pooled_size", within=config),
                channels=lookup(dpath="estimator/channels", within=config),
                stride=lookup(dpath="estimator/stride", within=config),
                features=lookup(dpath="estimator/features", within=config),
                heads=lookup(dpath="estimator/heads", within=config),
                reads=lookup(dpath="estimator/reads", within=config),
                standardise=lookup(dpath="estimator/standardise", within=config),
            ),
        ),
        code=code_digest("zero_shot"),
    message:
        "Fit the videos of parent {wildcards.parent}"
    script:
        "../scripts/zero_shot.py"
