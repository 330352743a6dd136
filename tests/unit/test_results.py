"""The page, the picture and the lines of a fit: every grade, a bound, nothing at all, and all that tables show."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from safe_pit_cm.data import stores
from safe_pit_cm.inference.report import Grade
from safe_pit_cm.pages import rendering
from safe_pit_cm.video import facts, figure, page, results

MEASURED: dict[str, Any] = {
    "alpha": -1.7685, "diffusivity": 1.7685, "stderr": 0.0078, "ci95": [1.7533, 1.7838], "systematic": 0.119,
    "total_stderr": 0.1193, "total_ci95": [1.5352, 2.002], "bound": None, "noise": 41.8, "cramer_rao": 0.0076,
    "goodness_of_fit": 5e-62, "significance": 0.001, "misfit": 0.0207, "grade": "approximate", "fits": False,
    "verdict": "It fits to 2.1 %.", "notes": "", "binning": 4,
    "nuisances": {
        "offset": {"standard deviation over frames": 23.886},
        "bleaching": {"loss over the film": -0.02034, "stderr": 0.00858},
        "background": {"free in": "every bin"},
    },
    "systematic_sources": {"time": 0.022, "place": 0.056},
    "parts": [
        {"kind": "time", "part": "early", "diffusivity": 1.6633, "stderr": 0.101, "counted": True},
        {"kind": "nuisances", "part": "no background", "diffusivity": 1.9033, "stderr": 0.0083, "counted": False},
    ],
    "effects": [
        {
            "effect": "flow along y", "value": -2.25, "stderr": 0.67, "unit": "pixels per film", "amount": 1.0,
            "relative_shift": 0.0014,
        },
    ],
    "process": "diffusion", "boundary": "open", "discretisation": "continuous", "substep": None, "method": "ml",
    "shape": [40, 60], "frames": 9, "dx": [0.5, 0.25], "dt": 2.0, "seed": 0,
    "units": {"time": "s", "length": "µm", "field": "1", "diffusivity": "µm^2/s"},
}  # fmt: skip
ALONE = {**MEASURED, "parts": [], "effects": [], "systematic_sources": {}, "nuisances": {}, "binning": 1}
STATISTICAL = {**ALONE, "systematic": 0.0, "total_stderr": 0.0078, "total_ci95": [1.7533, 1.7838], "grade": "noise"}
NO_ERROR = {**ALONE, **dict.fromkeys(["stderr", "ci95", "systematic", "total_stderr", "total_ci95"]), "method": "safe"}
NOTHING = {
    **NO_ERROR,
    **dict.fromkeys(["alpha", "diffusivity", "goodness_of_fit", "misfit", "cramer_rao"]),
    "method": "ml",
    "grade": "undetermined",
}
UPPER = {**NOTHING, "bound": {"kind": "upper", "value": 0.00123}}
LOWER = {**NOTHING, "bound": {"kind": "lower", "value": 41.2}, "process": "mobility"}


def found(attributes: dict[str, Any]) -> xr.Dataset:
    """A fit with these attributes: a diffusing wave, and its curves where D is determined."""
    random, binning = np.random.default_rng(0), attributes["binning"]
    shape = (3, attributes["shape"][0] // binning, attributes["shape"][1] // binning)
    observed = np.sin(np.arange(shape[2]) / 3) * np.exp(-np.arange(3.0))[:, None, None] + 0.01 * random.normal(
        size=shape
    )
    known = attributes["diffusivity"] is not None
    predicted = observed + 0.01 * random.normal(size=shape) if known else np.full(shape, np.nan)
    grid = np.linspace(1.74, 1.8, 21) if known else np.geomspace(1e-3, 1e3, 21)
    fit = xr.Dataset(
        {
            "log_likelihood": ("diffusivity", -((grid - 1.77) ** 2) / 2e-4 if known else -(np.log(grid) ** 2)),
            "observed": (("frame", "y", "x"), observed),
            "predicted": (("frame", "y", "x"), predicted),
            "residual": (("frame", "y", "x"), observed - predicted),
        },
        {"diffusivity": grid, "frame_time": ("frame", [0.0, 8.0, 16.0])},
        attributes,
    )
    if attributes["goodness_of_fit"] is not None:
        bands = {"residual_power": [3.0, 1.0, np.nan], "p_value": [1e-9, 0.4, np.nan]}
        fit = fit.assign({name: ("wavenumber", values) for name, values in bands.items()})
        fit = fit.assign(noise_power=1.0).assign_coords(wavenumber=[0.1, 0.2, 0.3])
    if attributes["parts"]:
        courses = ("contrast", "fitted_contrast", "frame_residual", "frames_averaged")
        fit = fit.assign({name: ("group_time", [1.0, 0.8, 0.7]) for name in courses})
        fit = fit.assign_coords(group_time=[16.0, 8.0, 0.0])
    return fit


def written(attributes: dict[str, Any], folder: Path) -> str:
    """Text of the page, without its record."""
    results.write(found(attributes), folder, {"video": "film.tif", "input": {}, "warnings": ["two pixels are white"]})
    text = (folder / "index.html").read_text(encoding="utf-8")
    return text[: text.index("<h2>Record")]


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        (MEASURED, "D = 1.77 ± 0.12 µm²/s (total; statistical ± 0.0078), 95 % interval 1.54 to 2.00"),
        (STATISTICAL, "D = 1.7685 ± 0.0078 µm²/s (statistical), 95 % interval 1.7533 to 1.7838"),
        (NO_ERROR, "D = 1.768 µm²/s, without an error bar"),
        (UPPER, "D < 0.0012 µm²/s (95 %)"),
        (LOWER, "M > 41 µm²/s (95 %)"),
        (NOTHING, "D is not determined"),
        ({**MEASURED, "total_ci95": [float("nan"), 2.0]}, "D = 1.77 ± 0.12 µm²/s (total; statistical ± 0.0078)"),
        (
            {
                **STATISTICAL, "diffusivity": 3e-14, "stderr": 2e-15, "total_stderr": 2e-15,
                "total_ci95": [2.6e-14, 3.4e-14], "units": {"diffusivity": "m^2/s"},
            },
            "D = (3.00 ± 0.20) × 10⁻¹⁴ m²/s (statistical), 95 % interval (2.60 to 3.40) × 10⁻¹⁴",
        ),
    ],
)  # fmt: skip
def test_the_line_has_the_total_error_or_the_bound(attributes: dict[str, Any], line: str) -> None:
    assert facts.sentence(facts.facts_of(xr.Dataset(attrs=attributes))) == line


def test_the_page_has_the_answer_first_and_all_that_it_rests_on(tmp_path: Path) -> None:
    text = written(MEASURED, tmp_path / "result")
    order = [text.index(each) for each in ("D = 1.77 ± 0.12 µm²/s", "It fits to 2.1 %", "statistical error", "<img")]
    assert order == sorted(order)
    assert '<p class="verdict approximate"><strong>Fits approximately.</strong>' in text
    assert "<strong>Warning.</strong> two pixels are white." in text
    for row in (
        ("statistical error", "0.0078 µm²/s (0.44 %)"),
        ("systematic error", "0.12 µm²/s (6.7 %)"),
        ("95 % interval, total", "1.54 to 2.00 µm²/s"),
        ("misfit", "2.1 % of the contrast"),
        ("p-value", "5e-62"),
        ("half in time", "early", "1.66 ± 0.10", "−5.9 %"),
        ("nuisances", "no background", "1.9033 ± 0.0083", "+7.6 %, not counted"),
        ("flow along y", "−2.25 ± 0.67 pixels per film", "−3.4", "−0.32 %"),
        ("offset", "standard deviation over frames 24"),
        ("bleaching", "loss over the film −0.0203 ± 0.0086"),
        ("background", "free in every bin"),
        ("bins", "4 × 4 pixels", "averaged to one"),
    ):
        assert "</th><td>".join(row[:1]) + "</th><td>" + "</td><td>".join(row[1:]) in text
    # What the splits do not account for: √(0.119² − 0.022² − 0.056²).
    assert "halves in time 0.022, quadrants 0.056, effects beyond the model 0.10" in text


@pytest.mark.parametrize(
    ("attributes", "shown", "hidden"),
    [
        (STATISTICAL, ["Fits to the noise.", "no parts of the film"], ["by other treatments", "What else"]),
        ({**MEASURED, "grade": "refused"}, ["Does not fit.", 'class="verdict refused"'], []),
        (NO_ERROR, ["not estimated", "without an error bar"], []),
        (UPPER, ["D &lt; 0.0012 µm²/s", "upper bound"], ["statistical error", "misfit", "p-value"]),
        (LOWER, ["M &gt; 41 µm²/s", "lower bound"], ["statistical error"]),
        (NOTHING, ["D is not determined", "Not determined."], ["one-sided", "statistical error"]),
    ],
)
def test_every_kind_of_answer_has_a_page(
    attributes: dict[str, Any], shown: list[str], hidden: list[str], tmp_path: Path
) -> None:
    text = written(attributes, tmp_path / "result")
    text = text[text.index("<body>") :]
    assert all(each in text for each in shown)
    assert not any(each in text for each in hidden)
    record = json.loads((tmp_path / "result/fit.json").read_text(encoding="utf-8"))
    stored = stores.read(tmp_path / "result/fit.zarr", "measurement")
    assert {key: stored.attrs[key] for key in record} == record
    assert record["bound"] == attributes["bound"]


def test_bins_keep_the_frames_at_their_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extents = []

    def seen(self: Axes, *arguments: object, **options: Any) -> Any:
        extents.append(options["extent"])
        return original(self, *arguments, **options)  # type: ignore[arg-type]

    original = Axes.imshow
    monkeypatch.setattr(Axes, "imshow", seen)
    figure.draw(found(MEASURED), tmp_path / "fit.png")
    assert set(extents) == {(0.0, 60 * 0.25, 40 * 0.5, 0.0)}


def test_labels_cover_every_grade() -> None:
    assert set(page.LABELS) == set(get_args(Grade))
    style = (rendering.FOLDER / "style.css").read_text(encoding="utf-8")
    assert all(re.search(rf"^\.{grade}, .*--verdict:", style, re.MULTILINE) for grade in page.LABELS)
