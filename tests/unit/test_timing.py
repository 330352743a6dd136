"""Time per stage, from the benchmark files of Snakemake."""

from pathlib import Path

import pytest

from safe_pit_cm.paper import timing

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path: Path, seconds: float, memory: str = "100.0") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:02\t{memory}\t1.0\t1.0\t1.0\t0.0\t0.0\t90.0\t{0.9 * seconds}\n", "utf-8")


def test_jobs_of_a_rule_are_added_up(tmp_path: Path) -> None:
    benchmark(tmp_path / "train.tsv", 10.0)
    benchmark(tmp_path / "infer/a/000.tsv", 2.0)
    # Snakemake knows no memory of a job that ended at once.
    benchmark(tmp_path / "infer/a/001.tsv", 4.0, memory="-")
    data = timing.build(tmp_path, ["infer", "train", "elsewhere"]).data.set_index("rule")
    assert list(data.index) == ["train", "infer"]
    assert data.loc["infer"].to_dict() == pytest.approx(
        {"jobs": 2, "seconds": 6.0, "seconds_per_job": 3.0, "cpu_seconds": 5.4, "peak_megabytes": 100.0}
    )


@pytest.mark.parametrize("left", [b"", b"\0" * 120, HEADER.encode(), HEADER[:9].encode(), b"\xff\xfe\xff", b'"'])
def test_a_benchmark_that_a_kill_left_empty_or_cut_is_no_measurement(tmp_path: Path, left: bytes) -> None:
    benchmark(tmp_path / "infer/000.tsv", 2.0)
    (tmp_path / "infer/001.tsv").write_bytes(left)
    (tmp_path / "train.tsv").write_bytes(left)
    data = timing.build(tmp_path, ["infer", "train"]).data
    assert data["rule"].tolist() == ["infer"]
    assert data["jobs"].tolist() == [1]


def test_a_run_without_benchmarks_has_an_empty_table(tmp_path: Path) -> None:
    assert timing.build(tmp_path, ["train"]).data.empty
