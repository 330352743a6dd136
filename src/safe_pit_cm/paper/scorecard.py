"""The scorecard: every published number and every claim that numbers can test, next to its measured value.

The rule was fixed before the results were examined:

*Number that follows from others* (a bound, a stability number): reproduced if equal in the digits published.

*Error* (MAE(α), 1 − R²): reproduced if the published value, ± half a unit of its last digit, lies in the
interval of the measured one. In direction if the measured error is smaller, or less than twice as large.

*Claim*: reproduced if the measured value, with its whole interval where it has one, is on the right side of its
threshold; in direction if it is on the right side of the weaker threshold. The thresholds are in the file of published
values.

Otherwise: not reproduced. A number that is missing from the text cannot be tested.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from safe_pit_cm.paper import claims
from safe_pit_cm.paper.claims import Measured
from safe_pit_cm.paper.tables import Table
from safe_pit_cm.paper.verdicts import VERDICTS, Verdict, css_class

_FACTOR = 2.0


@dataclass(frozen=True)
class Row:
    """A row of the scorecard: place in the paper, published and measured value, and verdict."""

    place: str
    quantity: str
    published: str
    measured: Measured | None
    verdict: Verdict


def _decimals(published: float) -> int:
    """Decimals of a published number, as its shortest decimal form shows them."""
    return len(repr(float(published)).partition(".")[2])


def judge_number(published: float | None, measured: Measured | None, *, decimals: int | None = None) -> Verdict:
    """Verdict on a number that follows from others, published with ``decimals``, or as many as its value shows."""
    if published is None or measured is None or math.isnan(measured.value):
        return "cannot be tested"
    digits = _decimals(published) if decimals is None else decimals
    same = abs(measured.value - published) <= 0.5 * 10.0**-digits + 1e-12
    return "reproduced" if same else "not reproduced"


def judge_error(published: float | None, measured: Measured | None, *, decimals: int, perfect: float = 0.0) -> Verdict:
    """Verdict on an error: the distance of ``published`` and ``measured`` from a ``perfect`` 0 (MAE) or 1 (R²)."""
    if published is None or measured is None or math.isnan(measured.value):
        return "cannot be tested"
    rounding = 0.5 * 10.0**-decimals
    low, high = measured.ends
    if low - rounding <= published <= high + rounding:
        return "reproduced"
    if abs(measured.value - perfect) < _FACTOR * (abs(published - perfect) + rounding):
        return "reproduced in direction"
    return "not reproduced"


def judge_claim(claim: Mapping[str, Any], measured: Measured | None) -> Verdict:
    """Verdict on a claim with its thresholds: ``at_most`` or ``at_least``, and the same ``weakly_…``."""
    if measured is None or math.isnan(measured.value) or claim["published"] is None:
        return "cannot be tested"
    low, high = measured.ends
    if "at_most" in claim:
        strictly, weakly = high <= claim["at_most"], measured.value <= claim["weakly_at_most"]
    else:
        strictly, weakly = low >= claim["at_least"], measured.value >= claim["weakly_at_least"]
    return "reproduced" if strictly else "reproduced in direction" if weakly else "not reproduced"


def judge_claims(published: Iterable[Mapping[str, Any]], measured: Mapping[str, Measured]) -> list[Row]:
    """Judge every claim of the file of published values; what was not measured cannot be tested."""
    rows = []
    for claim in published:
        found = measured.get(claim["measured"])
        verdict = judge_number(claim["value"], found) if "value" in claim else judge_claim(claim, found)
        said = "lost" if claim["published"] is None else str(claim["published"])
        rows.append(Row(claim["place"], claim["quantity"], said, found, verdict))
    return rows


def build(rows: Iterable[Row]) -> Table:
    """Build the scorecard."""
    rows = list(rows)

    def ends(row: Row) -> tuple[float, float]:
        return (row.measured.low, row.measured.high) if row.measured else (math.nan, math.nan)

    data = pd.DataFrame(
        {
            "table": [row.place for row in rows],
            "quantity": [row.quantity for row in rows],
            "published": [row.published for row in rows],
            "measured": [row.measured.value if row.measured else math.nan for row in rows],
            "low": [ends(row)[0] for row in rows],
            "high": [ends(row)[1] for row in rows],
            "verdict": [row.verdict for row in rows],
        }
    )

    def shown(value: float) -> str:
        if math.isnan(value):
            return "–"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    display = pd.DataFrame(
        {
            "verdict": data["verdict"],
            "place": data["table"],
            "quantity": data["quantity"],
            "published": data["published"],
            "measured": data["measured"].map(shown),
            "95 % interval": [
                "–" if math.isnan(low) else f"{shown(low)} to {shown(high)}"
                for low, high in zip(data["low"], data["high"], strict=True)
            ],
        }
    )
    counts = data["verdict"].value_counts()
    tally = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    return Table(
        data=data,
        display=display,
        finding=f"Of {len(rows)} published numbers and claims: {tally}.",
        kinds=[css_class(row.verdict) for row in rows],
    )


def _interval(row: Mapping[Any, Any], name: str, ending: str = "") -> Measured:
    return Measured(row[name], row[f"{name}_low{ending}"], row[f"{name}_high{ending}"])


def judge_table_3(published: Mapping[str, Any], table: pd.DataFrame) -> list[Row]:
    """Judge every number of Table 3, with signed propagation."""
    measured = table.set_index("substeps").to_dict("index")
    rows = []
    for line in published["rows"]:
        found = measured.get(line["substeps"])
        for name, symbol, decimals in (
            ("stability_number", "|α|_max Δτ λ_max", 2),
            ("alpha_stable", "α_stable", 2),
            ("mae", "MAE(α)", 4),
            ("r2", "R²", 2),
        ):
            said = line[name]
            if name in ("mae", "r2"):
                own = _interval(found, name, "_all_signed") if found else None
                verdict = judge_error(said, own, decimals=decimals, perfect=float(name == "r2"))
            else:
                own = Measured(found[name]) if found else None
                verdict = judge_number(said, own, decimals=decimals)
            text = "lost" if said is None else f"{said:.{decimals}f}"
            rows.append(Row(published["place"], f"{symbol}, S = {line['substeps']}", text, own, verdict))
    return rows


def judge_table_4(published: Mapping[str, Any], table: pd.DataFrame) -> list[Row]:
    """Judge every number of Table 4, with signed propagation."""
    signed = table[table["propagation"] == "signed"]
    measured = signed.set_index(["setting", "process"]).to_dict("index")
    rows = []
    for line in published["rows"]:
        found = measured[line["setting"], line["process"]]
        for name, symbol in (("mae", "MAE(α)"), ("r2", "R²")):
            own, said = _interval(found, name), line[name]
            verdict = judge_error(said, own, decimals=4, perfect=float(name == "r2"))
            text = "lost" if said is None else f"{said:.4f}"
            rows.append(Row(published["place"], f"{symbol}, {line['setting']}, {line['process']}", text, own, verdict))
    return rows


def judge(
    published: Mapping[str, Any], table_3: str, table_4: str, measured: Mapping[str, Measured], *, beyond: bool = True
) -> list[Row]:
    """Judge all published numbers and claims.

    Parameters
    ----------
    published
        The file of published values.
    table_3, table_4
        CSV files.
    measured
        Claims, measured.
    beyond
        Whether results beyond the paper are at hand; if not, the claims that they test are left out.
    """
    testable = [claim for claim in published["claims"] if beyond or claim["measured"] not in claims.BEYOND]
    return [
        *judge_table_3(published["table_3"], pd.read_csv(table_3)),
        *judge_table_4(published["table_4"], pd.read_csv(table_4)),
        *judge_claims(testable, measured),
    ]


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the scorecard from the files and parameters of its rule."""
    measured = {**claims.read(inputs["claims"]), **claims.of_supplements(inputs)}
    build(judge(params["published"], inputs["table_3"], inputs["table_4"], measured)).write(**outputs)
