"""The benchmarks measure, count and conclude what they say; on our own methods, since the peers are optional."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import methods, ours, peers, report, runs
from benchmarks.videos import DIFFUSIVITIES, Grid, video
from checkout import ROOT

SMALL = Grid(16, 21)


def example(grid: Grid) -> ours.Fit:
    """Eight lines are counted: the import, three of the dictionary, two of the inner function and two of the helper."""
    import math

    # A comment, and the blank lines, are not counted.
    settings = {
        "value": math.pi,
    }

    def fit(frames: ours.Frames) -> float:
        return helper(settings)

    return fit


def helper(settings: dict[str, float]) -> float:
    settings = {**settings}
    return settings["value"]


def test_a_quick_run_writes_table_figures_and_every_measurement(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--output", str(tmp_path), "--methods", "ml", "direct"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "direct: first fit" in finished.stderr
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        *("README.md", "results.csv", "cost_laws.csv", "machine.json"),
        *("methods.png", "cost_laws.png"),
    }
    rows = pd.read_csv(tmp_path / "results.csv")
    assert set(rows["method"]) == {"ml", "direct"}
    assert set(rows["stage"]) == {"start", "first", "later", "memory"}
    later = rows[rows["stage"] == "later"]
    assert (later["wall"] > 0).all()
    clean = later[later["noise"] == 0]
    np.testing.assert_allclose(clean["found"], clean["true"], rtol=1e-5)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| 1 | **maximum likelihood, interval and check** |" in page
    for private in (socket.gethostname(), str(ROOT), str(tmp_path)):
        assert private not in page


# Zero-shot takes seconds, and is tested elsewhere.
@pytest.mark.parametrize("name", ["ml", "ml-core", "direct"])
def test_ours_find_the_coefficient_of_an_exact_video(name: str) -> None:
    truth = video(SMALL, 1, 0.0)
    assert methods.METHODS[name].load()(SMALL)(truth.frames) == pytest.approx(truth.diffusivity, rel=1e-5)


@pytest.mark.parametrize("name", ["spectral_rollout", "grid_search", "differential_evolution"])
def test_peers_without_optional_packages_find_it_too(name: str) -> None:
    truth = video(SMALL, 1, 0.0)
    assert getattr(peers, name)(SMALL)(truth.frames) == pytest.approx(truth.diffusivity, rel=1e-3)


def test_videos_solve_the_equation_exactly_and_span_0_to_1() -> None:
    shown = video(SMALL, 3, 0.0)
    assert DIFFUSIVITIES[0] <= shown.diffusivity <= DIFFUSIVITIES[1]
    assert (shown.first.min(), shown.first.max()) == pytest.approx((0.0, 1.0))
    late = np.fft.rfft2(shown.first) * np.exp(-shown.diffusivity * SMALL.symbol * SMALL.times[20])
    np.testing.assert_allclose(shown.frames[20], np.fft.irfft2(late, s=(16, 16)), atol=1e-6)
    noisy = video(SMALL, 3, 0.01)
    assert noisy.diffusivity == shown.diffusivity
    assert float((noisy.frames - shown.frames).std()) == pytest.approx(0.01, rel=0.05)


def test_lines_are_those_that_a_user_writes() -> None:
    assert methods.lines(example) == 8


def test_every_method_sees_its_videos_in_an_order_that_rotates() -> None:
    turns = list(runs.turns(["ml", "direct", "deepxde"], runs.Plan(SMALL, videos=2, rounds=1)))
    assert [name for _, _, _, name in turns[:6]] == ["ml", "direct", "deepxde", "direct", "deepxde", "ml"]
    # The network takes minutes, and sees one video of each kind.
    assert [(number, noise) for _, number, noise, name in turns if name == "deepxde"] == [(0, 0.0), (0, 0.01)]
    assert [number for _, number, _, name in turns if name == "ml"] == [0, 0, 1, 1]


def test_a_method_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = methods.Method("broken", "benchmarks.ours:nothing", "exact", "safe-pit-cm")
    monkeypatch.setitem(methods.METHODS, "broken", broken)
    messages: list[str] = []
    rows = runs.measure(["broken", "direct"], runs.Plan(SMALL, videos=1, rounds=1), messages.append)
    assert set(rows["method"]) == {"direct"}
    assert any(message.startswith("broken has failed, and is left out; to see why: printf") for message in messages)


def table(**peer: float) -> pd.DataFrame:
    """Summary of maximum likelihood, 10 ms and 0.001 on both kinds of videos, and of one peer."""
    own: dict[str, Any] = {"seconds": 0.01, "clean": 1e-8, "noisy": 1e-3}
    return pd.DataFrame([own, {**own, **peer}], index=["ml", "exponax"])


def test_a_faster_peer_of_equal_error_is_named() -> None:
    clean, noisy = report.finding(table(seconds=0.005, clean=1e-6))
    faster = "Faster at an error that counts as equal or smaller: Exponax, roll-out"
    assert f"{faster} (5 ms, error 1.0e-06)" in clean
    assert faster in noisy


def test_a_faster_peer_of_larger_error_is_not() -> None:
    clean, noisy = report.finding(table(seconds=0.005, clean=1e-3, noisy=0.1))
    assert clean.endswith("No peer comes near this error.")
    assert noisy.endswith("No peer comes near this error.")


def test_peers_of_smaller_error_are_counted() -> None:
    noisy = report.finding(table(seconds=0.3, noisy=1e-5))[1]
    assert "1 of the 1 peers have a smaller error. No peer of equal or smaller error is faster" in noisy


def test_a_slower_peer_is_given_its_ratio() -> None:
    assert "Exponax, roll-out, takes 30.0 times as long" in report.finding(table(seconds=0.3))[0]
