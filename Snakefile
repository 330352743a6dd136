# SAFE-PIT-CM: the paper, from initial conditions to its tables and figures.
#
#   snakemake --cores all                     everything
#   snakemake --cores all --config seed=1     the same with other random draws
#
# config.yaml holds every number; workflow/rules has one file a stage, workflow/scripts one script a rule.
from snakemake.utils import min_version

min_version("9.14")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/reverse.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/zero_shot.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/paper.smk"


onsuccess:
    print("Every table and figure: results/paper/index.html")


rule all:
    default_target: True
    input:
        INITIAL_CONDITIONS,
        VIDEOS,
        TRAINED_FITS,
        ZERO_SHOT_FITS,
        PAPER_ITEMS,
        "results/splits.csv",
        "results/paper/index.html",
    message:
        "All results are there"
