# The page that shows every table and figure, in the order of their rules.

ITEMS = paper_items()
PAPER_ITEMS = [str(path) for item in ITEMS for path in item.output]

# All items run one script, which imports the module of their name, so its digest follows from the name of the rule. A
# function of the output files would also give it, but a change of such a parameter reruns nothing.
for item in ITEMS:
    item.set_params(code=item_digest(item_name(item)))


rule page:
    input:
        contents=[shown(item) for item in ITEMS],
        # In the checkout, wherever results are stored.
        captions=local([shipped(f"workflow/report/{item_name(item)}.rst") for item in ITEMS]),
        timing=local(shipped("workflow/report/timing.rst")),
        template=local(shipped("workflow/resources/page.html.jinja")),
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
        rules=sorted(rule.name for rule in workflow.rules if rule.name not in ("all", "table", "figure")),
        code=code_digest("page"),
    message:
        "Make the page with every table and figure"
    script:
        "../scripts/page.py"
