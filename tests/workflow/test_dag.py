"""The default workflow as planned: nothing is computed here."""

import re
from pathlib import Path

import yaml

from checkout import ROOT, Checkout
from rules import items, rules
from safe_pit_cm.data import provenance
from safe_pit_cm.studies.baseline_list import LONG

# Rules that share a script, beside the items.
SHARED = {"substeps": "step_ablation", "frame_step": "step_ablation"}


def test_the_default_run_has_the_paper_s_size(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", tiny=False)
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {
        "simulate": 50,
        "split": 1,
        "zero_shot": 10,
        "replicate": 5,
        "train": 1,
        "catalogue": 1,
        "train_variant": 20,
        "noisy_training": 1,
        "infer": 10,
        "substeps": 10,
        "frame_step": 10,
        "coefficient_grid": 1,
        "sensitivity_run": 11,
        "choice_scan": 8,
        "baseline_fit": 10,
        "noise_scan": 1,
        "crop_scan": 1,
        **dict.fromkeys([*items(), "claims", "main_page", "page"], 1),
    }


def test_the_paper_s_own_tables_and_figures_are_made_before_all_else(fresh: Checkout) -> None:
    needed = fresh.run("--dry-run", "results/paper/main.html", tiny=False).jobs.keys()
    assert {"train", "replicate", "figure_8", "table_3", "claims"} <= needed
    assert needed.isdisjoint({"train_variant", "baseline_fit", "scorecard", "page"})
    assert min(rules()[name].priority for name in needed) >= 1
    # Items beyond the paper take a second or two each, as soon as their results are there.
    others = {name for name in rules().keys() - needed - items().keys() if not name.startswith("model_")}
    assert {rules()[name].priority for name in others} == {0}


def test_long_baselines_run_on_request_alone(fresh: Checkout) -> None:
    # Each long method is run on the videos of one test parent, in addition to the quick ones.
    quick, long = (
        fresh.run("--dry-run", "--config", f"baselines={{long: {switch}}}", tiny=False).jobs["baseline_fit"]
        for switch in ("false", "true")
    )
    assert long - quick == len(LONG)


def test_every_rule_runs_a_script_and_declares_its_code() -> None:
    # profiles/default omits the trigger for shell commands and time stamps of scripts, which nothing may need.
    for name, rule in rules().items():
        assert rule.script == ("item" if name in items() else SHARED.get(name, name)), name
        # Messages are part of the result of a film that cannot be measured, and of no other.
        script = ROOT / f"workflow/scripts/{rule.script}.py"
        digests = [provenance.code_digest(script, messages=name == "measure")]
        if name in items():
            digests.append(provenance.code_digest(ROOT / f"src/safe_pit_cm/paper/{name}.py"))
        assert rule.code == "-".join(digests), name
        assert rule.retries is None, name
        assert all((rule.log, rule.benchmark, rule.conda, rule.threads)), name
        assert {"mem_mb", "runtime"} <= set(rule.resources), name


def test_every_script_is_that_of_a_rule() -> None:
    assert {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")} == {
        rule.script for rule in rules().values()
    }


def test_an_item_has_its_name_in_all_its_files() -> None:
    assert {
        "scorecard",
        *(f"table_{number}" for number in range(1, 6)),
        *(f"figure_{number}" for number in range(1, 9)),
    } < {*items()}
    for name, rule in items().items():
        assert {Path(path).stem for path in [*rule.output, *rule.log, str(rule.benchmark)]} == {name}
        kind = "figures" if rule.output[0].endswith(".pdf") else "tables"
        folder = "results/paper" if name == "scorecard" else f"results/paper/{kind}"
        formats = {"figures": ["pdf", "png"], "tables": ["csv", "md", "tex", "html"]}[kind]
        assert rule.output == [f"{folder}/{name}.{form}" for form in formats]
        assert (ROOT / f"workflow/report/{name}.rst").is_file()


def test_no_rule_has_the_name_of_another_in_the_plural() -> None:
    assert not [name for name in rules() if f"{name}s" in rules()]


def test_progress_takes_the_place_of_lines_about_jobs_which_stay_in_the_log(fresh: Checkout) -> None:
    outcome = fresh.run("results/splits.csv")
    assert outcome.code == 0, outcome.output
    assert "1 jobs to run" in outcome.output
    assert re.search(r"^\d\d:\d\d:\d\d  100 % done; split 1 of 1$", outcome.output, flags=re.MULTILINE)
    assert "Finished jobid" not in outcome.output
    (log,) = (fresh.path / ".snakemake/log").glob("*.log")
    assert "Finished jobid" in log.read_text(encoding="utf-8")
    assert "Finished jobid" in fresh.run("results/splits.csv", "--verbose", "--forcerun", "split").output


def test_the_expected_times_are_those_of_rules() -> None:
    times = yaml.safe_load((ROOT / "workflow/resources/seconds_per_job.yaml").read_text(encoding="utf-8"))
    assert times.keys() <= rules().keys()
    assert all(isinstance(seconds, int | float) and seconds > 0 for seconds in times.values())
