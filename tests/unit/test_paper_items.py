"""Tables and figures: numbers, formats and bytes."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_pit_cm import config, plot_style
from safe_pit_cm.data import provenance, stores
from safe_pit_cm.errors import UserError
from safe_pit_cm.paper import figure_3, parameters, published, recovery, table_1, table_2, table_4
from safe_pit_cm.paper.tables import Table, error, number

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
VALUES, PARAMETERS = config.flatten(CONFIG), config.parameters(SCHEMA)
PUBLISHED: dict[str, Any] = yaml.safe_load((ROOT / "workflow/resources/published.yaml").read_text(encoding="utf-8"))[
    "table_4"
]
STYLE = ROOT / "src/safe_pit_cm/pages/style.css"


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


# Numbers and tables


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.99817, 4, "0.9982"), (1.0, 4, "1.0000"), (-0.25, 1, "-0.2"), (3.0, 0, "3"), (None, 4, "–"), (np.nan, 2, "–")],
)
def test_a_number_has_fixed_decimals_and_a_missing_one_is_a_dash(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01174, "0.0117"),
        (0.4192, "0.4192"),
        (0.001, "0.0010"),
        (0.00099, "9.9e-04"),
        (3.14e-7, "3.1e-07"),
        (0.0, "0"),
        (None, "–"),
        (np.nan, "–"),
    ],
)
def test_an_error_never_looks_like_zero_and_a_missing_one_is_a_dash(value: float | None, text: str) -> None:
    assert error(value) == text


@pytest.fixture
def table() -> Table:
    data = pd.DataFrame(
        {"name": ["a, b", "x_1"], "alpha": [1 / 3, 2.5e-17], "count": [1, 2], "r2": [np.nan, 0.1 + 0.2]}
    )
    display = pd.DataFrame(
        {
            "name": ["a <b> & c", "50 % of x_1"],
            "MAE(α)": ["0.3000", "2.5e-17"],
            "R²": ["–", "0.30"],
            "Δτ ≤ λ": ["×", "±"],
        }
    )
    return Table(data=data, display=display, finding="α < 1 & R² > 0")


def test_csv_has_full_precision_and_nothing_where_there_is_no_value(table: Table) -> None:
    text = table.to_csv()
    assert "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ["a, b", "x_1"]
    assert [float(row["alpha"]) for row in rows] == [1 / 3, 2.5e-17]
    assert [row["count"] for row in rows] == ["1", "2"]
    assert rows[0]["r2"] == ""
    assert float(rows[1]["r2"]) == 0.1 + 0.2


@settings(deadline=None, derandomize=True, max_examples=50)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_every_number_survives_the_csv(values: list[float]) -> None:
    data = pd.DataFrame({"value": values})
    assert [float(line) for line in Table(data=data, display=data).to_csv().splitlines()[1:]] == values


def test_markdown_shows_cells_as_they_are_and_the_finding_below(table: Table) -> None:
    lines = table.to_markdown().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["name", "MAE(α)", "R²", "Δτ ≤ λ"]
    # Not read as numbers and formatted again.
    assert cells[2:] == [["a <b> & c", "0.3000", "–", "×"], ["50 % of x_1", "2.5e-17", "0.30", "±"]]
    assert lines[-2:] == ["", "α < 1 & R² > 0"]


def test_latex_has_booktabs_rules_and_nothing_that_latex_cannot_read(table: Table) -> None:
    text = table.to_latex()
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}", r"\end{tabular}"):
        assert text.count(rule) == 1
    assert text.isascii()
    assert r"\alpha" in text
    assert r"50 \% of x\_1" in text
    assert r"a \ensuremath{<}b\ensuremath{>} \& c" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [3, 3, 3]


def test_html_escapes_cells_and_the_finding(table: Table) -> None:
    text = table.to_html()
    assert "<td>a &lt;b&gt; &amp; c</td>" in text
    assert '<p class="finding">α &lt; 1 &amp; R² &gt; 0</p>' in text
    assert "<b>" not in text


def test_html_breaks_no_interval_over_two_lines() -> None:
    cells = ["0.0091 (0.0050 to 0.0127)", "-4.5 to -0.3", "1.2e-06 (6.4e-07 to 1.6e-06)", "from one to another"]
    text = Table(data=pd.DataFrame(), display=pd.DataFrame({"MAE": cells})).to_html()
    assert text.count('<span class="whole">') == 3
    assert '<span class="whole">32 × 32</span>' in Table(pd.DataFrame(), pd.DataFrame({"crop": ["32 × 32"]})).to_html()
    for interval in ("(0.0050 to 0.0127)", "-4.5 to -0.3", "(6.4e-07 to 1.6e-06)"):
        assert f'<span class="whole">{interval}</span>' in text
    assert ".number, .whole { white-space: nowrap; }" in STYLE.read_text(encoding="utf-8")


def test_html_shows_long_cells_whole_and_every_row() -> None:
    cells = [f"{row} " + "long " * 60 + "end" for row in range(200)]
    text = Table(data=pd.DataFrame(), display=pd.DataFrame({"meaning": cells})).to_html()
    for cell in cells:
        assert f"<td>{cell}</td>" in text


def test_a_table_without_a_finding_is_the_table_alone(table: Table) -> None:
    bare = Table(data=table.data, display=table.display)
    assert "<p" not in bare.to_html()
    assert set(table.to_html().splitlines()) - set(bare.to_html().splitlines()) == {
        '<p class="finding">α &lt; 1 &amp; R² &gt; 0</p>'
    }
    assert table.to_markdown() == f"{bare.to_markdown()}\n{table.finding}\n"


def test_a_table_is_written_in_every_format(tmp_path: Path, table: Table) -> None:
    table.write(**{form: tmp_path / f"table.{form}" for form in ("csv", "md", "tex", "html")})
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "table.csv": table.to_csv(),
        "table.md": table.to_markdown(),
        "table.tex": table.to_latex(),
        "table.html": table.to_html(),
    }


# What the paper publishes


def test_the_published_numbers_are_those_of_the_papers_table_4() -> None:
    rows = PUBLISHED["rows"]
    assert {(row["setting"], row["process"]): (row["mae"], row["r2"], row["n"]) for row in rows} == {
        ("trained", "all"): (0.0749, 0.9245, 20),
        ("trained", "diffusion"): (None, 0.9831, 10),
        ("trained", "mobility"): (None, None, 10),
        ("zero-shot", "all"): (0.0117, 0.9982, 20),
        ("zero-shot", "diffusion"): (None, 1.0, 10),
        ("zero-shot", "mobility"): (None, 0.9674, 10),
    }


def test_a_published_row_is_found_by_setting_and_process() -> None:
    values = PUBLISHED
    assert published.recovery(values, "trained", "diffusion")["r2"] == 0.9831
    assert published.recovery(values, "zero-shot", "all")["mae"] == 0.0117


# Recovery from fit stores

# True α, and α recovered with either propagation.
FITS = {
    ("diffusion", "008"): (-0.2, -0.2, None),
    ("diffusion", "009"): (-0.6, -0.58, None),
    ("mobility", "008"): (0.2, 0.21, 0.2),
    ("mobility", "009"): (0.6, 0.65, 0.601),
}


def fit(process: str, parent: str, propagation: str, true: float, recovered: float) -> xr.Dataset:
    return xr.Dataset(
        {
            # The steps on the way are not the result.
            "alpha": ("step", np.array([0.69, 0.5])),
            "loss": ("step", np.array([2.0, 1.0])),
            "residual": ("time", np.array([0.1])),
        },
        attrs={
            "seed": 7,
            "parent": parent,
            "process": process,
            "propagation": propagation,
            "transport_coefficient": true,
            "diffusivity": abs(true),
            "alpha": recovered,
            "ending": "converged",
            **provenance.record("0" * 16, {}),
        },
    )


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Fit stores of two parents, both processes, in no order."""
    folder = tmp_path_factory.mktemp("fits")
    paths = []
    for (process, parent), (true, signed, stable) in FITS.items():
        paths.append(folder / process / f"{parent}.zarr")
        groups = {} if stable is None else {"stable": fit(process, parent, "stable", true, stable)}
        stores.write(fit(process, parent, "signed", true, signed), paths[-1], "fit", groups=groups)
    return [paths[2], paths[1], paths[3], paths[0]]


@pytest.fixture(scope="module")
def recoveries(fits: list[Path]) -> pd.DataFrame:
    return recovery.collect(fits)


@pytest.fixture(scope="module")
def scores(recoveries: pd.DataFrame) -> pd.DataFrame:
    return recovery.score(recoveries, "zero-shot", PUBLISHED)


def test_every_video_is_collected_in_both_propagations_and_a_diffusion_fit_holds_for_both(
    recoveries: pd.DataFrame,
) -> None:
    assert recoveries.to_dict("list") == {
        "dataset": [7] * 8,
        "parent": ["008", "008", "009", "009", "008", "008", "009", "009"],
        "process": ["diffusion"] * 4 + ["mobility"] * 4,
        "propagation": ["signed", "stable"] * 4,
        "replicate": [0] * 8,
        "true": [-0.2, -0.2, -0.6, -0.6, 0.2, 0.2, 0.6, 0.6],
        "recovered": [-0.2, -0.2, -0.58, -0.58, 0.21, 0.2, 0.65, 0.601],
        "ending": ["converged"] * 8,
    }


def test_the_order_of_the_stores_does_not_matter(fits: list[Path], recoveries: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(recovery.collect([str(path) for path in reversed(fits)]), recoveries)


def test_a_mobility_fit_without_its_stable_reading_is_named(tmp_path: Path) -> None:
    path = tmp_path / "008.zarr"
    stores.write(fit("mobility", "008", "signed", 0.2, 0.21), path, "fit")
    with pytest.raises(UserError, match="group stable is missing") as caught:
        recovery.collect([path])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("process", "propagation", "parents"),
    [("all", "signed", ["008", "009", "008", "009"]), ("mobility", "stable", ["008", "009"])],
)
def test_rows_are_selected_by_process_and_propagation(
    recoveries: pd.DataFrame, process: str, propagation: str, parents: list[str]
) -> None:
    rows = recovery.select(recoveries, process, propagation)
    assert list(rows["parent"]) == parents
    assert set(rows["propagation"]) == {propagation}
    assert set(rows["process"]) == ({"diffusion", "mobility"} if process == "all" else {process})


def test_scores_are_those_worked_out_by_hand(scores: pd.DataFrame) -> None:
    rows = scores.set_index(["propagation", "process"])
    assert list(scores["setting"]) == ["zero-shot"] * 6
    expected = {
        # (0 + 0.02 + 0.01 + 0.05)/4; the true values scatter by 0.8 about 0, by 0.08 about ±0.4.
        ("signed", "all"): (0.02, 1 - 0.003 / 0.8, 4),
        ("signed", "diffusion"): (0.01, 1 - 0.0004 / 0.08, 2),
        ("signed", "mobility"): (0.03, 1 - 0.0026 / 0.08, 2),
        ("stable", "all"): (0.00525, 1 - 0.000401 / 0.8, 4),
        ("stable", "diffusion"): (0.01, 1 - 0.0004 / 0.08, 2),
        ("stable", "mobility"): (0.0005, 1 - 0.000001 / 0.08, 2),
    }
    assert set(rows.index) == set(expected)
    for key, (mae, r2, n) in expected.items():
        assert rows.loc[key, "mae"] == pytest.approx(mae, rel=1e-9), key
        assert rows.loc[key, "r2"] == pytest.approx(r2, rel=1e-9), key
        assert rows.loc[key, "n"] == n, key


def test_published_values_stand_beside_the_signed_reading_alone(scores: pd.DataFrame) -> None:
    rows = scores.set_index(["propagation", "process"])
    assert rows.loc[("signed", "all"), "published_mae"] == 0.0117
    assert rows.loc[("signed", "all"), "published_r2"] == 0.9982
    assert rows.loc[("signed", "mobility"), "published_r2"] == 0.9674
    # Lost in the paper, or not published with this propagation.
    assert rows["published_mae"].isna()[("signed", "mobility")]
    assert rows.loc["stable"][["published_mae", "published_r2"]].isna().to_numpy().all()


# Table 4


def test_table_4_has_exactly_the_columns_and_rows_that_were_agreed(scores: pd.DataFrame) -> None:
    rows = list(csv.DictReader(io.StringIO(table_4.build(scores).to_csv())))
    assert list(rows[0])[:6] == ["setting", "process", "propagation", "mae", "r2", "n"]
    assert list(rows[0])[6:] == ["mae_low", "mae_high", "r2_low", "r2_high"]
    assert [(row["process"], row["propagation"]) for row in rows] == [
        (process, propagation) for propagation in ("signed", "stable") for process in ("all", "diffusion", "mobility")
    ]
    assert [float(row["mae"]) for row in rows] == list(scores["mae"])
    assert [row["n"] for row in rows] == ["4", "2", "2", "4", "2", "2"]


def test_further_fits_of_the_own_test_set_alone_have_no_minima(tmp_path: Path) -> None:
    path = tmp_path / "003.csv"
    path.write_text(
        "dataset,parent,process,propagation,replicate,true,recovered,ending,method\n"
        "1,003,diffusion,signed,1,-0.4,-0.5,converged,zero-shot\n",
        encoding="utf-8",
    )
    minima = recovery.collect_further([path], "minimum")
    assert minima.empty
    assert "substeps" in minima
    assert recovery.collect_further([path], "zero-shot")["recovered"].tolist() == [-0.5]


def test_table_4_shows_published_values_beside_measured_ones(scores: pd.DataFrame) -> None:
    display = table_4.build(scores).display
    assert list(display.columns) == [
        "setting",
        "process",
        "propagation",
        "MAE(α) (95 % interval)",
        "published MAE(α)",
        "R² (95 % interval)",
        "published R²",
        "videos",
        "not converged",
    ]
    # Two parents: a test set may hold either of them twice, with a mean error of 0.005 or 0.035.
    first = ["zero-shot", "all", "signed", "0.0200 (0.0050 to 0.0350)", "0.0117", "0.9982", "4", "–"]
    assert [cell for name, cell in display.iloc[0].items() if name != "R² (95 % interval)"] == first
    assert display["R² (95 % interval)"][0].startswith("0.9962 (0.9")
    last = ["zero-shot", "mobility", "stable", "5.0e-04 (0 to 0.0010)", "–", "–", "2", "–"]
    assert [cell for name, cell in display.iloc[5].items() if name != "R² (95 % interval)"] == last


def test_intervals_count_further_test_sets_and_fits(recoveries: pd.DataFrame) -> None:
    worse = recoveries.assign(dataset=8, recovered=recoveries["true"] + 0.5)
    alone = recovery.score(recoveries, "zero-shot", PUBLISHED)
    further = recovery.score(recoveries, "zero-shot", PUBLISHED, worse)
    assert list(further["mae"]) == list(alone["mae"])
    assert (further["mae_high"] > alone["mae_high"] + 0.3).all()
    assert (further["mae_low"] <= alone["mae_low"] + 0.02).all()


def test_table_4_says_what_it_shows_with_the_numbers_of_the_run(scores: pd.DataFrame) -> None:
    finding = table_4.build(scores).finding
    assert "MAE 0.0200 and R² 0.9962 over all 4 videos (published 0.0117 and 0.9982)" in finding
    assert "0.0300 with R² 0.9675 (published R² 0.9674)" in finding
    assert finding.endswith("stable direction, mobility is recovered to 5.0e-04.")


# Tables 1 and 2, and the table of parameters


def from_config(*names: str) -> dict[str, Any]:
    """Arguments of a table's builder, by the last part of the parameter's name."""
    return {name.split(".")[-1]: VALUES[name] for name in names}


@pytest.fixture
def first() -> Table:
    return table_1.build(
        **from_config(
            "grid.size",
            "grid.spacing",
            "time.step",
            "time.steps",
            "time.save_interval",
            "microstructure.grains_min",
            "microstructure.grains_max",
            "microstructure.interface_width",
            "microstructure.roughness",
            "transport.magnitude_min",
            "transport.magnitude_max",
            "dataset.parents",
            "dataset.validation_parents",
            "dataset.test_parents",
        ),
        parameters=PARAMETERS,
    )


@pytest.fixture
def second() -> Table:
    return table_2.build(
        **from_config("time.step", "time.save_interval", "safe_operator.substeps"), parameters=PARAMETERS
    )


def test_table_1_has_the_papers_numbers_and_says_where_they_come_from(first: Table) -> None:
    rows = {row["parameter"]: (row["value"], row["source"]) for row in first.data.to_dict("records")}
    assert rows == {
        "grid size": ("64 × 64", "chosen"),
        "grid spacing": ("0.5", "derived"),
        "time step": ("0.005", "derived"),
        "number of time steps": ("5000", "stated"),
        "save interval": ("50", "stated"),
        "saved frame interval": ("0.25", "derived"),
        "frames per simulation": ("101", "stated"),
        "number of grains": ("15–35", "stated"),
        "interface width": ("1", "inferred"),
        "boundary roughness": ("± 3.5", "inferred"),
        "smallest transport coefficient": ("0.1", "inferred"),
        "largest transport coefficient": ("0.7", "derived"),
        "diffusion videos (integrated)": ("50", "stated"),
        "mobility videos (time-reversed)": ("50", "stated"),
        "videos in all": ("100", "stated"),
        "training videos": ("72", "chosen"),
        "validation videos": ("8", "chosen"),
        "test videos": ("20", "stated"),
    }


def test_table_2_has_the_papers_three_time_scales(second: Table) -> None:
    rows = {row["symbol"]: (row["value"], row["source"]) for row in second.data.to_dict("records")}
    assert rows == {
        "Δt": ("0.005", "derived"),
        "k": ("50", "stated"),
        "Δt_f": ("0.25", "derived"),
        "S": ("50", "stated"),
        "Δτ": ("0.005", "derived"),
    }


def test_table_2_follows_the_numbers_that_it_is_given() -> None:
    table = table_2.build(step=0.01, save_interval=20, substeps=8, parameters=PARAMETERS)
    assert list(table.data["value"]) == ["0.01", "20", "0.2", "8", "0.025"]


@pytest.fixture
def all_parameters() -> Table:
    return parameters.build(VALUES, PARAMETERS)


def test_the_table_of_parameters_has_every_value_with_its_source_and_meaning(all_parameters: Table) -> None:
    rows = {row["parameter"]: row for row in all_parameters.data.to_dict("records")}
    assert {name: row["value"] for name, row in rows.items()} == VALUES
    for name, row in rows.items():
        assert row["source"] == PARAMETERS[name]["source"]
        assert row["meaning"] == PARAMETERS[name]["description"]


def test_the_table_of_parameters_leaves_whole_numbers_whole(all_parameters: Table) -> None:
    shown = dict(zip(all_parameters.display["parameter"], all_parameters.display["value"], strict=True))
    assert shown["time.steps"] == "5000"
    assert shown["seed"] == str(CONFIG["seed"])
    assert shown["time.step"] == "0.005"
    written = {row["parameter"]: row["value"] for row in csv.DictReader(io.StringIO(all_parameters.to_csv()))}
    assert written["time.steps"] == "5000"
    assert written["time.step"] == "0.005"


def test_the_table_of_parameters_counts_the_choices(all_parameters: Table) -> None:
    chosen = [name for name, entry in PARAMETERS.items() if entry["source"] == "chosen"]
    assert all_parameters.finding.startswith(f"{len(chosen)} of these {len(PARAMETERS)} parameters are choices")
    assert "3 more are missing from its text and inferred from its Tables 3 and 4" in all_parameters.finding


def test_the_table_of_parameters_shows_the_values_of_the_run() -> None:
    table = parameters.build(VALUES | {"grid.size": 32, "transport.magnitude_max": 0.25}, PARAMETERS)
    shown = dict(zip(table.display["parameter"], table.display["value"], strict=True))
    assert (shown["grid.size"], shown["transport.magnitude_max"]) == ("32", "0.25")


@pytest.mark.parametrize("name", ["first", "second", "all_parameters"])
def test_every_table_of_the_config_can_be_read_in_latex_and_html(name: str, request: pytest.FixtureRequest) -> None:
    table: Table = request.getfixturevalue(name)
    assert table.to_latex().isascii()
    cells = re.findall(r"<td>(.*?)</td>", table.to_html())
    assert len(cells) == table.display.size
    assert not [cell for cell in cells if cell.endswith("...")]


# Figure 3


def test_figure_3_shows_every_video_and_its_error_in_either_propagation(
    recoveries: pd.DataFrame, scores: pd.DataFrame
) -> None:
    figure = figure_3.draw({"(a)": (recoveries, scores), "(b)": (recoveries, scores)})
    assert len(figure.axes) == 4
    above, below = figure.axes[1], figure.axes[3]
    assert above.get_title() == "(b)"
    drawn = {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in above.lines[:3]}
    assert drawn == {
        "diffusion": [[-0.2, -0.2], [-0.6, -0.58]],
        "mobility, signed (as published)": [[0.2, 0.21], [0.6, 0.65]],
        "mobility, stable": [[0.2, 0.2], [0.6, 0.601]],
    }
    errors = [np.asarray(line.get_xydata()) for line in below.lines[:3]]
    np.testing.assert_allclose(errors[1], [[0.2, 0.01], [0.6, 0.05]], atol=1e-12)
    # Told apart without colour, too.
    assert len({line.get_marker() for line in above.lines[:3]}) == 3


def test_figure_3_shows_published_numbers_beside_measured_ones_and_units(
    recoveries: pd.DataFrame, scores: pd.DataFrame
) -> None:
    figure = figure_3.draw({"(b)": (recoveries, scores)})
    (text,) = [text.get_text() for text in figure.axes[0].texts]
    assert "4 videos" in text
    assert "measured MAE 0.0200, R² 0.9962" in text
    assert "published MAE 0.0117, R² 0.9982" in text
    assert "length²/time" in figure.axes[1].get_xlabel()


def test_a_figure_gives_the_same_bytes_again(tmp_path: Path, recoveries: pd.DataFrame, scores: pd.DataFrame) -> None:
    for name in ("first", "second"):
        figure = figure_3.draw({"(b)": (recoveries, scores)})
        plot_style.save(figure, pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png")
        assert not plt.fignum_exists(figure.number)
    for kind, start in (("pdf", b"%PDF"), ("png", b"\x89PNG")):
        content = (tmp_path / f"first.{kind}").read_bytes()
        assert content.startswith(start)
        assert content == (tmp_path / f"second.{kind}").read_bytes()
    # Nothing is left of the files that are renamed once they are complete.
    assert len(list(tmp_path.iterdir())) == 4


def test_other_numbers_give_another_figure(tmp_path: Path, recoveries: pd.DataFrame, scores: pd.DataFrame) -> None:
    for name, rows in (("first", recoveries), ("second", recoveries.assign(recovered=recoveries["recovered"] * 1.1))):
        plot_style.save(figure_3.draw({"": (rows, scores)}), pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png")
    for kind in ("pdf", "png"):
        assert (tmp_path / f"first.{kind}").read_bytes() != (tmp_path / f"second.{kind}").read_bytes()


def test_the_style_is_left_behind_after_drawing() -> None:
    before = plt.rcParams["font.size"]
    with plot_style.figure_style():
        assert plt.rcParams["font.size"] == 9
        plt.rcParams["font.size"] = 20
    assert plt.rcParams["font.size"] == before
