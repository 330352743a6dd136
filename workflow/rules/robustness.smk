# Robustness: effect of noise and of an unknown boundary (supplement).


rule noise_scan:
    input:
        videos=expand(
            "results/videos/{process}/{parent}.zarr",
            process=PROCESSES,
            parent=TEST_PARENTS[: config["robustness"]["parents"]],
        ),
    output:
        "results/robustness/noise.csv",
    log:
        "logs/noise_scan.log",
    benchmark:
        "logs/benchmarks/noise_scan.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=15,
    params:
        settings=settings.noise_scan(config),
        code=code_digest("noise_scan"),
    message:
        "Run every method on test videos with noise"
    script:
        "../scripts/noise_scan.py"


rule crop_scan:
    input:
        videos=expand(
            "results/videos/diffusion/{parent}.zarr",
            parent=TEST_PARENTS[: config["robustness"]["crop_parents"]],
        ),
    output:
        "results/robustness/crops.csv",
    log:
        "logs/crop_scan.log",
    benchmark:
        "logs/benchmarks/crop_scan.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=15,
    params:
        settings=dict(
            seed=lookup(dpath="seed", within=config),
            widths=lookup(dpath="robustness/crop_widths", within=config),
            noise=lookup(dpath="robustness/crop_noise", within=config),
        ),
        code=code_digest("crop_scan"),
    message:
        "Fit crops of noisy videos with an unknown boundary"
    script:
        "../scripts/crop_scan.py"
