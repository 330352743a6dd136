# SAFE-PIT-CM: the paper, from initial conditions to its tables and figures.
#
#   snakemake --cores all                     everything
#   snakemake --cores all --config seed=1     the same with other random draws
#   snakemake --cores all --configfile config/fisher-kpp.yaml    the same experiments for another equation
#   snakemake --cores all measurements        the films that samples.tsv lists: docs/measurements.md
#
# config.yaml contains every number; workflow/rules has one file per stage, workflow/scripts one script per rule
# and one for all items of the paper.
from snakemake.utils import min_version

min_version("9.14")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/reverse.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/zero_shot.smk"
include: "workflow/rules/replicate.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/item.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/measurements.smk"
include: "workflow/rules/models.smk"


check_folders()


onstart:
    # The default limit of Snakemake, 100 jobs per second, keeps a timer running for every finished job: after some
    # hundred jobs they cost more time than the jobs. A limit set by the user is kept.
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    made = {job.rule.name for job in workflow.dag.jobs}
    if "page" in made:
        print("Every table and figure: results/paper/index.html")
    if "model_page" in made:
        print(f"Tables for {config['model']['name']}: results/models/{config['model']['name']}/index.html")
    if "measurements" in made:
        folders = dict(zip(samples(), measured_folders()))
        print(outcomes.announcement(folders, "results/measurements/summary.html"))


rule all:
    default_target: True
    input:
        [
            INITIAL_CONDITIONS,
            VIDEOS,
            TRAINED_FITS,
            ZERO_SHOT_FITS,
            list(ABLATIONS.values()),
            PAPER_ITEMS,
            "results/splits.csv",
            "results/paper/index.html",
        ]
        if config["model"]["name"] == "diffusion"
        else f"results/models/{config['model']['name']}/index.html",
    message:
        "All results are complete"
