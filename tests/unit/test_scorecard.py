"""The scorecard: its verdicts follow the rule that it states."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from safe_pit_cm.paper import scorecard
from safe_pit_cm.paper.claims import Measured
from safe_pit_cm.paper.scorecard import Row
from safe_pit_cm.paper.verdicts import VERDICTS, css_class

ROOT = Path(__file__).parents[2]
CLAIMS: list[dict[str, Any]] = yaml.safe_load((ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8"))[
    "claims"
]
IN, DIRECTION, OUT, LOST = VERDICTS


@pytest.mark.parametrize(
    ("published", "value", "verdict"),
    [(12.5, 12.5, IN), (12.5, 12.54, IN), (12.5, 12.6, OUT), (0.25, 0.2504, IN), (0.25, 0.26, OUT), (None, 1.0, LOST)],
)
def test_a_number_that_follows_from_others_must_agree_in_the_digits_published(
    published: float | None, value: float, verdict: str
) -> None:
    assert scorecard.judge_number(published, Measured(value)) == verdict


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (Measured(0.0100, 0.0080, 0.0130), IN),
        # Half a unit of the last digit published is rounding.
        (Measured(0.0110, 0.0090, 0.01166), IN),
        (Measured(0.0110, 0.0090, 0.0115), DIRECTION),
        (Measured(0.0001, 0.0000, 0.0002), DIRECTION),
        (Measured(0.0230, 0.0220, 0.0240), DIRECTION),
        (Measured(0.0236, 0.0220, 0.0240), OUT),
        # Without an interval only the value itself counts.
        (Measured(0.01174), IN),
        (Measured(math.nan), LOST),
        (None, LOST),
    ],
)
def test_an_error_is_judged_by_its_interval_and_then_by_its_size(measured: Measured | None, verdict: str) -> None:
    assert scorecard.judge_error(0.0117, measured, decimals=4) == verdict


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [(Measured(0.98, 0.95, 0.99), IN), (Measured(0.94, 0.9, 0.96), DIRECTION), (Measured(0.9, 0.8, 0.95), OUT)],
)
def test_r_squared_is_judged_by_what_it_lacks_to_one(measured: Measured, verdict: str) -> None:
    assert scorecard.judge_error(0.9674, measured, decimals=4, perfect=1.0) == verdict


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (Measured(8.0), IN),
        (Measured(8.0, 7.0, 9.0), IN),
        (Measured(8.0, 7.0, 11.0), DIRECTION),
        (Measured(15.0), DIRECTION),
        (Measured(21.0), OUT),
        (None, LOST),
    ],
)
def test_a_claim_is_judged_by_its_thresholds(measured: Measured | None, verdict: str) -> None:
    most = {"published": "10 epochs", "at_most": 10, "weakly_at_most": 20}
    assert scorecard.judge_claim(most, measured) == verdict
    mirrored = Measured(-measured.value, -measured.high, -measured.low) if measured else None
    assert scorecard.judge_claim({"published": "", "at_least": -10, "weakly_at_least": -20}, mirrored) == verdict


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["measured"])
def test_every_claim_can_be_judged_and_its_weaker_threshold_is_weaker(claim: dict[str, Any]) -> None:
    assert claim["quantity"]
    assert claim["place"].startswith("§")
    kinds = {kind for kind in ("value", "at_most", "at_least") if kind in claim}
    assert len(kinds) == (0 if claim["published"] is None else 1)
    if "at_most" in claim:
        assert claim["weakly_at_most"] > claim["at_most"]
    if "at_least" in claim:
        assert claim["weakly_at_least"] < claim["at_least"]


def test_what_was_not_measured_or_was_lost_cannot_be_tested() -> None:
    rows = scorecard.judge_claims(CLAIMS, {})
    assert len(rows) == len(CLAIMS)
    assert {row.verdict for row in rows} == {LOST}
    assert any(row.published == "lost" for row in rows)


def test_the_scorecard_has_the_columns_that_were_agreed_and_counts_its_verdicts() -> None:
    rows = [
        Row("Table 4", "MAE(α)", "0.0117", Measured(0.0091, 0.006, 0.0125), IN),
        Row("§1", "parameters", "lost", Measured(63587.0), LOST),
        Row("§2", "never measured", "0.1", None, LOST),
    ]
    table = scorecard.build(rows)
    assert list(table.data.columns) == ["table", "quantity", "published", "measured", "low", "high", "verdict"]
    assert list(table.data.iloc[0]) == ["Table 4", "MAE(α)", "0.0117", 0.0091, 0.006, 0.0125, IN]
    assert table.data[["measured", "low"]].isna().to_numpy().tolist() == [[False, False], [False, True], [True, True]]
    assert list(table.display.iloc[2])[-2:] == ["–", "–"]
    assert re.findall(r'<tr class="(.*?)">', table.to_html()) == [css_class(row.verdict) for row in rows]
    assert table.finding.endswith("1 reproduced, 0 reproduced in direction, 0 not reproduced, 2 cannot be tested.")
