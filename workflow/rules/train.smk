# Two-phase training on the videos of the training parents (§2.6), and variants of it beyond the paper.


rule train:
    input:
        train=videos_of("train"),
        validation=videos_of("validation"),
    output:
        model="results/training/model.safetensors",
        history="results/training/history.csv",
    log:
        "logs/train.log",
    benchmark:
        "logs/benchmarks/train.tsv"
    # Started first, since the longest chain of jobs depends on it. Other stages of the paper itself have priority 1,
    # and those beyond it none, so that the paper's own tables and figures are on a page long before the rest.
    priority: 2
    conda:
        "../../envs/safe-pit-cm.yaml"
    # Sums depend on the number of threads; with one thread, every machine gives the same weights.
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=60,
        # Uses a GPU if one is allocated; the request is in profiles/slurm.
        gpu=0,
    params:
        settings=settings.training(config),
        # Snakemake compares all inputs as one set, which a parent that moves from one split to another does not change.
        parents=parents_by_split("train", "validation"),
        code=code_digest("train"),
    message:
        "Train the model"
    script:
        "../scripts/train.py"


# Trainings of variants read all videos. They read this list instead of naming every video, which would dominate planning.
rule catalogue:
    input:
        train=videos_of("train"),
        validation=videos_of("validation"),
        test=videos_of("test"),
    output:
        "results/videos/catalogue.csv",
    log:
        "logs/catalogue.log",
    benchmark:
        "logs/benchmarks/catalogue.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=30,
    params:
        # As for the training.
        parents=parents_by_split("train", "validation", "test"),
        code=code_digest("catalogue"),
    message:
        "List all videos"
    script:
        "../scripts/catalogue.py"


rule train_variant:
    input:
        catalogue="results/videos/catalogue.csv",
    output:
        history="results/variants/{variant}/history.csv",
        outcome="results/variants/{variant}/outcome.csv",
    log:
        "logs/train_variant/{variant}.log",
    benchmark:
        "logs/benchmarks/train_variant/{variant}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=60,
        # Uses a GPU if one is allocated; the request is in profiles/slurm.
        gpu=0,
    params:
        settings=lambda wildcards: settings.variant(config, wildcards.variant),
        code=code_digest("train_variant"),
    message:
        "Train the variant {wildcards.variant}"
    script:
        "../scripts/train_variant.py"


# Beyond the paper: estimators that are trained on noisy videos. Results and times are in separate files, since no two
# runs take the same time.
rule noisy_training:
    input:
        catalogue="results/videos/catalogue.csv",
    output:
        recovered="results/noisy_training/recovered.csv",
        seconds="results/noisy_training/seconds.csv",
    log:
        "logs/noisy_training.log",
    benchmark:
        "logs/benchmarks/noisy_training.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        settings=settings.noisy_training(config),
        code=code_digest("noisy_training"),
    message:
        "Train estimators on noisy videos"
    script:
        "../scripts/noisy_training.py"
