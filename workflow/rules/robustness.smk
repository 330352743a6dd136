# Robustness: what noise and an unknown boundary do to every method (supplement).


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
        settings=noise_scan_settings(),
        code=code_digest("noise_scan"),
    message:
        "Let every method face test videos with noise"
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
        "Fit crops of noisy videos without their boundary"
    script:
        "../scripts/crop_scan.py"


rule robustness:
    input:
        noise="results/robustness/noise.csv",
    output:
        **table_files("robustness"),
    log:
        "logs/robustness.log",
    benchmark:
        "logs/benchmarks/robustness.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("robustness"),
    message:
        "Table of errors against noise"
    script:
        "../scripts/robustness.py"


rule crops:
    input:
        crops="results/robustness/crops.csv",
    output:
        **table_files("crops"),
    log:
        "logs/crops.log",
    benchmark:
        "logs/benchmarks/crops.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("crops"),
    message:
        "Table of crops without a known boundary"
    script:
        "../scripts/crops.py"


rule robustness_curves:
    input:
        noise="results/robustness/noise.csv",
        crops="results/robustness/crops.csv",
    output:
        **figure_files("robustness_curves"),
    log:
        "logs/robustness_curves.log",
    benchmark:
        "logs/benchmarks/robustness_curves.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("robustness_curves"),
    message:
        "Figure of errors against noise and crop width"
    script:
        "../scripts/robustness_curves.py"
