"""The tiny paper from an empty results folder to the page."""

import json
import os
import re
import signal
import time
import zipfile
from pathlib import Path

import pandas as pd
import xarray as xr

from checkout import MAIN_RESULTS, ROOT, Checkout, make_checkout
from rules import items
from safe_pit_cm.paper import contents

PARENTS = ["000", "001", "002", "003", "004"]
TEST_PARENTS = ["003", "004"]


def test_every_promised_file_is_there(undisturbed: Checkout) -> None:
    results = undisturbed.path / "results"
    for parent in PARENTS:
        assert (results / f"initial_conditions/{parent}.zarr").is_dir()
        assert (results / f"videos/diffusion/{parent}.zarr").is_dir()
        assert (results / f"videos/mobility/{parent}.zarr").is_dir()
    for process in ("diffusion", "mobility"):
        for stage in ("zero_shot", "trained", "ablations/substeps", "ablations/frame_step"):
            fits = sorted(path.name for path in (results / stage / process).iterdir())
            assert fits == [f"{parent}.zarr" for parent in TEST_PARENTS]
    for item in items().values():
        for path in item.output:
            assert (undisturbed.path / path).stat().st_size > 0
    assert (results / "training/model.safetensors").is_file()
    assert (results / "training/history.csv").is_file()


def test_no_test_parent_is_seen_in_training_or_validation(undisturbed: Checkout) -> None:
    splits = pd.read_csv(undisturbed.path / "results/splits.csv", dtype=str)
    assert list(splits.columns) == ["parent", "process", "split"]
    parents = splits.groupby("split")["parent"].agg(set)
    assert parents["test"] == set(TEST_PARENTS)
    assert parents["test"].isdisjoint(parents["train"] | parents["validation"])


def test_a_video_opens_with_plain_xarray_and_describes_itself(undisturbed: Checkout) -> None:
    # Warnings are errors in all tests.
    video = xr.open_zarr(undisturbed.path / "results/videos/mobility/003.zarr")
    assert video["field"].dims == ("time", "y", "x")
    assert video["field"].dtype == "float32"
    assert video["field"].shape == (11, 16, 16)
    for name in ("time", "y", "x"):
        assert video[name].attrs["units"] == "1"
        assert video[name].attrs["long_name"]
    assert video.attrs["process"] == "mobility"
    assert video.attrs["parent"] == "003"
    assert video.attrs["transport_coefficient"] == video.attrs["diffusivity"] > 0
    assert set(video.attrs) >= {
        "seed", "grid_spacing", "time_step", "save_interval", "boundary", "n_grains",
        "package_version", "source_revision", "config_digest",
    }  # fmt: skip


def test_a_fit_holds_its_history_and_both_propagations(undisturbed: Checkout) -> None:
    path = undisturbed.path / "results/zero_shot/mobility/003.zarr"
    signed, stable = xr.open_zarr(path), xr.open_zarr(path, group="stable")
    for fit, propagation in ((signed, "signed"), (stable, "stable")):
        assert fit["alpha"].dims == fit["loss"].dims == ("step",)
        assert fit.sizes["step"] == 31
        assert fit.attrs["alpha"] == float(fit["alpha"][-1])
        assert fit.attrs["propagation"] == propagation
        assert fit.attrs["transport_coefficient"] > 0


def test_table_4_has_the_promised_columns(undisturbed: Checkout) -> None:
    table = pd.read_csv(undisturbed.path / "results/paper/tables/table_4.csv")
    assert list(table.columns)[:6] == ["setting", "process", "propagation", "mae", "r2", "n"]
    assert table["n"].to_list() == [4, 2, 2, 4, 2, 2] * 3


def test_the_scorecard_has_the_promised_columns_and_judges_every_number(undisturbed: Checkout) -> None:
    card = pd.read_csv(undisturbed.path / "results/paper/scorecard.csv")
    assert list(card.columns) == ["table", "quantity", "published", "measured", "low", "high", "verdict"]
    assert set(card["table"]) >= {"Table 3", "Table 4", "§2.4"}
    assert set(card["verdict"]) <= {"reproduced", "reproduced in direction", "not reproduced", "cannot be tested"}


def test_the_page_needs_no_other_file_and_no_network(undisturbed: Checkout) -> None:
    for name in ("main", "index"):
        page = (undisturbed.path / f"results/paper/{name}.html").read_text(encoding="utf-8")
        sources = re.findall(r"""(?:src|<link[^>]*href)=["']([^"']*)""", page)
        assert sources
        assert all(source.startswith("data:") for source in sources)
        assert page.count("<script>") == 1
        shown = re.findall(r'<section id="(\w+)"', page)
        assert shown[:4] == ["answer", "figure_3", "scorecard", "table_4"]
        own = [item for item in items() if name == "index" or contents.part(item) == contents.PAPER]
        further = ["time_by_stage"] if name == "index" else []
        assert shown[1:] == [*contents.arranged([*own, *further]), *(["provenance"] if further else [])]
        # What is to come is on the first of the two pages alone, with verdicts and sentences on both.
        assert ('id="to_come"' in page) == ('class="to-come"' in page) == (name == "main")
        counted = re.findall(r'<span class="[\w-]+" style="flex-grow: (\d+)"', page)
        assert sum(map(int, counted)) == len(pd.read_csv(undisturbed.path / "results/paper/scorecard.csv"))


def test_the_paper_s_own_page_is_made_before_what_is_beyond_it(undisturbed: Checkout) -> None:
    main = (undisturbed.path / "results/paper/main.html").stat().st_mtime_ns
    variants = [path.stat().st_mtime_ns for path in (undisturbed.path / "results/variants").rglob("outcome.csv")]
    # The other core may be at one of them already.
    assert sum(time > main for time in variants) > len(variants) / 2


def test_a_job_of_several_parents_gives_the_rows_of_one_job_for_each(finished: Checkout) -> None:
    folder = finished.path / "results/replicates/1"
    each = [(folder / f"{parent}.csv").read_text().splitlines() for parent in TEST_PARENTS]
    together = folder / f"{TEST_PARENTS[0]}-{TEST_PARENTS[-1]}.csv"
    target = str(together.relative_to(finished.path))
    outcome = finished.run(target, "--config", "replication={parents_per_job: 10}")
    assert outcome.code == 0, outcome.output
    assert together.read_text().splitlines() == each[0] + each[1][1:]


def test_the_snakemake_report_holds_every_item(finished: Checkout) -> None:
    outcome = finished.run("--report", "report.zip")
    assert outcome.code == 0, outcome.output
    with zipfile.ZipFile(finished.path / "report.zip") as archive:
        html = archive.read("report/report.html").decode()
    found = re.search(r"results\s*=\s*(\{.*?\});?\n", html, flags=re.DOTALL)
    assert found
    shown = {Path(entry["name"]).stem: entry for entry in json.loads(found[1]).values()}
    assert set(shown) == {*items(), "index"}
    for item in items():
        caption = (ROOT / f"workflow/report/{item}.rst").read_text(encoding="utf-8")
        title = re.match(r"\*\*(.*?)\*\*", caption)
        assert title
        assert shown[item]["caption"].startswith(f"<p><strong>{title[1]}</strong>")
        assert shown[item]["job_properties"]["rule"] == item


def test_a_run_on_one_core_that_was_killed_resumes_and_gives_the_same_bytes_as_one_on_two_cores(
    undisturbed: Checkout, tmp_path: Path
) -> None:
    again = make_checkout(tmp_path / "again", source=undisturbed.path)
    process = again.start(*MAIN_RESULTS, cores=1)
    fits = again.path / "results/zero_shot"
    deadline = time.monotonic() + 300
    while not fits.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert again.run("--unlock").code == 0
    outcome = again.run(*MAIN_RESULTS, cores=1)
    assert outcome.code == 0, outcome.output
    mine, whole = again.result_digests(), undisturbed.result_digests()
    assert {"paper/figures/figure_3.png", "paper/tables/table_4.csv", "training/model.safetensors"} <= set(mine)
    assert mine == {name: whole.get(name) for name in mine}
