"""What reruns after a change: exactly what it can affect."""

import shutil

import pytest

from checkout import Checkout
from rules import items
from safe_pit_cm.paper.contents import PAPER, part

ZERO_SHOT = "src/safe_pit_cm/safe/zero_shot.py"
# A job fits the videos of one parent.
TEST_PARENTS = 2
# Both pages, where a table or figure of the paper itself changes; the second alone for one beyond it.
PAGES = {"main_page": 1, "page": 1}
# What rests on the trained model, beside the zero-shot fits' table and figure.
TRAINED = {
    "train": 1,
    "infer": TEST_PARENTS,
    "table_5": 1,
    "claims": 1,
    **dict.fromkeys([f"figure_{number}" for number in (1, 2, 4, 5, 6)], 1),
    **PAGES,
}
# Two parents each: of the run's own data set, from other random starts, and of one further data set.
REPLICATES = {"replicate": 4}
BASELINES = {"baseline_fit": TEST_PARENTS, "baselines": 1}
# What faces noisy test videos, and crops of them.
NOISE_SCAN = dict.fromkeys(["noise_scan", "robustness", "robustness_curves"], 1)
ROBUSTNESS = {**NOISE_SCAN, **dict.fromkeys(["crop_scan", "crops"], 1)}
COLLAPSE = dict.fromkeys(["collapse", "collapse_curves"], 1)
NOISY_TRAINING = dict.fromkeys(["noisy_training", "amortised"], 1)
VARIANTS = {
    "train_variant": 20,
    **dict.fromkeys(["catalogue", "training_choices", "estimators", "degeneracy"], 1),
    **NOISY_TRAINING,
    **COLLAPSE,
}
# What rests on the zero-shot fits and the test videos, beside Table 4 and Figure 3.
ABLATIONS = {
    "substeps": TEST_PARENTS,
    "frame_step": TEST_PARENTS,
    **dict.fromkeys(["table_3", "figure_7", "figure_8", "claims"], 1),
    **COLLAPSE,
    **PAGES,
}


def test_a_second_run_does_nothing(finished: Checkout) -> None:
    outcome = finished.run()
    assert outcome.code == 0
    assert "Nothing to be done" in outcome.output


def test_a_run_after_moving_the_checkout_and_renewing_time_stamps_does_nothing(finished: Checkout) -> None:
    # `finished` is a copy at another place; git gives files new time stamps at every switch of branches.
    for path in (finished.path / "workflow").rglob("*.py"):
        path.touch()
    for path in (finished.path / "src").rglob("*.py"):
        path.touch()
    assert finished.would_run() == {}


def test_deleting_the_logs_reruns_nothing(finished: Checkout) -> None:
    shutil.rmtree(finished.path / "logs")
    assert finished.would_run() == {}


def test_editing_a_plotting_module_redraws_only(finished: Checkout) -> None:
    finished.edit("src/safe_pit_cm/paper/figure_3.py", 'ylabel="recovered α"', 'ylabel="recovered coefficient α"')
    assert finished.would_run() == {"figure_3": 1, **PAGES}


def test_editing_comments_messages_or_the_layout_reruns_nothing(finished: Checkout) -> None:
    for path, old, new in (
        (ZERO_SHOT, "    process: Process = ", "    # A comment.\n    process: Process = "),
        (ZERO_SHOT, '"""Fit a fresh attention estimator to one video.', '"""Another docstring.'),
        (ZERO_SHOT, "optimiser.zero_grad()", "optimiser.zero_grad(  )"),
        ("workflow/scripts/zero_shot.py", "import zero_shot\n", "import zero_shot  # another comment\n"),
        ("workflow/scripts/zero_shot.py", '"%s, %s propagation"', '"%s, propagation: %s"'),
        ("src/safe_pit_cm/data/stores.py", "does not exist; build it", "is not there; build it"),
        ("src/safe_pit_cm/data/reporting.py", "free some space", "make some space"),
        ("workflow/rules/zero_shot.smk", "rule zero_shot:", "# A comment.\nrule zero_shot:"),
        ("workflow/schemas/config.schema.yaml", "title: Conf", "# A comment.\ntitle: Conf"),
        ("workflow/resources/published.yaml", "paper: ", "# A comment.\npaper: "),
        ("config.yaml", "zero_shot: # §2.7", "zero_shot: # another comment"),
    ):
        finished.edit(path, old, new)
    assert finished.would_run() == {}


def test_changing_the_zero_shot_steps_reruns_the_fits_and_what_follows(finished: Checkout) -> None:
    assert finished.would_run("--config", "zero_shot={steps: 31}") == {
        "zero_shot": TEST_PARENTS,
        "table_4": 1,
        "figure_3": 1,
        "parameters": 1,
        "scorecard": 1,
        **REPLICATES,
        **BASELINES,
        **NOISE_SCAN,
        **ABLATIONS,
    }


def test_changing_the_substeps_that_are_compared_reruns_their_ablation_alone(finished: Checkout) -> None:
    jobs = finished.would_run("--config", "ablation={substeps: [1, 10, 20]}")
    assert jobs == {
        "substeps": TEST_PARENTS,
        # Of the further data set, whose minima are sought.
        "replicate": 2,
        "sensitivity_run": 5,
        "sensitivity": 1,
        **dict.fromkeys(["table_3", "table_4", "figure_7", "claims", "scorecard", "parameters"], 1),
        **COLLAPSE,
        **PAGES,
    }


def test_editing_the_ablation_reruns_what_it_makes(finished: Checkout) -> None:
    finished.edit(
        "src/safe_pit_cm/safe/minimum.py", "np.geomspace(*DIMENSIONLESS_BOUNDS, 241)", "np.logspace(-3.0, 3.0, 242)"
    )
    jobs = finished.would_run()
    assert jobs == {
        **ABLATIONS,
        **REPLICATES,
        **ROBUSTNESS,
        **NOISY_TRAINING,
        "coefficient_grid": 1,
        "sensitivity_run": 5,
        **dict.fromkeys(["table_4", "sensitivity", "scorecard"], 1),
    }


def test_an_override_that_changes_nothing_reruns_nothing(finished: Checkout) -> None:
    assert finished.would_run("--config", "zero_shot={steps: 30}") == {}


def test_swapping_two_values_is_a_change(finished: Checkout) -> None:
    # Snakemake compares the parameters of a rule as a set of values: unnamed, this swap would go unseen.
    jobs = finished.would_run("--config", "estimator={channels: 8, features: 4}")
    assert jobs["zero_shot"] == TEST_PARENTS


def test_changing_a_number_that_a_stage_does_not_read_leaves_it_alone(finished: Checkout) -> None:
    jobs = finished.would_run("--config", "inference={steps: 5}")
    assert jobs["infer"] == TEST_PARENTS
    assert "train" not in jobs


def test_editing_the_integrator_reruns_everything_below_it(finished: Checkout) -> None:
    finished.edit("src/safe_pit_cm/simulation/integration.py", "centre += TRANSPORT", "centre[...] += TRANSPORT")
    jobs = finished.would_run()
    assert jobs == {
        "simulate": 5,
        "zero_shot": TEST_PARENTS,
        "table_4": 1,
        "figure_3": 1,
        "scorecard": 1,
        "coefficient_grid": 1,
        "sensitivity_run": 5,
        "sensitivity": 1,
        **TRAINED,
        **VARIANTS,
        **REPLICATES,
        **BASELINES,
        **ROBUSTNESS,
        **ABLATIONS,
    }


def test_the_edited_package_is_what_runs(finished: Checkout) -> None:
    # Another checkout's package is installed in the environment of the tests.
    finished.edit("src/safe_pit_cm/paper/table_2.py", '"PDE solver step"', '"one step of the solver"')
    assert finished.run().jobs == {"table_2": 1, **PAGES}
    assert "one step of the solver" in (finished.path / "results/paper/tables/table_2.csv").read_text(encoding="utf-8")


def test_editing_a_script_reruns_its_rule_and_what_follows(finished: Checkout) -> None:
    finished.edit("workflow/scripts/sensitivity_run.py", "index=False", "index=bool(0)")
    assert finished.would_run() == {"sensitivity_run": 5, "sensitivity": 1, "page": 1}


def test_editing_the_module_of_an_item_reruns_that_item_and_what_shows_it(finished: Checkout) -> None:
    finished.edit("src/safe_pit_cm/paper/table_4.py", "ignore_index=True", "ignore_index=bool(1)")
    assert finished.would_run() == {"table_4": 1, "scorecard": 1, **PAGES}


@pytest.mark.parametrize(
    ("item", "old", "new"),
    [
        ("table_2", '"PDE solver step"', '"one step of the solver"'),
        ("table_5", '"_amortised"}', '"_amortised", **{}}'),
        ("figure_4", '["make"]', '["make"] + []'),
        ("figure_6", "linewidth=0.6", "linewidth=0.7"),
        ("robustness_curves", '"linewidth": 1.2', '"linewidth": 1.3'),
    ],
)
def test_editing_the_module_of_an_item_reruns_no_other_item(finished: Checkout, item: str, old: str, new: str) -> None:
    finished.edit(f"src/safe_pit_cm/paper/{item}.py", old, new)
    assert finished.would_run() == {item: 1, **(PAGES if part(item) == PAPER else {"page": 1})}


def test_editing_what_two_items_share_reruns_both(finished: Checkout) -> None:
    finished.edit("src/safe_pit_cm/paper/fields.py", 'cmap="viridis"', 'cmap="magma"')
    assert finished.would_run() == dict.fromkeys(["figure_4", "figure_5", *PAGES], 1)


def test_editing_the_script_of_all_items_reruns_them_and_nothing_that_computes(finished: Checkout) -> None:
    finished.edit("workflow/scripts/item.py", "module.make(", "module.make(*[], ")
    # Claims are measured in Table 3 too.
    assert finished.would_run() == dict.fromkeys([*items(), "claims", *PAGES], 1)


def test_changing_one_parents_data_reruns_what_depends_on_it(finished: Checkout) -> None:
    shutil.rmtree(finished.path / "results/initial_conditions/004.zarr")
    assert finished.would_run() == {
        "simulate": 1,
        "zero_shot": 1,
        "infer": 1,
        "baseline_fit": 1,
        **dict.fromkeys(["baselines", "table_4", "table_5", "figure_3", "figure_4", "figure_5"], 1),
        **VARIANTS,
        **NOISE_SCAN,
        **ABLATIONS,
        **dict.fromkeys(["substeps", "frame_step"], 1),
        "scorecard": 1,
    }


def test_changing_a_training_parents_data_trains_again_and_leaves_the_zero_shot_fits_alone(finished: Checkout) -> None:
    shutil.rmtree(finished.path / "results/initial_conditions/000.zarr")
    assert finished.would_run() == {
        "simulate": 1,
        "table_4": 1,
        "figure_3": 1,
        "scorecard": 1,
        **TRAINED,
        **VARIANTS,
    }


def test_a_parent_that_moves_from_training_to_validation_trains_again(finished: Checkout) -> None:
    # The videos that the training reads are the same: those for training and for validation together.
    assert finished.would_run("--config", "dataset={validation_parents: 2}") == {
        **TRAINED,
        **VARIANTS,
        **dict.fromkeys(["split", "table_1", "table_4", "figure_3", "scorecard", "parameters"], 1),
    }


def test_changing_a_published_value_redoes_what_shows_it(finished: Checkout) -> None:
    finished.edit("workflow/resources/published.yaml", "r2: 0.9674", "r2: 0.9675")
    # The lost choices are inferred from the published numbers.
    shown = ["table_4", "figure_3", "sensitivity", "scorecard", "lost_choices", "lost_choices_map", "published_numbers"]
    jobs = finished.would_run()
    assert jobs.pop("choice_scan") > 1
    assert jobs == dict.fromkeys([*shown, *PAGES], 1)


def test_changing_a_caption_rebuilds_the_pages_only(finished: Checkout) -> None:
    finished.edit("workflow/report/figure_3.rst", "Open triangles", "Hollow triangles")
    assert finished.would_run() == PAGES


def test_changing_the_look_of_the_pages_rebuilds_them_only(finished: Checkout) -> None:
    finished.edit("src/safe_pit_cm/pages/style.css", "h1 { font-size: 1.7rem;", "h1 { font-size: 1.8rem;")
    assert finished.would_run() == PAGES
