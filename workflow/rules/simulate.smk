# Parent simulations: Voronoi initial condition, forward Euler integration, time reversal, split (§2.2, A.1–A.4).


# All of a parent in one job, which takes longer to start than to compute.
rule simulate:
    output:
        initial_condition=directory("results/initial_conditions/{parent}.zarr"),
        diffusion=directory("results/videos/diffusion/{parent}.zarr"),
        mobility=directory("results/videos/mobility/{parent}.zarr"),
    log:
        "logs/simulate/{parent}.log",
    benchmark:
        "logs/benchmarks/simulate/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=10,
    params:
        settings=dict(
            initial_condition=dict(
                seed=lookup(dpath="seed", within=config),
                size=lookup(dpath="grid/size", within=config),
                spacing=lookup(dpath="grid/spacing", within=config),
                grains_min=lookup(dpath="microstructure/grains_min", within=config),
                grains_max=lookup(dpath="microstructure/grains_max", within=config),
                interface_width=lookup(dpath="microstructure/interface_width", within=config),
                roughness=lookup(dpath="microstructure/roughness", within=config),
            ),
            integrate=dict(
                magnitude_min=lookup(dpath="transport/magnitude_min", within=config),
                magnitude_max=lookup(dpath="transport/magnitude_max", within=config),
                step=lookup(dpath="time/step", within=config),
                steps=lookup(dpath="time/steps", within=config),
                save_interval=lookup(dpath="time/save_interval", within=config),
                largest_step_reduction=lookup(dpath="time/largest_step_reduction", within=config),
            ),
        ),
        code=code_digest("simulate"),
    message:
        "Simulate parent {wildcards.parent}"
    script:
        "../scripts/simulate.py"


rule split:
    output:
        "results/splits.csv",
    log:
        "logs/split.log",
    benchmark:
        "logs/benchmarks/split.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        settings=dict(
            parents=lookup(dpath="dataset/parents", within=config),
            validation_parents=lookup(dpath="dataset/validation_parents", within=config),
            test_parents=lookup(dpath="dataset/test_parents", within=config),
        ),
        code=code_digest("split"),
    message:
        "Split the parents into training, validation and test"
    script:
        "../scripts/split.py"
