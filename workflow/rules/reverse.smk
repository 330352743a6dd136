# Mobility videos by time reversal (§2.2, A.3).


rule reverse:
    input:
        video="results/videos/diffusion/{parent}.zarr",
    output:
        directory("results/videos/mobility/{parent}.zarr"),
    log:
        "logs/reverse/{parent}.log",
    benchmark:
        "logs/benchmarks/reverse/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        settings={},
        code=code_digest("reverse"),
    message:
        "Reverse the video of parent {wildcards.parent}"
    script:
        "../scripts/reverse.py"
