"""Table 3, Figures 7 and 8, and the supplements on the collapse and on lost numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from safe_pit_cm.data import provenance, stores
from safe_pit_cm.equations.processes import PROPAGATIONS, Process, propagations_of
from safe_pit_cm.paper import ablation_stores, collapse, collapse_curves, figure_7, figure_8, sensitivity, table_3
from safe_pit_cm.safe.ending import ENDINGS
from safe_pit_cm.studies.step_ablations import SUBSTEPPINGS

ROOT = Path(__file__).parents[2]
PUBLISHED: dict[str, Any] = yaml.safe_load((ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8"))
# No further test sets.
FURTHER = pd.DataFrame(
    columns=["dataset", "parent", "process", "propagation", "replicate", "substeps", "true", "recovered"]
)
TRUE = {"008": 0.2, "009": 0.6}
COUNTS, STEPS = [1, 50], [1, 4]
# Recovered over true |α|, by what was varied: the first entry is the rougher.
RATIOS = {"diffusion": (0.5, 1.0), "mobility": (2.0, 1.1)}
STABLE = (0.5, 1.0)


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


def ratios(process: Process, propagation: str) -> tuple[float, float]:
    return STABLE if propagation == "stable" else RATIOS[process]


def dataset(process: Process, parent: str, kind: str) -> xr.Dataset:
    """Ablation of one video, with Adam at the minimum, and one divergence of signed mobility with few frames."""
    own = propagations_of(process)
    true = TRUE[parent] * (1 if process == "mobility" else -1)
    alpha = true * np.array([ratios(process, propagation) for propagation in own]).T
    flags = {"flag_values": [0, 1], "flag_meanings": "signed stable"}
    coords: dict[str, Any] = {"propagation": ("propagation", [PROPAGATIONS.index(one) for one in own], flags)}
    axes: tuple[str, ...] = ("substeps", "propagation")
    if kind == "substeps":
        coords["substeps"] = COUNTS
    else:
        axes = ("frame_step", "substepping", "propagation")
        # The more frames, the better.
        alpha = np.stack([alpha[::-1]] * 2, axis=1)
        coords |= {
            "frame_step": STEPS,
            "frames": ("frame_step", [9, 3]),
            "substepping": ("substepping", [0, 1], {"flag_values": [0, 1], "flag_meanings": " ".join(SUBSTEPPINGS)}),
        }
    found, loss = alpha.copy(), np.ones_like(alpha)
    if kind == "frame_step" and process == "mobility" and parent == "009":
        found[1, 0, 0], loss[1, 0, 0] = np.nan, np.inf
    variables = {"alpha": found, "alpha_minimum": alpha, "alpha_first_order": alpha, "loss": loss, "loss_minimum": loss}
    meanings = {"flag_meanings": " ".join(ENDINGS)}
    ended = {
        "ending": (axes, np.where(np.isnan(found), ENDINGS.index("diverged"), 0), meanings),
        "ending_minimum": (axes, np.zeros_like(found, dtype=np.int8), meanings),
    }
    return xr.Dataset(
        {name: (axes, values) for name, values in variables.items()} | ended,
        coords=coords,
        attrs={
            "seed": 7,
            "parent": parent,
            "process": process,
            "transport_coefficient": true,
            "diffusivity": abs(true),
            "frame_interval": 0.25,
            "grid_spacing": 0.5,
            **provenance.record("0" * 16, {}),
        },
    )


def collected(folder: Path, kind: Any) -> pd.DataFrame:
    paths = []
    for process in ("mobility", "diffusion"):
        for parent in TRUE:
            paths.append(folder / process / f"{parent}.zarr")
            stores.write(dataset(process, parent, kind), paths[-1], kind)
    return ablation_stores.collect(paths, kind)


@pytest.fixture(scope="module")
def substeps(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return collected(tmp_path_factory.mktemp("substeps"), "substeps")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return collected(tmp_path_factory.mktemp("frames"), "frame_step")


@pytest.fixture(scope="module")
def rows(substeps: pd.DataFrame) -> pd.DataFrame:
    return table_3.rows_of(substeps, FURTHER, 0.7, PUBLISHED["table_3"])


def test_every_video_has_both_propagations_at_every_point(substeps: pd.DataFrame, frames: pd.DataFrame) -> None:
    assert len(substeps) == 2 * 2 * 2 * len(COUNTS)
    assert len(frames) == 2 * 2 * 2 * len(STEPS) * len(SUBSTEPPINGS)
    one: Any = substeps.set_index(["process", "parent", "propagation", "substeps"])["alpha"]
    assert one["mobility", "009", "signed", 1] == pytest.approx(1.2)
    assert one["mobility", "009", "stable", 1] == pytest.approx(0.3)
    assert one["diffusion", "008", "stable", 1] == one["diffusion", "008", "signed", 1] == pytest.approx(-0.1)


def test_table_3_has_the_columns_that_were_agreed_and_the_papers_stability(rows: pd.DataFrame) -> None:
    assert list(rows.columns[:7]) == [
        "substeps",
        "substep_size",
        "stability_number",
        "alpha_stable",
        "stable",
        "mae",
        "r2",
    ]
    # As published, by arithmetic.
    assert rows["substep_size"].tolist() == [0.25, 0.005]
    assert rows["stability_number"].round(2).tolist() == [5.6, 0.11]
    assert rows["alpha_stable"].round(2).tolist() == [0.25, 12.5]
    assert rows["stable"].tolist() == [False, True]


def test_table_3_scores_are_those_worked_out_by_hand(rows: pd.DataFrame) -> None:
    first, last = rows.to_dict("records")
    # Halved |α| misses by 0.1 and 0.3, doubled by 0.2 and 0.6.
    assert first["mae_diffusion"] == first["mae_mobility_stable"] == pytest.approx(0.2)
    assert first["mae_mobility_signed"] == pytest.approx(0.4)
    assert first["mae"] == first["mae_all_signed"] == first["mae_all_signed_minimum"] == pytest.approx(0.3)
    assert first["r2_diffusion"] == pytest.approx(1 - 0.1 / 0.08)
    assert last["mae"] == pytest.approx(0.02)
    assert first["mae_low_all_signed"] <= first["mae"] <= first["mae_high_all_signed"]
    assert rows["published_mae"].tolist() == [0.4192, 0.0117]


def test_table_3_says_what_it_shows(rows: pd.DataFrame) -> None:
    table = table_3.build(rows)
    assert "MAE goes from 0.3000 at S = 1 to 0.0200 at S = 50 (published 0.4192 and 0.0117)" in table.finding
    assert "by a factor of 10.00 from S = 1 to 50" in table.finding
    assert table.display.iloc[0]["published R²"] == "–"
    assert table.to_latex().isascii()


def test_figure_7_draws_every_series_the_published_points_and_what_leaves_it(rows: pd.DataFrame) -> None:
    errors, fits = figure_7.draw(rows).axes
    drawn = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in errors.lines}
    assert drawn["mobility, signed"] == pytest.approx([0.4, 0.04])
    assert drawn["all videos, published"].tolist() == [0.4192, 0.0117]
    # R² of signed mobility at S = 1 is 1 − 0.4/0.08.
    assert "↓ -4.0" in [text.get_text() for text in fits.texts]


def test_fits_that_diverged_are_counted_and_not_scored(frames: pd.DataFrame) -> None:
    scores: Any = ablation_stores.frame_step_scores(frames).set_index(["frame_step", "substepping", "group"])
    few = scores.loc[(4, "size", "mobility_signed")]
    assert (few["n"], few["failed"]) == (1, 1)
    # Of the other video, and of both at their minima.
    assert few["mae"] == pytest.approx(0.2)
    assert few["mae_minimum"] == pytest.approx(0.4)
    assert (scores["failed"] > 0).sum() == 2
    texts = [text.get_text() for text in figure_8.draw(frames).axes[0].texts]
    assert any("1 of 2 with 3 frames" in text for text in texts)


@pytest.fixture
def learned(substeps: pd.DataFrame, tmp_path: Path) -> pd.DataFrame:
    outcome = substeps[(substeps["substeps"] == 1) & (substeps["propagation"] == "signed")]
    outcome = outcome.assign(recovered=0.05 * np.sign(outcome["true"]))[["parent", "process", "true", "recovered"]]
    outcome.assign(split="test").to_csv(tmp_path / "outcome.csv", index=False)
    return collapse.learned(substeps, {"signed": tmp_path / "outcome.csv", "stable": tmp_path / "outcome.csv"})


def test_the_table_of_the_collapse_compares_with_truth_bound_and_minimum(learned: pd.DataFrame) -> None:
    table = collapse.build(learned, 0.25, 1)
    of: Any = table.data.set_index(["process", "estimator"])
    adam = of.loc[("mobility, signed", collapse.ZERO_SHOT)]
    assert (adam["ratio_median"], adam["ratio_below_bound"]) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (adam["above_bound"], adam["n"], adam["n_below_bound"]) == (2, 2, 1)
    assert adam["distance_to_minimum"] == 0
    # |0.1 − 0.2| and |0.3 − 0.25|.
    assert of.loc[("diffusion", collapse.ZERO_SHOT)]["distance_to_bound"] == pytest.approx(0.075)
    trained = of.loc[("diffusion", collapse.TRAINED)]
    assert trained["ratio_min"] == pytest.approx(0.05 / 0.6)
    assert "0.50 times the true |α| of diffusion" in table.finding
    assert "is seen in part: the smallest ratio learned, by zero-shot or training, is 0.08" in table.finding
    assert "truncation error therefore explains" in table.finding


def test_the_finding_on_the_collapse_follows_the_numbers(learned: pd.DataFrame) -> None:
    # An estimator that stops at the bound, wherever the minimum is.
    capped = np.sign(learned["true"]) * learned["true"].abs().clip(upper=0.25)
    stopped = learned.assign(recovered=learned["recovered"].where(learned["estimator"] != collapse.ZERO_SHOT, capped))
    finding = collapse.build(stopped, 0.25, 1).finding
    assert "truncation error explains" not in finding


def test_the_curves_of_the_collapse_have_a_panel_per_process_and_propagation(learned: pd.DataFrame) -> None:
    grid = learned[learned["estimator"] == collapse.MINIMUM].assign(first_order=lambda table: table["recovered"])
    figure = collapse_curves.draw(learned, grid, 0.25, 1)
    assert [axes.get_title() for axes in figure.axes] == [f"{name}, S = 1" for name, _, _ in collapse.GROUPS]
    for axes in figure.axes:
        drawn = {str(line.get_label()): line for line in axes.lines}
        assert len(np.asarray(drawn["trained, test videos"].get_xdata())) == 2
        assert np.asarray(drawn["von Neumann bound"].get_ydata()).tolist() == [0.25, 0.25]


def test_the_table_of_sensitivity_has_a_row_a_choice_beside_the_published_numbers(
    substeps: pd.DataFrame, tmp_path: Path
) -> None:
    one = substeps.rename(columns={"alpha_minimum": "recovered"})
    one["ending"] = one["ending_minimum"]
    one = one[(one["process"] == "mobility") | (one["propagation"] == "signed")]
    kept = ["parent", "process", "propagation", "substeps", "true", "recovered", "ending"]
    one[kept].to_csv(tmp_path / "configured.csv", index=False)
    one.assign(recovered=one["true"] * 1.01)[kept].to_csv(tmp_path / "other.csv", index=False)
    table = sensitivity.build(
        {"configured": tmp_path / "configured.csv", "roughness_0.0": tmp_path / "other.csv"},
        {"configured": {}, "roughness_0.0": {"microstructure": {"roughness": 0.0}}},
        50,
        PUBLISHED,
    )
    assert table.data["choice"].tolist() == ["configured", "roughness = 0.0"]
    assert table.data["n"].tolist() == [4, 4]
    assert table.data["mae_50"].tolist() == pytest.approx([0.02, 0.004])
    assert table.display.iloc[-1]["MAE, S = 1"] == "0.4192"
    assert table.display.iloc[-1]["R², mobility, signed"] == "0.9674"
    assert "lies between 0.0040 (roughness = 0.0) and 0.0200 (configured)" in table.finding
    assert "for not all of them" in table.finding
