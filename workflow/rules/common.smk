# What all stages share: the checked config, the grid of simulations, target lists and code digests.
# The only file that defines functions. It is parsed again by every remote job: no heavy imports here.
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

# What is digested here must be what the scripts run: the package of this checkout, whatever else is installed.
SOURCE = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SOURCE)
os.environ.update(PYTHONPATH=os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]))

from safe_pit_cm.studies import lost_choices, baseline_list, variants
from safe_pit_cm.data import provenance
from safe_pit_cm.simulation import splits
from safe_pit_cm.config import flatten, parameters, retype, validate
from safe_pit_cm.errors import UserError
from safe_pit_cm.equations.processes import PROCESSES


def read_yaml(path):
    return yaml.safe_load((Path(workflow.basedir) / "workflow" / path).read_text(encoding="utf-8"))


# Rules take what they need of these as params, by content: a comment in them reruns nothing.
SCHEMA = read_yaml("schemas/config.schema.yaml")
PARAMETERS = parameters(SCHEMA)
PUBLISHED = read_yaml("resources/published.yaml")


def check_config():
    """Stop the run with one sentence for every key that is wrong."""
    # Snakemake leaves every leaf of --config 'section={key: 1}' as text.
    update_config(config, retype(dict(workflow.config_settings.config)))
    try:
        validate(config, SCHEMA)
    except UserError as error:
        raise WorkflowError(f"The configuration cannot be used:\n{error}")


def code_digest(rule):
    """Digest of the script of a rule and of all that it runs in the package; a comment changes nothing."""
    return provenance.code_digest(Path(workflow.basedir) / f"workflow/scripts/{rule}.py")


def megabytes(base):
    """Memory request that doubles with every attempt."""
    return lambda wildcards, attempt: base * 2 ** (attempt - 1)


def item_folder(name):
    """Where an item of the paper is written: the scorecard stands above tables and figures."""
    return "results/paper" if name == "scorecard" else f"results/paper/{'figures' if name in FIGURES else 'tables'}"


def table_files(name):
    """Output files of a table, by format; the HTML goes into the report."""
    return item_files(name, TABLE_FORMATS, shown="html", category="Tables")


def figure_files(name):
    """Output files of a figure, by format; the PNG goes into the report, which shows a PDF only as a download."""
    return item_files(name, FIGURE_FORMATS, shown="png", category="Figures")


def item_files(name, formats, shown, category):
    paths = {form: f"{item_folder(name)}/{name}.{form}" for form in formats}
    paths[shown] = report(paths[shown], caption=f"../report/{name}.rst", category=category)
    return paths


def page_content(name):
    """File of an item that the page shows."""
    return f"{item_folder(name)}/{name}.{'png' if name in FIGURES else 'html'}"


def videos_of(split):
    """Videos of the parents of a split, both processes."""
    parents = [parent for parent, own in SPLITS.items() if own == split]
    return expand("results/videos/{process}/{parent}.zarr", process=PROCESSES, parent=parents)


def training_settings():
    """What a training depends on."""
    return dict(
        seed=config["seed"],
        substeps=config["safe_operator"]["substeps"],
        estimator=config["estimator"],
        autoencoder=config["autoencoder"],
        loss=config["loss"],
        training=config["training"],
    )


def zero_shot_settings():
    """What a zero-shot fit depends on, beside the video and the sub-steps."""
    return dict(
        seed=config["seed"],
        steps=config["zero_shot"]["steps"],
        learning_rate=config["zero_shot"]["learning_rate"],
        estimator=config["estimator"],
    )


def replicate_settings(dataset):
    """How the test videos of a data set are made and fitted again, and from which random starts."""
    own, first = config["replication"], dataset == config["seed"]
    return dict(
        dataset=dataset,
        replicates=list(range(1, own["estimators"]) if first else range(own["further_estimators"])),
        # The minima of the run's own data set stand in its ablations.
        counts=[] if first else config["ablation"]["substeps"],
        initial_condition={**config["grid"], **config["microstructure"]},
        integrate={**config["transport"], **config["time"]},
        zero_shot=dict(zero_shot_settings(), seed=dataset, substeps=config["safe_operator"]["substeps"]),
    )


def sensitivity_settings(alternative):
    """What a small test set depends on in which one choice is another."""
    other = lost_choices.apply(config, ALTERNATIVES[alternative])
    return dict(
        seed=config["seed"],
        parents=TEST_PARENTS[: config["ablation"]["sensitivity"]["parents"]],
        settings={name: other[name] for name in ("grid", "time", "microstructure", "transport")},
        counts=sorted({*config["ablation"]["substeps"], config["safe_operator"]["substeps"]}),
    )


def variant_settings(variant):
    """The same for a variant: the configured training, shorter, with a few values changed."""
    own = config["variants"]
    if variant in variants.COLLAPSE:
        pace, changes = dict(epochs=config["ablation"]["collapse_epochs"]), variants.COLLAPSE[variant]
        coarse = {**training_settings(), "substeps": FEWEST_SUBSTEPS}
        return dict(**variants.changed(variants.changed(coarse, {"training": pace}), changes), replicates=1)
    if variant in variants.ESTIMATORS:
        pace, changes = dict(epochs=own["estimator_epochs"]), variants.ESTIMATORS[variant]
    else:
        epochs = own["degeneracy_epochs"]
        pace = dict(epochs=epochs, stop_patience=epochs, coder_rate=own["degeneracy_coder_rate"])
        changes = variants.DEGENERACY[variant]
    settings = variants.changed(variants.changed(training_settings(), {"training": pace}), changes)
    return dict(**settings, replicates=own["replicates"] if variants.is_repeated(changes) else 1)


def baseline_settings():
    """How the baselines search; which of them run changes nothing in what they find."""
    return {name: value for name, value in config["baselines"].items() if not name.startswith("long")}


def noise_scan_settings():
    """What the methods that face noisy videos depend on."""
    own = config["robustness"]
    return dict(
        **zero_shot_settings(),
        substeps=config["safe_operator"]["substeps"],
        noise=own["noise"],
        zero_shot_parents=TEST_PARENTS[: own["zero_shot_parents"]],
        zero_shot_noise=own["zero_shot_noise"],
        weak={name: own[f"weak_{name}"] for name in ("boxes", "side", "duration")},
        # A smaller coefficient would be taken for none.
        weak_threshold=config["loss"]["magnitude_low"],
    )


def baseline_records(kind, of):
    """What baselines found in the test videos of some parents (``recovered``), or the time it took (``seconds``)."""
    path = f"results/baselines/{kind}/{{method}}/{{process}}/{{parent}}.csv"
    return [
        *expand(path, method="quick", process=PROCESSES, parent=of["quick"]),
        *expand(path, method=baseline_list.LONG, process=PROCESSES, parent=of["long"]),
    ]


def variant_outcomes(kind):
    """What the variants of a kind made of the test videos."""
    return expand("results/variants/{variant}/outcome.csv", variant=kind)


check_config()

TABLE_FORMATS = ["csv", "md", "tex", "html"]
FIGURE_FORMATS = ["pdf", "png"]

SPLITS = splits.assign(**config["dataset"])
TEST_PARENTS = [parent for parent, split in SPLITS.items() if split == "test"]

INITIAL_CONDITIONS = expand("results/initial_conditions/{parent}.zarr", parent=SPLITS)
VIDEOS = expand("results/videos/{process}/{parent}.zarr", process=PROCESSES, parent=SPLITS)
ZERO_SHOT_FITS = expand("results/zero_shot/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
TRAINED_FITS = expand("results/trained/{process}/{parent}.zarr", process=PROCESSES, parent=TEST_PARENTS)
REPLICATES = [
    f"results/replicates/{dataset}/{parent}.csv"
    for dataset in dict.fromkeys([config["seed"], *config["replication"]["datasets"]])
    for parent in TEST_PARENTS
    if replicate_settings(dataset)["replicates"]
]

ABLATIONS = {
    kind: expand(f"results/ablations/{kind}/{{process}}/{{parent}}.zarr", process=PROCESSES, parent=TEST_PARENTS)
    for kind in ("substeps", "frame_step")
}
FEWEST_SUBSTEPS = min(config["ablation"]["substeps"])
ALTERNATIVES = lost_choices.alternatives(config)

# Whom the baselines face: the quick ones every test parent, the long ones the first few, and only if asked to.
BASELINE_PARENTS = dict(
    quick=TEST_PARENTS,
    long=TEST_PARENTS[: config["baselines"]["long_parents"] if config["baselines"]["long"] else 0],
)

# The items of the paper. A new one needs a module, a script, a caption, a rule, and its name here.
TABLES = [
    "scorecard",
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "table_5",
    "collapse",
    "sensitivity",
    "estimators",
    "degeneracy",
    "baselines",
    "robustness",
    "crops",
    "parameters",
]
FIGURES = [
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_5",
    "figure_6",
    "figure_7",
    "figure_8",
    "collapse_curves",
    "robustness_curves",
]
# Their order on the page: results first, then what they rest on.
PAGE = [
    "scorecard",
    "table_4",
    "figure_3",
    "table_3",
    "figure_7",
    "figure_8",
    "collapse",
    "collapse_curves",
    "sensitivity",
    "table_5",
    "figure_4",
    "figure_5",
    "figure_6",
    "estimators",
    "degeneracy",
    "baselines",
    "robustness",
    "robustness_curves",
    "crops",
    "figure_1",
    "figure_2",
    "table_1",
    "table_2",
    "parameters",
]

PAPER_ITEMS = [
    f"{item_folder(item)}/{item}.{form}"
    for items, formats in ((TABLES, TABLE_FORMATS), (FIGURES, FIGURE_FORMATS))
    for item in items
    for form in formats
]


wildcard_constraints:
    parent=r"\d+",
    process="|".join(PROCESSES),
    variant=r"[a-z_]+",
    dataset=r"\d+",
    alternative=r"[a-z_]+(_[\d.e-]+)?",
    method=r"[a-z_]+",
