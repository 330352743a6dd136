# What the items of the paper have in common: a template that makes nothing by itself. `<item>` is the name that the rule
# of an item gives as its path variable.


rule item:
    log:
        "logs/<item>.log",
    benchmark:
        "logs/benchmarks/<item>.tsv"
    pathvars:
        item="item",
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=5,
    message:
        "Item of the paper: {output[0]}"
    script:
        "../scripts/item.py"
