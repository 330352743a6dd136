"""The default workflow as planned: nothing is computed here."""

import re

from checkout import ROOT, Checkout
from safe_pit_cm.studies.baseline_list import LONG


def test_the_default_run_has_the_paper_s_size(fresh: Checkout) -> None:
    outcome = fresh.run("--dry-run", tiny=False)
    assert outcome.code == 0, outcome.output
    assert outcome.jobs == {
        "initial_condition": 50,
        "integrate": 50,
        "reverse": 50,
        "split": 1,
        "zero_shot": 20,
        "replicate": 50,
        "train": 1,
        "catalogue": 1,
        "train_variant": 15,
        "infer": 20,
        "substeps": 20,
        "frame_step": 20,
        "coefficient_grid": 1,
        "sensitivity_run": 9,
        "baseline": 20,
        "noise_scan": 1,
        "crop_scan": 1,
        **dict.fromkeys(
            [
                *(f"table_{number}" for number in (1, 2, 3, 4, 5)),
                *(f"figure_{number}" for number in range(1, 9)),
                "collapse",
                "collapse_curves",
                "sensitivity",
                "estimators",
                "degeneracy",
                "baselines",
                "robustness",
                "robustness_curves",
                "crops",
                "scorecard",
                "parameters",
                "page",
            ],
            1,
        ),
    }


def test_long_baselines_run_on_request_alone(fresh: Checkout) -> None:
    # Each long method faces both videos of one test parent, beside the quick ones.
    quick, long = (
        fresh.run("--dry-run", "--config", f"baselines={{long: {switch}}}", tiny=False).jobs["baseline"]
        for switch in ("false", "true")
    )
    assert long - quick == 2 * len(LONG)


def test_every_rule_runs_a_script_and_declares_its_code() -> None:
    # profiles/default leaves out the trigger that watches shell commands and time stamps of scripts: this keeps it true
    # that nothing needs it.
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        rules = path.read_text(encoding="utf-8").split("\nrule ")[1:]
        for rule in rules:
            name = rule.split(":")[0]
            digested = re.findall(r'code=code_digest\("(\w+)"\)', rule)
            run = re.findall(r'script:\n        "../scripts/(\w+).py"', rule)
            assert digested == run != [], f"rule {name} in {path.name}"
            for directive in ("shell:", "run:", "notebook:", "wrapper:", "retries:"):
                assert f"\n    {directive}" not in rule, f"rule {name} in {path.name}"
            for directive in ("log:", "benchmark:", "conda:", "threads:", "resources:"):
                assert f"\n    {directive}" in rule, f"rule {name} in {path.name}"
