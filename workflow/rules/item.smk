# Base rules of the tables and figures of the paper: the rules in paper.smk inherit what they do not set themselves.
# No target requests the files of these two rules. Their caption includes the caption of the item.


pathvars:
    tables="results/paper/tables",
    figures="results/paper/figures",


rule table:
    output:
        csv="<tables>/<item>.csv",
        md="<tables>/<item>.md",
        tex="<tables>/<item>.tex",
        html=report("<tables>/<item>.html", caption="../resources/item.rst", category="Tables"),
    log:
        "logs/<item>.log",
    benchmark:
        "logs/benchmarks/<item>.tsv"
    pathvars:
        item="table",
    # An item is made as soon as its results are there.
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    message:
        "Make {rule}"
    script:
        "../scripts/item.py"


use rule table as figure with:
    output:
        pdf="<figures>/<item>.pdf",
        # The report offers a PDF only as a download.
        png=report("<figures>/<item>.png", caption="../resources/item.rst", category="Figures"),
    pathvars:
        item="figure",
