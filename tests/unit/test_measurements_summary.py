"""Outcomes of films, and their summary: today's results and those with systematic errors, bounds and grades."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import films
from safe_pit_cm.errors import UserError
from safe_pit_cm.measurements import film, forest, outcomes, summary

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "workflow/resources/measurements.html.jinja"
UNITS = {"diffusivity": "µm^2/s"}
PLAIN: dict[str, Any] = {
    "process": "diffusion", "diffusivity": 1.7, "stderr": 0.01, "ci95": [1.68, 1.72], "systematic": None,
    "total_stderr": 0.01, "total_ci95": [1.68, 1.72], "bound": None, "units": UNITS, "grade": "noise",
    "verdict": "It fits.", "goodness_of_fit": 0.3, "misfit": 0.013, "parts": [], "effects": [],
}  # fmt: skip
SPLIT = {
    **PLAIN,
    "parts": [{"kind": "time", "part": "early", "diffusivity": 1.6, "stderr": 0.02, "counted": True}],
    "systematic": 0.04,
    "total_stderr": 0.0412,
    "total_ci95": [1.62, 1.78],
}
NOTHING = {
    **PLAIN, "grade": "undetermined", "diffusivity": None, "stderr": None, "ci95": None, "total_stderr": None,
    "total_ci95": None, "misfit": None, "goodness_of_fit": None, "verdict": "Noise alone explains it.",
}  # fmt: skip
# What fit.json says of each film; None for one that failed.
FACTS: dict[str, dict[str, Any] | None] = {
    "plain": PLAIN,
    "noise": SPLIT,
    "rough": {**SPLIT, "grade": "approximate", "diffusivity": 1.5},
    "wrong": {**SPLIT, "grade": "refused", "verdict": "Not this model."},
    "slow": {**NOTHING, "bound": {"kind": "upper", "value": 0.02}, "verdict": "Too slow."},
    "fast": {**NOTHING, "bound": {"kind": "lower", "value": 40.0}, "verdict": "Too fast."},
    "empty": NOTHING,
    "bare": {**PLAIN, "stderr": None, "ci95": None, "total_stderr": None, "total_ci95": None},
    "broken": None,
    "nanometres": {**PLAIN, "units": {"diffusivity": "nm^2/s"}},
    "alone": {**PLAIN, "diffusivity": 3e-14, "stderr": 2e-15, "total_stderr": 2e-15, "total_ci95": [2.6e-14, 3.4e-14]},
}
GROUPS = {"broken": "lost", "alone": ""}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    for name, facts in FACTS.items():
        folder = tmp_path / name
        folder.mkdir()
        if facts is None:
            outcome = outcomes.Outcome("failed", "<b>broken.npy</b> is damaged; copy it again")
        else:
            outcome = outcomes.judged(facts)
            (folder / "fit.json").write_text(json.dumps(facts), encoding="utf-8")
        outcomes.write(outcome, folder)
    return {name: str(tmp_path / name) for name in FACTS}


SAMPLES = {name: {"path": f"{name}.npy", "group": GROUPS.get(name, "all")} for name in FACTS}


def test_a_fit_is_judged_by_its_grade() -> None:
    judged = {name: outcomes.judged(facts).status for name, facts in FACTS.items() if facts is not None}
    assert judged == {
        **dict.fromkeys(["plain", "noise", "rough", "bare", "nanometres", "alone"], "measured"),
        "wrong": "refused",
        **dict.fromkeys(["slow", "fast"], "bound"),
        "empty": "undetermined",
    }


def test_every_film_has_a_row(folders: dict[str, str]) -> None:
    table = summary.rows(folders, SAMPLES)
    assert list(table.columns) == summary.COLUMNS
    assert list(table["sample"]) == list(FACTS)
    films_by_name = {row["sample"]: row for row in table.to_dict("records")}

    def cells(name: str, *columns: str) -> list[Any]:
        return [films_by_name[name][column] for column in columns]

    assert cells("plain", "total_stderr", "ci95_low", "ci95_high") == [0.01, 1.68, 1.72]
    assert math.isnan(films_by_name["plain"]["systematic"])
    assert cells("noise", "stderr", "systematic", "total_stderr", "ci95_low") == [0.01, 0.04, 0.0412, 1.62]
    assert cells("noise", "statistical_low", "statistical_high") == [1.68, 1.72]
    assert cells("rough", "status", "grade") == ["measured", "approximate"]
    assert cells("slow", "status", "grade", "bound", "bound_value") == ["bound", "undetermined", "upper", 0.02]
    assert math.isnan(films_by_name["slow"]["diffusivity"])
    assert cells("empty", "status", "bound", "verdict") == ["undetermined", None, "Noise alone explains it."]
    assert cells("broken", "verdict") == ["<b>broken.npy</b> is damaged; copy it again"]


def test_means_are_over_what_was_measured_in_one_unit(folders: dict[str, str]) -> None:
    means = summary.groups(summary.rows(folders, SAMPLES))
    assert list(means.columns) == summary.GROUP_COLUMNS
    assert means[["group", "unit", "films", "n"]].to_numpy().tolist() == [
        ["all", "µm^2/s", 9, 3],
        ["all", "nm^2/s", 9, 1],
        ["lost", None, 1, 0],
        ["", "µm^2/s", 1, 1],
    ]
    assert 1.5 < means["mean"][0] < 1.7
    assert means["between"][0] > 0
    assert np.isnan(means["mean"][2])


def test_the_summary_is_one_page_that_needs_no_other(folders: dict[str, str], tmp_path: Path) -> None:
    # The smallest picture there is.
    (Path(folders["plain"]) / film.THUMBNAIL).write_bytes(b"\x89PNG")
    outputs = {name: str(tmp_path / f"out/{name}") for name in ("csv", "groups", "pdf", "png", "html")}
    summary.write(list(folders.values()), SAMPLES, TEMPLATE, outputs)
    first = {name: Path(path).read_bytes() for name, path in outputs.items()}
    page = first["html"].decode()
    assert "<h1>6 of 11 films measured, 2 bound, 1 undetermined, 1 refused, 1 failed</h1>" in page
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)', page))
    assert page.count("<img") == 2
    assert '<td class="number">1.700 ± 0.041 µm²/s</td><td class="number">0.010</td><td class="number">0.040' in page
    assert '(3.00 ± 0.20) × 10⁻¹⁴ µm²/s</td><td class="number">2.0 × 10⁻¹⁵</td><td class="number"></td>' in page
    assert "&lt; 0.020 µm²/s" in page
    assert "&gt; 40 µm²/s" in page
    labels = ("Fits to the noise", "Fits approximately", "Does not fit", "Not determined", "Failed")
    assert [page.count(f"<strong>{label}.</strong>") for label in labels] == [5, 1, 1, 3, 1]
    assert "&lt;b&gt;broken.npy" in page
    assert 'href="plain/index.html"' in page
    assert 'href="broken/index.html"' not in page
    assert pd.read_csv(outputs["csv"])["sample"].to_list() == list(FACTS)
    summary.write(list(folders.values()), SAMPLES, TEMPLATE, outputs)
    assert {name: Path(path).read_bytes() for name, path in outputs.items()} == first


def test_a_summary_of_nothing_but_failures_can_be_written(folders: dict[str, str], tmp_path: Path) -> None:
    outputs = {name: str(tmp_path / name) for name in ("csv", "groups", "pdf", "png", "html")}
    summary.write([folders["broken"]], {"broken": SAMPLES["broken"]}, TEMPLATE, outputs)
    assert "0 of 1 films measured, 1 failed" in Path(outputs["html"]).read_text(encoding="utf-8")


def test_results_that_are_damaged_are_named(folders: dict[str, str]) -> None:
    (Path(folders["plain"]) / "fit.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"fit\.json is missing or damaged; remove the folder .* and run again"):
        summary.rows(folders, SAMPLES)
    (Path(folders["plain"]) / "outcome.json").write_text('{"status": "odd", "sentence": ""}', encoding="utf-8")
    with pytest.raises(UserError, match=r"outcome\.json is missing or damaged"):
        summary.rows(folders, SAMPLES)


def test_the_announcement_names_what_failed(folders: dict[str, str]) -> None:
    assert outcomes.announcement(folders, "summary.html").splitlines() == [
        "6 of 11 films measured, 2 bound, 1 undetermined, 1 refused, 1 failed: summary.html",
        "broken: <b>broken.npy</b> is damaged; copy it again",
    ]


def test_a_film_is_measured_as_by_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "film.npy"
    np.save(path, films.noisy(films.evolve(films.smooth((16, 16)), times=films.TIMES[:6])))
    lines: list[str] = []
    arguments = ["--dx=0.5", "--dt=0.25", "--boundary=periodic"]
    found = film.measure(str(path), arguments, tmp_path / "result", lines.append)
    assert found.status == "measured"
    assert outcomes.read(tmp_path / "result") == found
    names = {"fit.json", "fit.png", "fit.zarr", "index.html", "outcome.json", film.THUMBNAIL}
    assert {entry.name for entry in (tmp_path / "result").iterdir()} == names
    assert any(line.startswith("fitting 6 × 16 × 16") for line in lines)

    # A film that cannot be read replaces the result by what is wrong with it.
    path.write_bytes(path.read_bytes()[:2000])
    failed = film.measure(str(path), arguments, tmp_path / "result", lines.append)
    assert failed.status == "failed"
    assert f"{path} is damaged or cut short" in failed.sentence
    assert [entry.name for entry in (tmp_path / "result").iterdir()] == ["outcome.json"]


def test_an_error_of_ours_leaves_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("safe_pit_cm.commands.fit.measure", broken)
    with pytest.raises(ZeroDivisionError):
        film.measure("film.npy", [], tmp_path / "result", print)
    assert not list(tmp_path.iterdir())


def test_the_forest_plot_has_both_intervals_and_the_bounds(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bars: list[tuple[float, float]] = []
    marks: dict[str, list[float]] = {}
    hlines, plot = Axes.hlines, Axes.plot

    def seen_bars(self: Axes, heights: Any, low: Any, high: Any, **options: Any) -> Any:
        bars.extend(zip(low, high, strict=True))
        return hlines(self, heights, low, high, **options)

    def seen_marks(self: Axes, values: Any, heights: Any, marker: str, **options: Any) -> Any:
        marks.setdefault(marker, []).extend(values)
        return plot(self, values, heights, marker, **options)

    monkeypatch.setattr(Axes, "hlines", seen_bars)
    monkeypatch.setattr(Axes, "plot", seen_marks)
    table = summary.rows(folders, SAMPLES)
    forest.draw(table, summary.groups(table), tmp_path / "forest.pdf", tmp_path / "forest.png")
    assert {(1.62, 1.78), (1.68, 1.72)} <= set(bars)
    assert (marks["<"], marks[">"]) == ([0.02], [40.0])
    # Films that failed or determine nothing are not drawn.
    assert sum(map(len, marks.values())) == len(FACTS) - 2 + 3
