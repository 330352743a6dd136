"""What docs/add_an_item.md promises holds."""

import re

import pandas as pd

from checkout import ROOT, Checkout

GUIDE = (ROOT / "docs/add_an_item.md").read_text(encoding="utf-8")
MODULE, CAPTION, RULE = re.findall(r"```\w+\n(.*?)```", GUIDE, flags=re.DOTALL)


def test_an_item_takes_fewer_than_twenty_lines() -> None:
    lines = [line for line in (MODULE + CAPTION + RULE).splitlines() if line.strip()]
    assert len(lines) < 20
    assert f"It takes {len(lines)} lines." in GUIDE


def test_the_item_of_the_guide_is_made_and_shown_and_nothing_else_runs(finished: Checkout) -> None:
    for path, text in (("src/safe_pit_cm/paper/worst.py", MODULE), ("workflow/report/worst.rst", CAPTION)):
        (finished.path / path).write_text(text, encoding="utf-8")
    rules = finished.path / "workflow/rules/paper.smk"
    rules.write_text(rules.read_text(encoding="utf-8") + "\n\n" + RULE, encoding="utf-8")
    outcome = finished.run()
    assert outcome.code == 0, outcome.output
    # The page of the paper's own items says what is still to come.
    assert outcome.jobs == {"worst": 1, "main_page": 1, "page": 1}
    worst = pd.read_csv(finished.path / "results/paper/tables/worst.csv")
    assert sorted(worst["process"]) == ["diffusion", "mobility"]
    page = (finished.path / "results/paper/index.html").read_text(encoding="utf-8")
    assert page.index('id="crops"') < page.index('id="worst"') < page.index('id="parameters"')
    assert "Worst recoveries" in page
