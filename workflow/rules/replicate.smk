# Further test sets and further fits, for the intervals of the numbers of the paper.


rule replicate:
    output:
        "results/replicates/{dataset}/{parents}.csv",
    log:
        "logs/replicate/{dataset}/{parents}.log",
    benchmark:
        "logs/benchmarks/replicate/{dataset}/{parents}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        parents=lambda wildcards: REPLICATED_PARENTS[wildcards.parents],
        settings=lambda wildcards: settings.replicate(config, int(wildcards.dataset)),
        code=code_digest("replicate"),
    message:
        "Repeat the fits of parents {wildcards.parents} of data set {wildcards.dataset}"
    script:
        "../scripts/replicate.py"
