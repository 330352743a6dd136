"""The supplement on robustness: tables and figure."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from safe_pit_cm.paper import crops, robustness, robustness_curves
from safe_pit_cm.paper.robustness import BOUND, SERIES

LEVELS = [0.0, 0.001, 0.01]
TRUE = {"008": 0.2, "009": 0.6}
# |error| of each method by noise level; the bound is a tenth of the noise times the parent's |α|.
ERRORS = {
    "safe": (0.0, 0.002, 0.02),
    "least_squares": (0.1, 0.1, 0.1),
    "weak_form": (0.001, 0.001, 0.003),
    "maximum_likelihood": (0.0, 0.00004, 0.0004),
}


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def rows(tmp_path: Path) -> pd.DataFrame:
    """Rows as the noise scan writes them; zero-shot faces one video at one level, 0.001 from the minimum."""
    paths = []
    for process, sign in (("mobility", 1), ("diffusion", -1)):
        table = []
        for parent, magnitude in TRUE.items():
            for position, noise in enumerate(LEVELS):
                common: dict[str, Any] = {
                    "parent": parent,
                    "process": process,
                    "noise": noise,
                    "true": sign * magnitude,
                }
                common["bound"] = 0.1 * noise * magnitude
                for method, propagation in SERIES:
                    if process not in SERIES[method, propagation]:
                        continue
                    wrong = 0.021 if method == "zero_shot" else ERRORS[method][position]
                    if method == "zero_shot" and (parent, noise) != ("009", 0.01):
                        continue
                    likely = method == "maximum_likelihood"
                    stderr = common["bound"] if likely else math.nan
                    covered = float(wrong < 1.96 * stderr) if likely else math.nan
                    found = sign * (magnitude + wrong)
                    told = {"recovered": found, "stderr": stderr, "covered": covered}
                    table.append({**common, "method": method, "propagation": propagation, **told})
        paths.append(tmp_path / f"{process}.csv")
        pd.DataFrame(table).to_csv(paths[-1], index=False)
    return robustness.read(paths)


@pytest.fixture
def crop_rows() -> pd.DataFrame:
    """Rows as the crop scan writes them: each error is its bound, the second video's twice that."""
    table = []
    for parent, factor in (("008", 1.0), ("009", 2.0)):
        for width, boundary in ((16, "open"), (32, "open"), (64, "periodic")):
            bound = 0.064 / width
            table.append(
                {
                    "parent": parent,
                    "width": width,
                    "boundary": boundary,
                    "noise": 0.01,
                    "true": -0.5,
                    "recovered": -0.5 - factor * bound,
                    "stderr": bound,
                    "covered": float(factor < 1.96),
                    "bound": bound,
                }
            )
    return pd.DataFrame(table)


def test_the_scores_are_those_worked_out_by_hand(rows: pd.DataFrame) -> None:
    scores: Any = robustness.score(rows).set_index(["process", "method", "propagation", "noise"])
    best = scores.loc[("diffusion", "maximum_likelihood", "signed", 0.01)]
    assert best["mae"] == pytest.approx(0.0004)
    # Both videos are as far off; a single one has no scatter to tell of.
    assert (best["mae_low"], best["mae_high"]) == pytest.approx((0.0004, 0.0004))
    assert math.isnan(scores.loc[("diffusion", "zero_shot", "signed", 0.01)]["mae_low"])
    # Bounds 0.0002 and 0.0006.
    assert best["bound"] == pytest.approx(math.sqrt(2 / math.pi) * 0.0004)
    assert best["errors_over_bound"] == pytest.approx(math.sqrt((2**2 + (2 / 3) ** 2) / 2))
    # Two standard errors away is outside, two thirds inside.
    assert best["covered"] == pytest.approx(0.5)
    assert (best["n"], best["failed"]) == (2, 0)
    clean = scores.loc[("mobility", "maximum_likelihood", "stable", 0.0)]
    assert (clean["mae"], clean["bound"]) == (pytest.approx(0, abs=1e-12), 0)
    assert math.isnan(clean["covered"])


def test_what_was_not_found_is_counted_and_not_scored(rows: pd.DataFrame) -> None:
    lost = (rows["method"] == "weak_form") & (rows["parent"] == "008")
    scores: Any = robustness.score(rows.assign(recovered=rows["recovered"].mask(lost)))
    own = scores[scores["method"] == "weak_form"]
    assert (own["n"].tolist(), own["failed"].tolist()) == ([1] * 6, [1] * 6)
    assert own["mae"].notna().all()
    none = rows.assign(recovered=rows["recovered"].mask(rows["method"] == "maximum_likelihood"))
    table = robustness.build(none)
    assert "nan" not in table.finding
    assert "nan" not in table.to_markdown()


def test_the_table_has_a_row_a_method_and_the_bound_of_all_videos(rows: pd.DataFrame) -> None:
    table = robustness.build(rows)
    shown: Any = table.display.set_index(["process", "method"])
    assert list(shown.columns) == ["σ = 0", "σ = 0.001", "σ = 0.01", "videos"]
    assert shown.loc[("diffusion", "SAFE, minimum"), "σ = 0.01"] == "0.0200 (0.0200 to 0.0200)"
    assert shown.loc[("diffusion", "SAFE, zero-shot")].tolist() == ["–", "–", "0.0210", "1"]
    # Of both videos, not of the one that zero-shot faces: √(2/π) · 0.0004.
    assert shown.loc[("diffusion", BOUND)].tolist() == ["0", "3.2e-05", "3.2e-04", "2"]
    methods = [method for process, method in shown.index if process == "mobility"]
    assert methods[0] == "SAFE, minimum, signed"
    assert methods[-2:] == ["maximum likelihood", BOUND]
    assert table.to_latex().isascii()


def test_the_table_says_what_it_shows(rows: pd.DataFrame) -> None:
    finding = robustness.build(rows).finding
    assert "MAE(α) of diffusion at σ = 0.001 and 0.01: SAFE, minimum 0.0020 and 0.0200; least squares" in finding
    assert "is 1.49 times the bound (root mean square), and 50% of its 8 intervals (95 %)" in finding
    assert "Zero-shot fits lie at most 0.0010 (diffusion) and 0.0010 (mobility) from the minimum" in finding
    without = robustness.build(rows[rows["method"] != "zero_shot"]).finding
    assert "Zero-shot" not in without


def test_clean_videos_alone_make_a_table_too(rows: pd.DataFrame) -> None:
    table = robustness.build(rows[rows["noise"] == 0])
    assert table.finding == ""
    assert list(table.display.columns) == ["process", "method", "σ = 0", "videos"]


def test_the_table_of_crops_compares_error_standard_error_and_bound(crop_rows: pd.DataFrame) -> None:
    table = crops.build(crop_rows)
    assert table.data["width"].tolist() == [16, 32, 64]
    assert table.data["mae"].tolist() == pytest.approx([0.006, 0.003, 0.0015])
    assert table.display["error over bound, root mean square"].tolist() == ["1.58"] * 3
    assert table.display["boundary"].tolist() == ["open", "open", "known: periodic"]
    assert "is 0.0040 for crops of 16 × 16 pixels, 0.0020 for 32 × 32, and 0.0010 for the whole" in table.finding
    assert "exceeds 2.0 times its bound" in table.finding


def test_crops_of_which_nothing_was_found_leave_gaps(crop_rows: pd.DataFrame) -> None:
    lost = crop_rows.assign(recovered=math.nan, stderr=math.nan)
    table = crops.build(lost)
    assert table.finding == ""
    assert set(table.display["MAE(α) (95 % interval)"]) == {"–"}
    assert crops.build(crop_rows[crop_rows["boundary"] == "periodic"]).finding == ""


def test_the_figure_draws_every_method_the_bound_and_the_crops(rows: pd.DataFrame, crop_rows: pd.DataFrame) -> None:
    diffusion, mobility, crop = robustness_curves.draw(rows, crop_rows).axes
    for axes, process in ((diffusion, "diffusion"), (mobility, "mobility")):
        assert axes.get_title() == process
        drawn = {str(line.get_label()): line for line in axes.lines}
        labels = {own[process] for own in SERIES.values() if process in own}
        assert {label.removesuffix(" (1 video)") for label in drawn} == labels | {BOUND}
        # Clean videos have no place on a logarithmic axis.
        assert np.asarray(drawn[BOUND].get_xdata()).tolist() == [0.001, 0.01]
        assert np.asarray(drawn[BOUND].get_ydata()) == pytest.approx(math.sqrt(2 / math.pi) * np.array([4e-5, 4e-4]))
    assert "SAFE, zero-shot (1 video)" in [str(line.get_label()) for line in diffusion.lines]
    drawn = {str(line.get_label()): line for line in crop.lines}
    assert np.asarray(drawn["error, mean"].get_ydata()) == pytest.approx([0.006, 0.003])
    assert len(np.asarray(drawn["error, each video"].get_ydata())) == 4
    assert "σ = 0.01" in crop.get_title()
