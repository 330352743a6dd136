# Measured films: one job for each row of the table that config["measurements"]["samples"] names, and a summary.
#
#   snakemake --cores all measurements
#
# Included last: the page of the paper lists the rules above with their times, and these two are no part of the paper.


rule measure:
    input:
        # Of the checkout, wherever results are stored; every file that the film and its options name.
        local(lambda wildcards: sample(wildcards).files),
    output:
        directory("results/measurements/{sample}"),
    log:
        "logs/measure/{sample}.log",
    benchmark:
        "logs/benchmarks/measure/{sample}.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=film_megabytes(2000),
        runtime=30,
    params:
        film=lambda wildcards: sample(wildcards).film,
        arguments=lambda wildcards: list(sample(wildcards).arguments),
        # The error of a film that cannot be measured is its result.
        code=code_digest("measure", messages=True),
    message:
        "Measure the film {wildcards.sample}"
    script:
        "../scripts/measure.py"


rule measurements:
    input:
        films=lambda wildcards: measured_folders(),
        template=local(shipped("workflow/resources/measurements.html.jinja")),
        look=local(LOOK),
    output:
        csv="results/measurements/summary.csv",
        groups="results/measurements/groups.csv",
        pdf="results/measurements/forest.pdf",
        png=report(
            "results/measurements/forest.png",
            caption="../report/forest.rst",
            category="Measurements",
        ),
        html=report(
            "results/measurements/summary.html",
            caption="../report/measurements.rst",
            category="Measurements",
        ),
    log:
        "logs/measurements.log",
    benchmark:
        "logs/benchmarks/measurements.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        samples=lambda wildcards: {name: dict(path=own.film, group=own.group) for name, own in samples().items()},
        code=code_digest("measurements"),
    message:
        "Summarise the measured films"
    script:
        "../scripts/measurements.py"
