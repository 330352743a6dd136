"""The numbers missing from the text, inferred from Tables 3 and 4: likelihood, posterior, table and figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from safe_pit_cm import settings
from safe_pit_cm.numerics import metrics
from safe_pit_cm.paper import choice_scans, lost_choices_map, published_numbers
from safe_pit_cm.paper import lost_choices as table
from safe_pit_cm.studies import lost_choices, readings
from safe_pit_cm.studies.initial_spectra import DIRECTIONS
from safe_pit_cm.studies.published_statistics import (
    Comparison,
    RandomSets,
    Statistic,
    published_statistics,
    published_test_parents,
)
from safe_pit_cm.studies.readings import Reading

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
PUBLISHED: dict[str, Any] = yaml.safe_load((ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8"))
FEW = {"correlation_lengths": [1], "sizes": [32]}
TABLES = {name: PUBLISHED[name] for name in ("table_3", "table_4")}


def small(reading: Reading, published: list[Statistic], **changes: Any) -> pd.DataFrame:
    """A scan of the configuration with few parents and points, and other values."""
    own = settings.lost_choices(CONFIG, readings.CONFIGURED)
    del own["reading"]
    few: dict[str, Any] = {"parents": 10, "test_sets": 300, "interface_width": [1.0], "roughness": [3.5]}
    few |= {"magnitude_min": [0.1], "magnitude_nodes": 6, "test_parents": 10}
    return lost_choices.scan(reading, published, **{**own, **few, **changes})


@pytest.fixture(scope="module")
def published() -> list[Statistic]:
    return published_statistics(**TABLES)


def test_the_published_numbers_are_those_of_tables_3_and_4(published: list[Statistic]) -> None:
    assert [one.value for one in published if one.name.startswith("mae")] == [
        0.4192, 0.2202, 0.0869, 0.0454, 0.0202, 0.0117,
    ]  # fmt: skip
    unexplained = {one.name: round(1 - one.value, 4) for one in published if one.name.startswith("unexplained")}
    assert unexplained == {
        "unexplained_2": 0.63,
        "unexplained_5": 0.94,
        "unexplained_10": 0.98,
        "unexplained_50": 0.9982,
        "unexplained_mobility": 0.9674,
    }
    held_out = {one.name for one in published if one.held_out}
    assert held_out == {"mae_1", "mae_2", "unexplained_2", "unexplained_mobility"}
    assert published_test_parents(PUBLISHED["table_4"]) == 10


def test_statistics_of_a_test_set_are_its_errors() -> None:
    nodes, random = np.array([0.1, 0.4, 0.7]), np.random.default_rng(0)
    # Found over true |α| is linear: interpolation is exact.
    slopes = random.uniform(-0.2, 0.3, (2, 4))
    recoveries = {
        (5, direction): nodes * (1.0 + slope[:, None] * nodes)
        for direction, slope in zip(DIRECTIONS, slopes, strict=True)
    }
    sets = RandomSets.draw(1, 3, 10, 4)
    true = sets.magnitudes(0.15, 0.7)
    assert true.min() >= 0.15
    assert true.max() <= 0.7
    wanted = [Statistic(name, 5, 1.0, 0.0, False) for name in ("mae_5", "unexplained_5", "unexplained_mobility")]
    found = np.exp(sets.statistics(recoveries, nodes, true, "signed", wanted))
    for own, magnitude, parents in zip(found, true, sets.parents, strict=True):
        diffusion, mobility = (magnitude * (1.0 + slope[parents] * magnitude) for slope in slopes)
        recovered, signed = np.concatenate([-diffusion, mobility]), np.concatenate([-magnitude, magnitude])
        assert own == pytest.approx(
            [
                metrics.mean_absolute_error(recovered, signed),
                1.0 - metrics.r_squared(recovered, signed),
                1.0 - metrics.r_squared(mobility, magnitude),
            ]
        )
    stable = np.exp(sets.statistics(recoveries, nodes, true, "stable", wanted[:1]))[:, 0]
    errors = true * np.abs(slopes[0][sets.parents] * true)
    assert stable == pytest.approx(errors.mean(axis=1))


def test_the_likelihood_is_normal_and_predictions_are_conditional() -> None:
    random = np.random.default_rng(2)
    mixing = np.array([[0.2, 0.0, 0.0], [0.15, 0.1, 0.0], [0.1, 0.05, 0.05]])
    drawn = random.normal(size=(200_000, 3)) @ mixing.T + np.log([0.4, 0.2, 0.1])
    wanted = [
        Statistic(f"mae_{count}", count, value, 5e-5, count < 5) for count, value in ((1, 0.5), (5, 0.22), (10, 0.1))
    ]
    comparison = Comparison.of(drawn, wanted, 0.01)
    covariance = mixing @ mixing.T + np.diag(0.01**2 + (5e-5 / np.array([0.5, 0.22, 0.1])) ** 2 / 3)
    distance = np.log([0.5 / 0.4, 0.22 / 0.2, 1.0])
    expected = -0.5 * (distance @ np.linalg.inv(covariance) @ distance + np.log(np.linalg.det(2 * np.pi * covariance)))
    assert comparison.log_likelihood(np.ones(3, dtype=bool)) == pytest.approx(expected, abs=0.1)
    held_out = np.array([True, False, False])
    mean, scatter = comparison.predict(held_out)
    inverse = np.linalg.inv(covariance)
    assert scatter[0] == pytest.approx(inverse[0, 0] ** -0.5, rel=0.02)
    assert mean[0] == pytest.approx(np.log(0.4) - inverse[0, 1:] @ distance[1:] / inverse[0, 0], abs=0.005)


def test_roughness_has_the_distribution_of_its_reading() -> None:
    grains = {"grains_min": 3, "grains_max": 5}

    def patterns(reading: Reading) -> Any:
        return lost_choices.Parents.draw(1, 20, 32, 0.5, grains, reading).patterns

    uniform, gaussian = patterns(Reading("")), patterns(Reading("", noise="gaussian"))
    smooth = patterns(Reading("", noise="gaussian", correlation_length=2.0))
    assert np.abs(uniform).max() <= 1
    assert uniform.std() == pytest.approx(3**-0.5, rel=0.02)
    assert gaussian.std() == pytest.approx(1.0, rel=0.02)
    assert smooth.std() == pytest.approx(1.0, rel=0.05)
    for pattern, correlation in ((gaussian, 0.0), (smooth, np.exp(-1 / 16))):
        neighbours = (pattern * np.roll(pattern, 1, axis=-1)).mean() / np.square(pattern).mean()
        assert neighbours == pytest.approx(correlation, abs=0.05)


def test_unclipped_fields_reach_below_zero_and_regions_follow_the_grains() -> None:
    drawn = lost_choices.Parents.draw(1, 2, 32, 0.5, {"grains_min": 3, "grains_max": 5}, Reading(""))
    assert drawn.fields(0.5, 3.0, clipped=False).min() < -0.9
    clipped = drawn.fields(0.5, 0.3, clipped=True)
    assert clipped.min() == 0
    regions = drawn.regions(clipped)
    assert regions["interior_median"] > 0.99 > 0.6 > regions["boundary_mean"]


def test_the_former_choice_is_rejected_and_the_configured_roughness_is_at_the_maximum(
    published: list[Statistic],
) -> None:
    micro = CONFIG["microstructure"]
    around = sorted({*CONFIG["lost_choices"]["roughness"], micro["roughness"]})
    place = around.index(micro["roughness"])
    own = small(
        Reading(""),
        published,
        parents=30,
        interface_width=[micro["interface_width"]],
        roughness=around[place - 2 : place + 3],
        magnitude_min=[CONFIG["transport"]["magnitude_min"]],
    )
    likelihood = own.set_index("roughness")["log_likelihood"]
    # The neighbours are as likely, but for the scatter of so few parents; farther ones are not.
    assert likelihood[micro["roughness"]] > likelihood.max() - 1
    assert likelihood.iloc[0] < likelihood.max() - 3
    assert own["interior_median"].min() > 0.95
    former = small(Reading(""), published, interface_width=[0.5], roughness=[0.3])
    assert former["log_likelihood"].item() < likelihood.max() - 100
    # Its ratio of the errors with the fewest and the most sub-steps is wrong, whatever the test set.
    ratio = former["mae_1"] / former["mae_50"] / (0.4192 / 0.0117)
    assert ratio.item() < 0.9


def test_numbers_that_are_held_out_come_out_of_the_others(published: list[Statistic]) -> None:
    (row,) = small(Reading(""), published, parents=30).to_dict("records")
    for one in (one for one in published if one.held_out):
        deviation = np.log(one.value / row[f"predicted_{one.name}"]) / row[f"predicted_{one.name}_scatter"]
        assert abs(deviation) < 3, one.name
    # The prediction is much narrower than the scatter between test sets.
    assert row["predicted_mae_1_scatter"] < 0.2 * row["mae_1_scatter"]


@pytest.fixture(scope="module")
def scans(published: list[Statistic]) -> pd.DataFrame:
    """Scans of all readings with few points, as the workflow reads them."""
    few = {
        "parents": 4,
        "test_sets": 60,
        "interface_width": [0.5, 1.0, 2.0],
        "roughness": [0.3, 2.0, 3.5],
        "magnitude_nodes": 4,
    }
    tables = []
    for name, reading in readings.readings(FEW).items():
        rows = small(reading, published, **{**few, "magnitude_min": [0.05, 0.1, 0.2]})
        tables.append((name, rows))
    return pd.concat([rows.assign(name=name) for name, rows in tables], ignore_index=True)


@pytest.fixture
def items(scans: pd.DataFrame, tmp_path: Path) -> tuple[list[Path], dict[str, Any]]:
    """Files of the scans, and the settings of the items."""
    paths = []
    for name, rows in scans.groupby("name", sort=False):
        paths.append(tmp_path / f"{name}.csv")
        rows.drop(columns="name").to_csv(paths[-1], index=False)
    own = settings.lost_choices_items(CONFIG)
    compared = readings.readings(FEW)
    labels = {name: reading.label for name, reading in compared.items()}
    return paths, {**own, "readings": labels, "sizes": {name: one.size or 64 for name, one in compared.items()}}


def test_the_posterior_adds_up_and_favours_white_roughness(items: tuple[list[Path], dict[str, Any]]) -> None:
    paths, own = items
    collected = choice_scans.collect(paths, own["readings"])
    assert collected["posterior"].sum() == pytest.approx(1.0)
    assert collected.groupby("reading")["prior"].sum().to_numpy() == pytest.approx(np.ones(len(paths)))
    shares = collected.groupby("reading")["posterior"].sum()
    assert shares["stable"] < 1e-6
    assert shares["correlated_1"] < 1e-6
    assert shares["uniform"] > 0.01


def test_a_configured_reading_far_less_likely_than_another_is_described_all_the_same(
    items: tuple[list[Path], dict[str, Any]], published: list[Statistic], tmp_path: Path
) -> None:
    paths, own = items
    usual = pd.read_csv(paths[0])
    worse = usual.assign(**{name: usual[name] - 5000 for name in ("log_likelihood", "log_likelihood_fitted")})
    worse.to_csv(tmp_path / "worse.csv", index=False)
    assert next(iter(own["readings"])) == readings.CONFIGURED
    likely, unlikely = (
        choice_scans.collect([first, *paths[1:]], own["readings"]) for first in (paths[0], tmp_path / "worse.csv")
    )
    assert unlikely.loc[unlikely["reading"] == readings.CONFIGURED, "posterior"].max() == 0
    before, after = (published_numbers.build(scans, own, published).data for scans in (likely, unlikely))
    pd.testing.assert_frame_equal(before, after)
    smallest = [
        table.build(scans, own).finding.partition("The smallest")[2].partition(". ")[0] for scans in (likely, unlikely)
    ]
    assert smallest[0] == smallest[1] != ""
    figure = lost_choices_map.draw(unlikely, own, published, settings.example_initial_condition(CONFIG))
    assert all(np.isfinite(line.get_ydata()).all() for axes in figure.axes for line in axes.lines)


def test_the_table_of_lost_choices_has_a_row_a_choice(items: tuple[list[Path], dict[str, Any]]) -> None:
    paths, own = items
    made = table.build(choice_scans.collect(paths, own["readings"]), own)
    rows = made.data.set_index("choice")
    likelihood = rows["log_likelihood"].to_dict()
    assert rows["kind"].value_counts().to_dict() == {"configured": 1, "alternative": 2, "width": 3, "reading": 6}
    assert max(likelihood.values()) == 0
    assert likelihood["w = 0.5, η = 0.3"] < -50
    assert likelihood["configured values"] > -5
    assert "mobility stable" in made.finding
    assert "correlated over 1 pixel" in made.finding


def test_the_table_of_published_numbers_predicts_those_held_out(
    items: tuple[list[Path], dict[str, Any]], published: list[Statistic]
) -> None:
    paths, own = items
    made = published_numbers.build(choice_scans.collect(paths, own["readings"]), own, published)
    assert made.data["statistic"].tolist() == [one.name for one in published]
    predicted = made.data.set_index("statistic")["predicted"]
    assert predicted.notna().sum() == 4
    rows = made.data.set_index("statistic").loc[predicted.dropna().index]
    assert (rows["predicted_low"] < rows["predicted"]).all()
    assert (rows["predicted"] < rows["predicted_high"]).all()
    assert predicted["mae_1"] == pytest.approx(0.4192, rel=0.1)
    assert "Predicted from the numbers at S ≥ 5 alone" in made.finding


def test_the_figure_shows_map_errors_and_fields(
    items: tuple[list[Path], dict[str, Any]], published: list[Statistic]
) -> None:
    paths, own = items
    scans = choice_scans.collect(paths, own["readings"])
    start = settings.example_initial_condition(CONFIG)
    figure = lost_choices_map.draw(scans, own, published, start)
    titles = {axes.get_title() for part in figure.subfigs for axes in part.axes}
    assert "configured: w = 1, η = 3.5" in titles
    assert "alternative: w = 0.5, η = 0.3" in titles
    assert any(title.startswith("N = 64: w = 1, ") for title in titles)
    assert {"(b) Table 3", "(c) smallest |α|"} < titles


def test_settings_add_the_configured_values_to_the_grid_and_leave_out_what_has_no_range() -> None:
    config = {**CONFIG, "microstructure": {**CONFIG["microstructure"], "interface_width": 1.3, "roughness": 3.3}}
    own = settings.lost_choices(config, "gaussian")
    assert {1.3, 0.5, 2.0} < {*own["interface_width"]}
    assert {3.3, 0.3} < {*own["roughness"]}
    assert own["interface_width"] == sorted(own["interface_width"])
    single = {**CONFIG, "transport": {"magnitude_min": 0.7, "magnitude_max": 0.7}}
    assert 0.7 not in settings.lost_choices(single, "gaussian")["magnitude_min"]
