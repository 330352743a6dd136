# The page that shows every table and figure, in the order of their rules, and an earlier one of the paper's own.

ITEMS = paper_items()
# The scorecard judges results beyond the paper too; the earlier page has what the paper's own results decide.
MAIN_ITEMS = [item for item in ITEMS if contents.part(item.name) == contents.PAPER and item.name != contents.SCORECARD]
PAPER_ITEMS = [str(path) for item in ITEMS for path in item.output]

# All items run one script, which imports the module of their name, so its digest follows from the name of the rule. A
# function of the output files would also give it, but a change of such a parameter reruns nothing.
for item in ITEMS:
    item.set_params(code=item_digest(item_name(item)))


# What the paper's own results say about the claims of the text; the scorecard judges it.
rule claims:
    input:
        table_3="results/paper/tables/table_3.csv",
        substeps=ABLATIONS["substeps"],
        frame_steps=ABLATIONS["frame_step"],
        zero_shot=ZERO_SHOT_FITS,
        trained=TRAINED_FITS,
        history="results/training/history.csv",
        model="results/training/model.safetensors",
    output:
        "results/paper/claims.csv",
    log:
        "logs/claims.log",
    benchmark:
        "logs/benchmarks/claims.tsv"
    priority: 1
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=5,
    params:
        # The benchmark file gives the time of the training. It is not an input, since it changes with every run.
        benchmark="logs/benchmarks/train.tsv",
        code=code_digest("claims"),
    message:
        "Measure what the text claims"
    script:
        "../scripts/claims.py"


rule main_page:
    input:
        contents=[shown(item) for item in MAIN_ITEMS],
        table_3="results/paper/tables/table_3.csv",
        table_4="results/paper/tables/table_4.csv",
        claims="results/paper/claims.csv",
        # In the checkout, wherever results are stored.
        captions=local([shipped(f"workflow/report/{item_name(item)}.rst") for item in MAIN_ITEMS]),
        scorecard=local(shipped("workflow/report/scorecard.rst")),
        template=local(shipped("workflow/resources/page.html.jinja")),
        look=local(LOOK),
    output:
        "results/paper/main.html",
    log:
        "logs/main_page.log",
    benchmark:
        "logs/benchmarks/main_page.tsv"
    priority: 2
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        names=[item_name(item) for item in MAIN_ITEMS],
        to_come=[name for name in map(item_name, ITEMS) if contents.part(name) != contents.PAPER] + [contents.TIMES],
        published=PUBLISHED,
        code=code_digest("main_page"),
    message:
        "Make the page with the paper's own tables and figures"
    script:
        "../scripts/main_page.py"


rule page:
    input:
        contents=[shown(item) for item in ITEMS],
        scorecard="results/paper/scorecard.csv",
        table_4="results/paper/tables/table_4.csv",
        # In the checkout, wherever results are stored.
        captions=local([shipped(f"workflow/report/{item_name(item)}.rst") for item in ITEMS]),
        timing=local(shipped("workflow/report/timing.rst")),
        template=local(shipped("workflow/resources/page.html.jinja")),
        look=local(LOOK),
    output:
        page=report(
            "results/paper/index.html",
            caption="../report/page.rst",
            category="Page",
        ),
        timing="results/paper/timing.csv",
    log:
        "logs/page.log",
    benchmark:
        "logs/benchmarks/page.tsv"
    conda:
        "../../envs/safe-pit-cm.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=5,
    params:
        names=[item_name(item) for item in ITEMS],
        published=PUBLISHED["table_4"],
        rules=sorted(rule.name for rule in workflow.rules if rule.name not in ("all", "table", "figure")),
        code=code_digest("page"),
    message:
        "Make the page with every table and figure"
    script:
        "../scripts/page.py"
