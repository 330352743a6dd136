# Shared by all stages: the validated configuration, the list of simulations, target lists and code digests.
# Only this file defines functions. Every remote job parses it again, so it imports nothing heavy.
import os
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake.utils import update_config

# The digested code must be the code that runs: the package of this checkout, whatever else is installed.
SOURCE = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SOURCE)
os.environ.update(PYTHONPATH=os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]))
# By default glibc gives large freed blocks back to the kernel, which clears the pages again at the next step: a fifth of
# the time of training. Jobs keep them; their peak memory is the same. Values that the user has set are kept.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))

from safe_pit_cm import settings
from safe_pit_cm.data import provenance
from safe_pit_cm.simulation import splits
from safe_pit_cm.studies import alternatives, baseline_list, variants
from safe_pit_cm.config import flatten, parameters, retype, validate
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import outcomes
from safe_pit_cm.measurements.samples import read as read_samples
from safe_pit_cm.equations.processes import PROCESSES


def read_yaml(path):
    return yaml.safe_load((Path(workflow.basedir) / "workflow" / path).read_text(encoding="utf-8"))


# Rules receive values from these files as params: a comment in them reruns nothing.
SCHEMA = read_yaml("schemas/config.schema.yaml")
# Of the paper: the films to measure are no part of it.
NOT_OF_THE_PAPER = ("measurements.", "model.")
PARAMETERS = {name: entry for name, entry in parameters(SCHEMA).items() if not name.startswith(NOT_OF_THE_PAPER)}
SAMPLES_SCHEMA = read_yaml("schemas/samples.schema.yaml")
PUBLISHED = read_yaml("resources/published.yaml")


def check_config():
    """Stop the run with one sentence per invalid key."""
    # Snakemake leaves every leaf of --config 'section={key: 1}' as text.
    update_config(config, retype(dict(workflow.config_settings.config)))
    try:
        validate(config, SCHEMA)
    except UserError as error:
        raise WorkflowError(f"The configuration cannot be used:\n{error}")
    catalogue = yaml.safe_load((Path(SOURCE) / "safe_pit_cm/models/catalogue.yaml").read_text(encoding="utf-8"))
    if config["model"]["name"] not in catalogue:
        raise WorkflowError(
            f"The configuration cannot be used:\nmodel.name is {config['model']['name']!r}; choose one of "
            f"{', '.join(catalogue)}"
        )


def check_folders():
    """Stop the run with one sentence if a file stands where results, logs or benchmarks need a folder."""
    written = [path for rule in workflow.rules for path in (*rule.output, *rule.log, rule.benchmark) if path]
    # A path is known up to its first wildcard.
    known = [Path(str(path).partition("{")[0] + "x") for path in written]
    for folder in sorted({folder for path in known for folder in path.parents}):
        if os.path.lexists(folder) and not folder.is_dir():
            raise WorkflowError(f"{folder} must be a folder, not a file; move it or remove it, and run again")


def code_digest(rule, **counted):
    """Digest of the script of a rule and of all modules of the package that it uses; comments do not count."""
    return provenance.code_digest(Path(workflow.basedir) / f"workflow/scripts/{rule}.py", **counted)


def item_digest(name):
    """The same for an item of the paper: the shared script, and the module that it imports by name."""
    code = Path(SOURCE) / f"safe_pit_cm/paper/{name}.py"
    return f"{code_digest('item')}-{provenance.code_digest(code)}"


def megabytes(base):
    """Memory request that doubles with every attempt."""
    return lambda wildcards, attempt: base * 2 ** (attempt - 1)


def film_megabytes(base):
    """The same for a film: more for a large one, which is held several times."""
    return lambda wildcards, input, attempt: int(base + 8 * input.size_mb) * 2 ** (attempt - 1)


@cache
def samples():
    """Films to measure, by name; read only where a film is asked for, so that the paper needs no table of them."""
    table = Path(config["measurements"]["samples"])
    try:
        if not table.exists():
            raise UserError(
                f"there is no table of films {table}; write one with a row per film and the columns sample and path "
                "and, as needed, dx, dt, boundary and group, separated by tabs (docs/measurements.md shows how), or "
                "give another by --config 'measurements={samples: FILE}'"
            )
        return read_samples(table, SAMPLES_SCHEMA)
    except UserError as error:
        # Snakemake would add a traceback to any other exception from a function of a rule.
        raise SystemExit(f"The films cannot be measured:\n{error}")


def sample(wildcards):
    """A film to measure."""
    if wildcards.sample not in samples():
        raise SystemExit(f"{config['measurements']['samples']} has no sample {wildcards.sample}; add a row for it")
    return samples()[wildcards.sample]


def measured_folders():
    """Results of all films to measure."""
    return expand("results/measurements/{sample}", sample=samples())


def paper_items():
    """Rules of the items of the paper, in their order."""
    made = [rule for rule in workflow.rules if rule.script and Path(rule.script).stem == "item"]
    return [rule for rule in made if rule.name not in ("table", "figure")]


def shown(item):
    """File of an item that the report and the page show."""
    # As plain text: with its flags, the report would treat it as a file of the page.
    return next(str(path) for path in item.output if is_flagged(path, "report"))


def parents_by_split(*names):
    """Parents of some splits, in their order."""
    return {split: settings.parents_of(config, split) for split in names}


def videos_of(split, processes=PROCESSES):
    """Videos of the parents of a split."""
    parents = settings.parents_of(config, split)
    return expand("results/videos/{process}/{parent}.zarr", process=processes, parent=parents)


def baseline_records(kind, of):
    """Results of baselines on the test videos of some parents (``recovered``), or their times (``seconds``)."""
    path = f"results/baselines/{kind}/{{method}}/{{process}}/{{parent}}.csv"
    return [
        *expand(path, method="quick", process=PROCESSES, parent=of["quick"]),
        *expand(path, method=baseline_list.LONG, process=PROCESSES, parent=of["long"]),
    ]


def variant_outcomes(names):
    """Results of variants on the test videos."""
    return expand("results/variants/{variant}/outcome.csv", variant=names)


check_config()

SPLITS = splits.assign(**config["dataset"])
TEST_PARENTS = settings.parents_of(config, "test")

INITIAL_CONDITIONS = expand("results/initial_conditions/{parent}.zarr", parent=SPLITS)
VIDEOS = expand("results/videos/{process}/{parent}.zarr", process=PROCESSES, parent=SPLITS)
ZERO_SHOT_FITS = expand("results/zero_shot/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
TRAINED_FITS = expand("results/trained/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
REPLICATES = [
    f"results/replicates/{dataset}/{parent}.csv"
    for dataset in settings.replicated_datasets(config)
    for parent in TEST_PARENTS
]

ABLATIONS = {
    kind: expand(f"results/ablations/{kind}/{{process}}/{{parent}}.zarr", process=PROCESSES, parent=TEST_PARENTS)
    for kind in ("substeps", "frame_step")
}
# Results with the fewest sub-steps, by zero-shot and by training with either propagation.
COLLAPSE = dict(
    ablations=ABLATIONS["substeps"],
    signed="results/variants/coarse_signed/outcome.csv",
    stable="results/variants/coarse_stable/outcome.csv",
)
FEWEST_SUBSTEPS = settings.fewest_substeps(config)
ALTERNATIVES = alternatives.configured_and_others(config)

BASELINE_PARENTS = settings.baseline_parents(config)


wildcard_constraints:
    parent=r"\d+",
    process="|".join(PROCESSES),
    variant=r"[a-z_]+",
    dataset=r"\d+",
    alternative=r"[a-z_]+(_[\d.e-]+)?",
    method=r"[a-z_]+",
    sample=r"[A-Za-z0-9][A-Za-z0-9_-]*",
    model=r"[a-z-]+",
