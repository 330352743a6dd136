# The page that shows every item, and the time that each stage took.


# Every rule of an item is known by now. Each declares the code that it runs; computed from its outputs in the template,
# a parameter would not count as changed when it changes.
ITEMS = items()
for item in ITEMS:
    item.set_params(code=item_digest(item.name))


rule page:
    input:
        contents=[next(file for file in item.output if file.endswith((".png", ".html"))) for item in ITEMS],
        # Of the checkout, wherever results are stored.
        captions=local([f"workflow/report/{item.name}.rst" for item in ITEMS]),
        timing=local("workflow/report/timing.rst"),
        template=local("workflow/resources/page.html.jinja"),
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
        names=[item.name for item in ITEMS],
        rules=sorted(rule.name for rule in workflow.rules if rule.name not in ("all", "item")),
        code=code_digest("page"),
    message:
        "The page with every table and figure"
    script:
        "../scripts/page.py"
