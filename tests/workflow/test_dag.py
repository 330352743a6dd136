"""The default workflow as planned: nothing is computed here."""

from importlib import import_module
from pathlib import Path

from checkout import ROOT, Checkout
from rules import rules
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
    # that nothing needs it. Retries are for profiles to ask for.
    for name, rule in rules().items():
        assert rule["script"].removeprefix("../scripts/") in (f"{name}.py", "item.py"), name
        assert rule["other"] == [], name
        assert "code" in rule["params"], name
        assert not rule["retries"], name
        assert rule["log"], name
        assert rule["benchmark"].startswith("logs/benchmarks/"), name
        assert rule["conda"].endswith("envs/safe-pit-cm.yaml"), name
        assert {"mem_mb", "runtime"} <= set(rule["resources"]), name


def test_every_item_has_a_module_and_a_caption_and_no_module_or_caption_is_left_over() -> None:
    items = [name for name, rule in rules().items() if rule["script"] == "../scripts/item.py"]
    assert len(items) == 24
    for name in items:
        assert callable(import_module(f"safe_pit_cm.paper.{name}").make)
        assert rules()[name]["log"] == [f"logs/{name}.log"]
        assert {Path(path).stem for path in rules()[name]["outputs"]} == {name}
    captions = {path.stem for path in (ROOT / "workflow/report").glob("*.rst")}
    assert captions - set(items) == {"page", "timing"}
