"""What else a film may hold: effects put into an exact film are found with their size, and none where none is."""

from collections.abc import Callable

import numpy as np
import pytest

from holes import Frames, film, hole
from safe_pit_cm.equations.discretisation import Discretisation
from safe_pit_cm.inference.effects import Effect, effects
from safe_pit_cm.inference.nuisances import Nuisance
from safe_pit_cm.inference.reduction import reduce_film
from safe_pit_cm.inference.tile_fit import fit_tiles

DIFFUSIVITY, NOISE = 1.2, 2e-3
SHAPE = (14, 14)
TIMES: Frames = np.asarray(np.arange(12) * 2.0, dtype=np.float64)
SHARE = np.linspace(0, 1, 12)[:, None, None]
LAST = float(TIMES[-1])


def whole(times: Frames = TIMES, diffusivity: float | tuple[float, float] = DIFFUSIVITY) -> Frames:
    return hole(diffusivity, times, SHAPE, width=3.5, spacing=2.0)


def found(
    frames: Frames, nuisances: frozenset[Nuisance] = frozenset({"offset"}), seed: int = 3
) -> tuple[float, float, list[Effect]]:
    """D, its standard error, and the effects, of frames with noise."""
    noise = NOISE * np.random.default_rng(seed).normal(size=frames.shape)
    tiles = reduce_film(film(frames + noise, TIMES, 2.0), "open", Discretisation(), factor=1, pixels=1000)
    fit = fit_tiles(tiles, DIFFUSIVITY, nuisances)
    return fit.diffusivity, fit.stderr, effects(fit)


def moving() -> Frames:
    # Along y by half a pixel, and along x by minus a fifth.
    centres = [(0.48 + 0.5 / 14 * share, 0.53 - 0.2 / 14 * share) for share in SHARE.ravel()]
    return np.concatenate(
        [
            hole(DIFFUSIVITY, np.array([time]), SHAPE, width=3.5, spacing=2.0, centre=centre)
            for time, centre in zip(TIMES, centres, strict=True)
        ]
    )


CASES: dict[str, tuple[Callable[[], Frames], str, float]] = {
    "bleaching": (lambda: whole() * (1 - 0.1 * SHARE), "bleaching", 0.1),
    "immobile share": (lambda: 0.98 * whole() + 0.02 * whole()[:1], "an immobile share", 0.02),
    "lost frame": (
        lambda: whole(np.asarray(np.where(TIMES >= 10, TIMES + 0.5, TIMES))),
        "frames lost before t = 10",
        0.25,
    ),
    "subdiffusion": (
        lambda: whole(np.asarray(np.where(TIMES > 0, LAST * (np.maximum(TIMES, 1e-9) / LAST) ** 0.98, 0.0))),
        "anomalous diffusion, exponent of time less 1",
        -0.02,
    ),
    "two species": (
        lambda: (whole(diffusivity=0.8 * DIFFUSIVITY) + whole(diffusivity=1.2 * DIFFUSIVITY)) / 2,
        "a D that varies, variance over D²",
        0.04,
    ),
    "anisotropy": (
        lambda: whole(diffusivity=(0.97 * DIFFUSIVITY, 1.03 * DIFFUSIVITY)),
        "anisotropy, (Dx − Dy)/2D",
        0.03,
    ),
    "flow along y": (moving, "flow along y", 0.5),
    "flow along x": (moving, "flow along x", -0.2),
}


@pytest.mark.parametrize("case", CASES)
def test_an_effect_is_found_with_its_size(case: str) -> None:
    frames, name, size = CASES[case]
    diffusivity, stderr, all_of_them = found(frames())
    effect = next(each for each in all_of_them if each.name == name)
    assert abs(effect.score) > 8
    # To first order in the size of the effect.
    assert abs(effect.value - size) < 3.5 * effect.stderr + 0.05 * abs(size)
    # And it explains by how much D is off.
    off = diffusivity / DIFFUSIVITY - 1
    assert abs(off - effect.moved) < 3.5 * stderr / DIFFUSIVITY + 0.2 * abs(off)


@pytest.mark.parametrize("level", [0.0, 0.5, 5.0])
def test_bleaching_dims_all_of_the_brightness_where_no_offset_is_estimated(level: float) -> None:
    diffusivity, _, all_of_them = found((level + whole()) * (1 - 0.1 * SHARE), frozenset())
    effect = next(each for each in all_of_them if each.name == "bleaching")
    assert abs(effect.value - 0.1) < 3.5 * effect.stderr
    assert effect.stderr < 0.005
    assert effect.moved == pytest.approx(diffusivity / DIFFUSIVITY - 1, abs=0.05)


@pytest.mark.parametrize("nuisances", [frozenset(), frozenset({"offset", "background"})], ids=["none", "some"])
def test_nothing_is_found_in_an_exact_film(nuisances: frozenset[Nuisance]) -> None:
    scores = [effect.score for seed in range(4) for effect in found(whole(), nuisances, seed)[2]]
    assert np.abs(scores).max() < 4
    assert 0.6 < np.std(scores) < 1.4


def test_what_is_estimated_along_is_no_effect() -> None:
    names = {effect.name for effect in found(whole(), frozenset({"background", "bleaching"}))[2]}
    assert not names & {"bleaching", "immobile share"}
    assert "anisotropy, (Dx − Dy)/2D" in names


def test_the_shift_is_what_an_unknown_effect_does_to_d() -> None:
    amount = 0.01
    without = found(whole())[0]
    with_it = found(whole() * (1 - amount * SHARE))[0]
    effect = next(each for each in found(whole())[2] if each.name == "bleaching")
    assert effect.amount == amount
    assert effect.shift == pytest.approx(with_it / without - 1, rel=0.05)
    assert abs(effect.shift) > 0.003
