"""The page of another equation: which findings carry over, and the errors of the methods side by side."""

import numpy as np
import pandas as pd

from safe_pit_cm.paper import equation_tables
from safe_pit_cm.studies.equation_scan import COLUMNS

# Error of each method and setting, for the coefficients D and r, whose true values are 1 and 2.
ERRORS = {
    ("sub-steps", 1): (np.nan, 0.002),
    ("sub-steps", 50): (0.01, 0.004),
    ("frame step", 1): (0.01, 0.004),
    ("frame step", 4): (0.02, 0.002),
    ("minimum", 0): (0.01, 0.004),
    ("zero-shot", 200): (0.0105, 0.006),
    ("mean", 0): (0.1, 0.2),
    ("trained", 0): (0.04, 0.15),
    ("test-time steps", 50): (0.02, 0.4),
    ("SAFE, noise", 0.01): (0.3, 0.6),
    ("SAFE, noise", 0.05): (0.5, 0.8),
    ("likelihood", 0.01): (0.001, 0.002),
    ("likelihood", 0.05): (0.005, 0.01),
}
TRUE = {"D": 1.0, "r": 2.0}


def table() -> pd.DataFrame:
    rows = [
        ("000", method, setting, 10, True, name, TRUE[name], TRUE[name] + error, np.nan, np.nan)
        for (method, setting), errors in ERRORS.items()
        for name, error in zip(TRUE, errors, strict=True)
    ]
    return equation_tables.summary(pd.DataFrame(rows, columns=list(COLUMNS)))


def test_a_finding_carries_over_where_the_errors_have_its_order() -> None:
    found = {text.split("(")[0].strip(): cells for text, *cells in equation_tables.findings(table())[1:]}
    assert found == {
        "more sub-steps, smaller error": ["yes: no result, 1.00%", "no: 0.10%, 0.20%"],
        "coarser time resolution, greater error": ["yes: 2.00%, 1.00%", "no: 0.10%, 0.20%"],
        "zero-shot reaches the minimum of its loss, to a tenth of the error": ["yes: 1.00%, 1.05%", "no: 0.20%, 0.30%"],
        "the trained model at least halves the error of the mean of its training videos": [
            "yes: 10.00%, 4.00%",
            "no: 10.00%, 7.50%",
        ],
        "test-time steps improve on the trained model": ["yes: 4.00%, 2.00%", "no: 7.50%, 20.00%"],
        "zero-shot is more accurate than the trained model with test-time steps": [
            "yes: 2.00%, 1.05%", "yes: 20.00%, 0.30%",
        ],
    }  # fmt: skip


def test_methods_stand_side_by_side_at_the_least_noise() -> None:
    rows = equation_tables.comparison(table())
    assert rows[0] == ("method", "D", "r")
    assert rows[1][1:] == ("10.00%", "10.00%")
    assert rows[-1] == ("maximum likelihood, the same noise", "0.10%", "0.10%")
    assert "noise of 1%" in rows[-2][0]
    assert rows[-2][1:] == ("30.00%", "30.00%")


def test_empty_columns_are_left_out_and_no_result_is_said() -> None:
    tables = list(equation_tables.details(table()))
    assert tables[0][1][:2] == [
        ("sub-steps", "coefficient", "stable", "error", "videos"),
        ("1", "D", "100%", "no result", "0 (1 failed)"),
    ]
    assert tables[-1][1][:2] == [("noise", "coefficient", "error", "videos"), ("1%", "D", "0.10%", "1")]
