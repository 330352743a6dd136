# SAFE-PIT-CM: the paper, from initial conditions to its tables and figures.
#
#   snakemake --cores all                     everything
#   snakemake --cores all --config seed=1     the same with other random draws
#   snakemake --cores all --configfile config/fisher-kpp.yaml    the same experiments for another equation
#   snakemake --cores all measurements        the films that samples.tsv lists: docs/measurements.md
#
# config.yaml contains every number; workflow/rules has one file per stage, workflow/scripts one script per rule
# and one for all items of the paper.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.14")

# This checkout, also where another workflow includes this one as a module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))


# That of the working directory, or, where there is none, the one of this checkout.
configfile: "config.yaml" if Path("config.yaml").exists() else str(ROOT / "config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
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

# A workflow that includes this one has rules of its own.
for own in workflow.rules:
    if ROOT in Path(own.basedir.get_path_or_uri(secret_free=True)).parents:
        add_lineage(own)


onstart:
    # The default limit of Snakemake, 100 jobs per second, keeps a timer running for every finished job: after some
    # hundred jobs they cost more time than the jobs. A limit set by the user is kept.
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    # --verbose shows Snakemake's own lines.
    if not workflow.output_settings.verbose:
        show_progress()


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
        # A function, which is called once the jobs are planned: an interrupted run can be unlocked first.
        lambda wildcards: intact(leading_to(WANTED)),
    message:
        "All results are complete"
