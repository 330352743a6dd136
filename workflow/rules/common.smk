# Shared by all stages: the validated configuration, the list of simulations, target lists and code digests.
# Only this file defines functions. Every remote job parses it again, so it imports nothing heavy.
import os
import sys
import time
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile, apply_wildcards, is_flagged
from snakemake.iocontainers import Wildcards
from snakemake.logging import logger
from snakemake.utils import update_config

if not ROOT.is_dir():
    raise WorkflowError(
        f"This workflow needs its package beside it, which {ROOT} does not offer; name workflow/Snakefile of a "
        "repository, by github(...) or gitlab(...) and with a tag, or clone the repository and name the Snakefile there"
    )

# The digested code must be the code that runs: the package of this checkout, whatever else is installed.
SOURCE = str(ROOT / "src")
sys.path.insert(0, SOURCE)
os.environ.update(PYTHONPATH=os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]))
# By default glibc gives large freed blocks back to the kernel, which clears the pages again at the next step: a fifth of
# the time of training. Jobs keep them; their peak memory is the same. Values that the user has set are kept.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))

from safe_pit_cm import settings
from safe_pit_cm.data import provenance, records
from safe_pit_cm.data.progress import Progress
from safe_pit_cm.simulation import splits
from safe_pit_cm.studies import alternatives, baseline_list, readings, variants
from safe_pit_cm.config import flatten, parameters, retype, validate
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import outcomes
from safe_pit_cm.measurements.samples import read as read_samples
from safe_pit_cm.paper import contents
from safe_pit_cm.equations.processes import PROCESSES


def read_yaml(path):
    return yaml.safe_load((ROOT / "workflow" / path).read_text(encoding="utf-8"))


# Rules receive values from these files as params: a comment in them reruns nothing.
SCHEMA = read_yaml("schemas/config.schema.yaml")
# Of the paper: the films to measure are no part of it.
NOT_OF_THE_PAPER = ("measurements.", "model.")
PARAMETERS = {name: entry for name, entry in parameters(SCHEMA).items() if not name.startswith(NOT_OF_THE_PAPER)}
SAMPLES_SCHEMA = read_yaml("schemas/samples.schema.yaml")
PUBLISHED = read_yaml("resources/published.yaml")


def shipped(path):
    """Path of a file of this checkout, which may not be the working directory."""
    own = ROOT / path
    return path if Path.cwd() == ROOT.resolve() else str(own)


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
    """Stop the run with one sentence if results, logs or benchmarks cannot be written to their folders."""
    written = [path for rule in workflow.rules for path in (*rule.output, *rule.log, rule.benchmark) if path]
    # A path is known up to its first wildcard.
    known = [Path(str(path).partition("{")[0] + "x") for path in written]
    for folder in sorted({folder for path in known for folder in path.parents}):
        if os.path.lexists(folder) and not folder.is_dir():
            raise WorkflowError(f"{folder} must be a folder, not a file; move it or remove it, and run again")
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            raise WorkflowError(
                f"no permission to write to {folder}; change its mode or its owner, or run elsewhere by -d"
            )


def code_digest(rule, **counted):
    """Digest of the script of a rule and of all modules of the package that it uses; comments do not count."""
    return provenance.code_digest(ROOT / f"workflow/scripts/{rule}.py", **counted)


def item_digest(name):
    """The same for an item of the paper: the shared script, and the module that it imports by name."""
    code = Path(SOURCE) / f"safe_pit_cm/paper/{name}.py"
    return f"{code_digest('item')}-{provenance.code_digest(code)}"


@cache
def maker(path):
    """Rule that makes a file, and its wildcards; None for a file that no rule makes."""
    for candidate in workflow.rules:
        for output in candidate.output:
            if path.startswith(output.constant_prefix()) and (found := output.match(path)):
                return candidate, tuple(found.groupdict().items())


def paths_of(files, wildcards):
    """Paths of the inputs of a rule, some of which may be functions of the wildcards."""
    for file in files:
        function = getattr(file, "callable", None) or (file if callable(file) else None)
        found = function(wildcards) if function else file
        for path in [found] if isinstance(found, str) else found:
            yield apply_wildcards(str(path), wildcards)


def upstream(own, wildcards):
    """Lineages of the jobs that make the inputs of a job, each once."""
    known = Wildcards(fromdict=dict(wildcards))
    makers = {maker(path) for path in paths_of(own.input, known)} - {None}
    return sorted({lineage(*found) for found in makers})


@cache
def lineage(own, wildcards):
    """Digest of what a job is, and of all that comes before it, as safe_pit_cm.data.records defines it."""
    known = Wildcards(fromdict=dict(wildcards))
    params = {name: value for name, value in own.params.items() if name not in ("lineage", "upstream")}
    params = {name: value(known) if callable(value) else value for name, value in params.items()}
    return records.lineage(own.name, params, upstream(own, wildcards))


def add_lineage(own):
    """Give the jobs of a rule their lineage, and those that their inputs may have, as parameters."""

    def of(function):
        return lambda wildcards: function(own, tuple(wildcards.items()))

    own.set_params(lineage=of(lineage), upstream=of(upstream))


def leading_to(targets):
    """All results that lead to some files, themselves included."""
    found = set()
    pending = list(targets)
    while pending:
        made = maker(pending.pop())
        if made and made not in found:
            found.add(made)
            pending += paths_of(made[0].input, Wildcards(fromdict=dict(made[1])))
    return sorted(apply_wildcards(str(path), dict(wildcards)) for own, wildcards in found for path in own.output)


def is_finished(path):
    """Whether Snakemake takes a file for the result of this configuration and code, and will not make it again."""
    own, wildcards = maker(path)
    noted = workflow.persistence.params(IOFile(path, rule=own))
    return repr(lineage(own, wildcards)) in (noted or ())


def intact(paths):
    """The same paths; stop the run with one sentence if a finished result is not what was written."""
    try:
        changed = records.survey({path: lineage(*maker(path)) for path in paths if is_finished(path)})
    except UserError as error:
        raise SystemExit(str(error))
    for package, (then, now) in changed.items():
        print(
            f"Results were made with {package} {then}, and {now} is installed now: --forceall makes all anew.",
            file=sys.stderr,
        )
    return paths


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
    return [rule for rule in made if item_name(rule) not in ("table", "figure")]


def item_name(own):
    """Name of an item: that of its files, since a workflow that includes this one may rename the rules."""
    return Path(str(own.output[0])).stem


def shown(item):
    """File of an item that the report and the page show."""
    # As plain text: with its flags, the report would treat it as a file of the page.
    return next(str(path) for path in item.output if is_flagged(path, "report"))


def show_progress():
    """Show a line of progress now and then in place of Snakemake's lines about every job, which stay in its log."""
    jobs = {workflow.dag.jobid(job): job.rule.name for job in workflow.dag.needrun_jobs() if job.rule.name != "all"}
    progress = Progress(jobs, read_yaml("resources/seconds_per_job.yaml"))

    def on_screen(record):
        event = getattr(record, "event", None)
        if event == "job_started":
            progress.start(record.jobs)
        elif event == "job_error":
            progress.fail(record.jobid)
        elif event == "job_finished":
            line = progress.finish(record.job_id)
            if jobs.get(record.job_id) == "main_page":
                logger.info("The paper's own tables and figures: results/paper/main.html")
            if line is not None:
                logger.info(f"{time.strftime('%H:%M:%S')}  {line}")
        of_a_job = event in ("job_info", "group_info", "job_started", "job_finished", "progress")
        return not of_a_job and record.msg != "Select jobs to execute..."

    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(on_screen)
    logger.info(f"{len(jobs)} jobs to run; lines about every job are in .snakemake/log")


def parents_by_split(*names, section="dataset"):
    """Parents of some splits, in their order."""
    return {split: settings.parents_of(config, split, section) for split in names}


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


def variant_results(kind, names):
    """Trainings of variants (``history``), or their results on unseen videos (``outcome``)."""
    return expand(f"results/variants/{{variant}}/{kind}.csv", variant=names)


check_config()

SPLITS = splits.assign(**config["dataset"])
TEST_PARENTS = settings.parents_of(config, "test")

ZERO_SHOT_FITS = expand("results/zero_shot/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
TRAINED_FITS = expand("results/trained/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
REPLICATED_PARENTS = settings.replicated_parents(config)
REPLICATES = [
    f"results/replicates/{dataset}/{parents}.csv"
    for dataset in settings.replicated_datasets(config)
    for parents in REPLICATED_PARENTS
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
READINGS = readings.readings(config["lost_choices"])
LOST_CHOICES = expand("results/lost_choices/{reading}.csv", reading=READINGS)

BASELINE_PARENTS = settings.baseline_parents(config)

# Videos of another equation.
MODEL_PARENTS = parents_by_split("train", "validation", "test", section="model")

# What all pages share.
LOOK = [shipped(f"src/safe_pit_cm/pages/{name}") for name in ("style.css", "sorting.js")]

# What a run makes: the paper, or the same experiments for another equation.
WANTED = (
    ["results/paper/main.html", "results/paper/index.html", "results/splits.csv"]
    if config["model"]["name"] == "diffusion"
    else [f"results/models/{config['model']['name']}/index.html"]
)


wildcard_constraints:
    parent=r"\d+",
    parents=r"\d+(-\d+)?",
    process="|".join(PROCESSES),
    variant=r"[a-z_]+",
    dataset=r"\d+",
    alternative=r"[a-z_]+(_[\d.e-]+)?(_[a-z_]+_[\d.e-]+)?",
    reading=r"[a-z]+(_[\d.]+)?",
    method=r"[a-z_]+",
    sample=r"[A-Za-z0-9][A-Za-z0-9_-]*",
    model=r"[a-z-]+",
