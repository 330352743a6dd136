# The paper's experiments for another equation: where config["model"]["name"] is not diffusion, these are all that runs.
#
#   snakemake --cores all --configfile config/fisher-kpp.yaml


rule model_video:
    output:
        directory("results/models/{model}/videos/{parent}.zarr"),
    log:
        "logs/model_video/{model}/{parent}.log",
    benchmark:
        "logs/benchmarks/model_video/{model}/{parent}.tsv"
    # All videos first, then the training, which takes longest.
    priority: 2
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=15,
    params:
        settings=settings.model_video(config),
        code=code_digest("model_video"),
    message:
        "Simulate {wildcards.model}, parent {wildcards.parent}"
    script:
        "../scripts/model_video.py"


rule model_scan:
    input:
        video="results/models/{model}/videos/{parent}.zarr",
    output:
        "results/models/{model}/scans/{parent}.csv",
    log:
        "logs/model_scan/{model}/{parent}.log",
    benchmark:
        "logs/benchmarks/model_scan/{model}/{parent}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(3000),
        runtime=60,
    params:
        settings=settings.model_scan(config),
        code=code_digest("model_scan"),
    message:
        "Recover the coefficients of {wildcards.model}, parent {wildcards.parent}"
    script:
        "../scripts/model_scan.py"


rule model_training:
    input:
        train=expand(
            "results/models/{{model}}/videos/{parent}.zarr",
            parent=MODEL_PARENTS["train"],
        ),
        validation=expand(
            "results/models/{{model}}/videos/{parent}.zarr",
            parent=MODEL_PARENTS["validation"],
        ),
        test=expand(
            "results/models/{{model}}/videos/{parent}.zarr",
            parent=MODEL_PARENTS["test"],
        ),
    output:
        recovered="results/models/{model}/training/recovered.csv",
        history="results/models/{model}/training/history.csv",
    log:
        "logs/model_training/{model}.log",
    benchmark:
        "logs/benchmarks/model_training/{model}.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(3000),
        runtime=120,
    params:
        settings=settings.model_training(config),
        # Snakemake compares all inputs as one set, which a parent that moves from one split to another does not change.
        parents=MODEL_PARENTS,
        code=code_digest("model_training"),
    message:
        "Train the model for {wildcards.model}"
    script:
        "../scripts/model_training.py"


rule model_page:
    input:
        scans=expand(
            "results/models/{{model}}/scans/{parent}.csv",
            parent=MODEL_PARENTS["test"],
        ),
        training="results/models/{model}/training/recovered.csv",
        template=local(shipped("workflow/resources/model.html.jinja")),
        look=local(LOOK),
    output:
        csv="results/models/{model}/summary.csv",
        page=report(
            "results/models/{model}/index.html",
            caption="../report/model_page.rst",
            category="Models",
        ),
    log:
        "logs/model_page/{model}.log",
    benchmark:
        "logs/benchmarks/model_page/{model}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        code=code_digest("model_page"),
    message:
        "Make the page of {wildcards.model}"
    script:
        "../scripts/model_page.py"
