"""The linear model of tiles, against a dense least-squares fit of the same model."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from films import smooth
from holes import hole
from safe_pit_cm.equations.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.axes import fold, unfold
from safe_pit_cm.inference.nuisances import NUISANCES, Gains, Nuisance
from safe_pit_cm.inference.reduction import Tiles
from safe_pit_cm.inference.tiles import Model, System

Dense = NDArray[np.float64]

TIMES = np.array([0.0, 0.4, 1.0, 2.2, 4.0])
COUNTS = np.array([1.0, 1.0, 1.0, 2.0, 3.0])
DIFFUSIVITY = 0.3
SHAPE = (5, 6)


def tiles_of(
    frames: Dense, times: Dense, boundary: Boundary = "no-flux", counts: Dense | None = None, spacing: float = 1.0
) -> Tiles:
    """Frames ``(tile, time, y, x)`` as tiles."""
    return Tiles(
        frames=frames,
        gaps=None,
        corners=[(0, 0)] * len(frames),
        shape=(frames.shape[2], frames.shape[3]),
        level=0.0,
        times=times,
        counts=np.ones(len(times)) if counts is None else counts,
        exposures=np.arange(len(times), dtype=np.float64),
        interval=None,
        factor=1,
        spacing=(spacing, spacing),
        boundary=boundary,
        discretisation=Discretisation(),
    )


def small(nuisances: frozenset[Nuisance]) -> System:
    """Two tiles with noise, and gains that are not 1."""
    random = np.random.default_rng(3)
    tiles = tiles_of(random.normal(size=(2, len(TIMES), *SHAPE)), TIMES, counts=COUNTS)
    gains = Gains.before(nuisances, tiles.exposures)
    signal = None
    if gains is not None:
        gains = replace(gains, logarithm=0.1 * random.normal(size=len(TIMES)))
        signal = fold(random.normal(size=tiles.frames.shape))
    return Model.near(tiles, DIFFUSIVITY, 0.02, nuisances, gains, signal).at(DIFFUSIVITY)


def dense(system: System) -> tuple[Dense, Dense, Dense]:
    """Columns of the model, ``(datum, column)``, its penalties, and what it fits beforehand.

    The columns are the fields of each tile, the background of each, the offsets and the steps of log g.
    """
    model, tiles = system.model, system.model.tiles
    count, frames, *picture = tiles.frames.shape
    pixels = picture[0] * picture[1]
    gain = np.ones(frames) if model.gains is None else np.exp(model.gains.logarithm)
    roots = np.sqrt(tiles.counts)
    symbol = symbols((picture[0], picture[1]), tiles.spacing, "no-flux", Discretisation())
    # The field of every pixel, propagated by the modes.
    impulses = to_modes(np.eye(pixels).reshape(pixels, *picture), "no-flux")
    spread = np.stack(
        [to_field(impulses * np.exp(-system.diffusivity * symbol * t), "no-flux").reshape(pixels, -1) for t in TIMES]
    )
    field = ((roots * gain)[:, None, None] * spread).transpose(0, 2, 1).reshape(-1, pixels)
    columns, penalty, before = [np.kron(np.eye(count), field)], [model.ridge * np.eye(count * pixels)], []
    if "background" in model.nuisances:
        columns.append(np.kron(np.eye(count), np.kron((roots * gain)[:, None], np.eye(pixels))))
        penalty.append(np.zeros((count * pixels, count * pixels)))
    if "offset" in model.nuisances:
        columns.append(np.tile(np.kron(np.diag(roots), np.ones((pixels, 1))), (count, 1)))
        penalty.append(np.zeros((frames, frames)))
    if model.gains is not None and model.signal is not None:
        signal = unfold(model.signal).reshape(count, frames, pixels)
        steps = np.zeros((count, frames, pixels, frames))
        for frame in range(frames):
            steps[:, frame, :, frame] = signal[:, frame] * roots[frame] * gain[frame]
        columns.append(steps.reshape(-1, frames))
        penalty.append(model.noise_power * model.gains.precision)
        before.append(model.gains.logarithm)
    size = sum(part.shape[1] for part in columns)
    together, start = np.zeros((size, size)), 0
    for part in penalty:
        together[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    known = np.zeros(size)
    if before:
        known[-frames:] = before[0]
    return np.concatenate(columns, axis=1), together, known


SETS: list[frozenset[Nuisance]] = [
    frozenset(),
    frozenset({"background"}),
    frozenset({"offset"}),
    frozenset({"gain", "bleaching"}),
    frozenset(NUISANCES),
]


@pytest.mark.parametrize("nuisances", SETS, ids=lambda names: "+".join(sorted(names)) or "none")
def test_fit_criterion_and_trace_are_those_of_a_dense_fit(nuisances: frozenset[Nuisance]) -> None:
    system = small(nuisances)
    tiles = system.model.tiles
    columns, penalty, before = dense(system)
    data = (np.sqrt(COUNTS)[:, None, None] * tiles.frames).ravel()
    inverse = np.linalg.pinv(columns.T @ columns + penalty, rcond=1e-12, hermitian=True)
    best = inverse @ (columns.T @ data - penalty @ before)
    rest = data - columns @ best
    held = best + before
    power = float(rest @ rest + held @ penalty @ held)
    rows = system.weighted(tiles.frames)
    found = system.fit(rows)
    assert unfold(rows - found.fitted).ravel() == pytest.approx(rest, abs=1e-6)
    assert found.power == pytest.approx(power, rel=1e-6)
    # A background takes one number of each pixel, whatever D is, and is left out of the trace.
    trace = float(np.trace(columns @ inverse @ columns.T))
    trace -= tiles.frames[:, 0].size if "background" in nuisances else 0
    assert system.degrees_of_freedom == pytest.approx(trace, rel=1e-6)
    assert system.criterion(rows) == pytest.approx(power + 0.02 * trace, rel=1e-6)
    if system.model.gains is not None:
        steps = best[-len(TIMES) :]
        assert found.nuisance[-len(TIMES) :] == pytest.approx(steps, abs=1e-6)
        covariance = 0.02 * inverse[-len(TIMES) :, -len(TIMES) :]
        assert system.nuisance_covariance[-len(TIMES) :, -len(TIMES) :] == pytest.approx(covariance, abs=1e-8)


def test_the_response_without_a_penalty_is_linear() -> None:
    system = small(frozenset(NUISANCES))
    first, second = (system.free(np.random.default_rng(seed).normal(size=(2, 5, *SHAPE))) for seed in (1, 2))
    apart = system.fit(first, penalised=False).fitted + 3 * system.fit(second, penalised=False).fitted
    assert system.fit(first + 3 * second, penalised=False).fitted == pytest.approx(apart, abs=1e-9)


def test_the_trace_is_what_the_fit_keeps_of_white_noise() -> None:
    system = small(frozenset({"background"}))
    columns, penalty, _ = dense(system)
    inverse = np.linalg.pinv(columns.T @ columns + penalty, rcond=1e-12, hermitian=True)
    both = float(np.trace(columns @ inverse @ columns.T)) - 2 * SHAPE[0] * SHAPE[1]
    assert system.field_trace == pytest.approx(both / 2, rel=1e-6)
    rows = system.weighted(system.model.tiles.frames)
    left = np.square(rows).sum((1, 2, 3)) - [
        float((row * system.fit(np.stack([row, row])).fitted[0]).sum()) for row in rows
    ]
    assert system.powers(rows) == pytest.approx(left, rel=1e-9)


def test_slopes_of_the_axes_are_derivatives_of_the_field() -> None:
    frames = smooth((16, 12))[None, None] * np.exp(-TIMES)[None, :, None, None]
    model = Model.near(tiles_of(frames, TIMES, "open"), DIFFUSIVITY, 1e-3)
    unknown = model.at(DIFFUSIVITY).fit(model.at(DIFFUSIVITY).weighted(frames)).unknown
    along_y, along_x = model.at(DIFFUSIVITY).axis_slopes(unknown)
    step = 1e-4
    ahead, behind = (model.at(DIFFUSIVITY * (1 + sign * step)).field(unknown) for sign in (1, -1))
    total = (ahead - behind) / (2 * step)
    assert along_y + along_x == pytest.approx(total, abs=1e-4 * np.abs(total).max())
    # A field that varies along x alone spreads along x alone.
    flat = np.broadcast_to(frames.mean(2, keepdims=True), frames.shape)
    system = Model.near(tiles_of(np.asarray(flat), TIMES, "no-flux"), DIFFUSIVITY, 1e-3).at(DIFFUSIVITY)
    along_y, along_x = system.axis_slopes(system.fit(system.weighted(flat)).unknown)
    assert np.abs(along_y).max() < 1e-6 * np.abs(along_x).max()


def test_fields_that_nobody_can_see_are_left_out() -> None:
    frames = hole(0.5, TIMES, (16, 16))[None]
    clear, dim = (Model.near(tiles_of(frames, TIMES, "open"), 0.5, power).at(0.5).unknowns for power in (1e-8, 1e-1))
    assert dim < clear < (16 + 2 * 7) ** 2
    assert clear > 16 * 16


@pytest.mark.parametrize(
    ("times", "nuisances"),
    [(np.arange(4.0), frozenset()), (5 * np.arange(5.0), frozenset({"background", "offset"}))],
    ids=["field alone", "background and offset"],
)
def test_the_criterion_is_lowest_at_the_true_d_on_average(times: Dense, nuisances: frozenset[Nuisance]) -> None:
    """With one unknown for every few data, residuals alone would be lowest elsewhere."""
    noise, step = 0.04, 0.05
    truth = hole(0.6, times, (12, 12), width=3.0)
    model = Model.near(tiles_of(truth[None], times, "open"), 0.6, noise**2, nuisances)
    systems = [model.at(0.6 * np.exp(sign * step)) for sign in (-1, 0, 1)]
    by_trace = noise**2 * (systems[2].degrees_of_freedom - systems[0].degrees_of_freedom) / (2 * step)
    random = np.random.default_rng(5)
    slopes, bends = [], []
    for _ in range(800):
        frames = (truth + noise * random.normal(size=truth.shape))[None]
        behind, here, ahead = (system.criterion(system.weighted(frames)) for system in systems)
        slopes.append((ahead - behind) / (2 * step))
        bends.append((ahead + behind - 2 * here) / step**2)
    error = float(np.std(slopes) / np.sqrt(len(slopes)))
    assert abs(np.mean(slopes)) < 3 * error
    assert abs(np.mean(slopes) - by_trace) > 6 * error
    # The bias of log D is the mean slope over the curvature.
    assert error / np.mean(bends) < 0.02
