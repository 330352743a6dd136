# Trained inference: test-time steps of the trained model on every test video (§3.1).


rule infer:
    input:
        videos=expand("results/videos/{process}/{{parent}}.zarr", process=PROCESSES),
        model="results/training/model.safetensors",
    output:
        directory(expand("results/trained/{process}/{{parent}}.zarr", process=PROCESSES)),
    log:
        "logs/infer/{parent}.log",
    benchmark:
        "logs/benchmarks/infer/{parent}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(3000),
        runtime=30,
        # Uses a GPU if one is allocated; the request is in profiles/slurm.
        gpu=0,
    params:
        settings=dict(
            seed=lookup(dpath="seed", within=config),
            steps=lookup(dpath="inference/steps", within=config),
            loss=lookup(dpath="loss", within=config),
            training=lookup(dpath="training", within=config),
        ),
        code=code_digest("infer"),
    message:
        "Refine the trained model on the videos of parent {wildcards.parent}"
    script:
        "../scripts/infer.py"
