# Further test sets and further fits, for the intervals of the numbers of the paper.


rule replicate:
    output:
        "results/replicates/{dataset}/{parent}.csv",
    log:
        "logs/replicate/{dataset}/{parent}.log",
    benchmark:
        "logs/benchmarks/replicate/{dataset}/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        settings=lambda wildcards: settings.replicate(config, int(wildcards.dataset)),
        code=code_digest("replicate"),
    message:
        "Repeat the fits of parent {wildcards.parent} of data set {wildcards.dataset}"
    script:
        "../scripts/replicate.py"
