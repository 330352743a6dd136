"""Which nuisances are estimated, and what is known of the gains."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from safe_pit_cm.equations.boundaries import Boundary
from safe_pit_cm.equations.discretisation import Scheme
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.nuisances import NUISANCES, Gains, chosen

ALL = frozenset(NUISANCES)
EXPOSURES = np.arange(12.0)


@pytest.mark.parametrize(
    ("wanted", "boundary", "scheme", "expected"),
    [
        ("auto", "open", "continuous", ALL),
        ("auto", "no-flux", "continuous", ALL),
        ("auto", "periodic", "continuous", frozenset()),
        ("auto", "dirichlet", "continuous", frozenset()),
        ("auto", "open", "five-point", frozenset()),
        ("auto", "no-flux", "euler", frozenset()),
        ("all", "periodic", "euler", ALL),
        ("none", "open", "continuous", frozenset()),
        ([], "open", "continuous", frozenset()),
        ("offset, gain", "periodic", "continuous", frozenset({"offset", "gain"})),
        (["background", "bleaching"], "open", "euler", frozenset({"offset", "background", "bleaching"})),
        ("gain", "dirichlet", "continuous", frozenset({"gain"})),
    ],
)
def test_the_nuisances_are_chosen_by_name_or_by_what_a_laboratory_can_have(
    wanted: str | Iterable[str], boundary: Boundary, scheme: Scheme, expected: frozenset[str]
) -> None:
    assert chosen(wanted, boundary, scheme) == expected


@pytest.mark.parametrize("wanted", ["vignetting", "offset,vignetting", ["offset", "all"]])
def test_an_unknown_nuisance_is_refused_in_a_sentence(wanted: str | list[str]) -> None:
    with pytest.raises(UserError, match="is no nuisance; choose auto, none, all, or some of offset, gain"):
        chosen(wanted, "open", "continuous")


def gains(*names: str) -> Gains:
    found = Gains.before(frozenset(name for name in NUISANCES if name in names), EXPOSURES)
    assert found is not None
    return found


def test_without_gain_or_bleaching_there_are_no_gains() -> None:
    assert Gains.before(frozenset({"offset", "background"}), EXPOSURES) is None


@pytest.mark.parametrize("names", [("gain",), ("gain", "bleaching")])
def test_the_precision_is_the_inverse_of_the_covariance(names: tuple[str, ...]) -> None:
    before = replace(gains(*names), flicker=0.02)
    covariance = 0.02**2 * np.eye(12) + before.trend**2 * np.outer(before.exposures, before.exposures)
    assert before.trend == (0.3 if "bleaching" in names else 0)
    assert before.precision == pytest.approx(np.linalg.inv(covariance), rel=1e-9, abs=1e-6)


def test_frames_that_tell_no_gain_have_no_say_in_it() -> None:
    told = np.arange(12) < 8
    before = replace(gains("gain", "bleaching"), told=told)
    covariance = before.flicker**2 * np.eye(8) + before.trend**2 * np.outer(before.exposures[:8], before.exposures[:8])
    precision = before.precision
    assert precision[:8, :8] == pytest.approx(np.linalg.inv(covariance), rel=1e-9, abs=1e-6)
    assert not precision[8:].any()
    assert not precision[:, 8:].any()


def test_bleaching_alone_leaves_nothing_but_the_trend() -> None:
    strength = np.linalg.eigvalsh(gains("bleaching").precision)
    # One free direction, with the precision of the trend; the others are held.
    length = np.square(gains("bleaching").exposures).sum()
    assert strength[0] == pytest.approx(1 / (0.3**2 * length), rel=1e-3)
    assert strength[1] > 1e9 * strength[0]


@pytest.mark.parametrize("told", [np.ones(12, dtype=bool), np.arange(12) % 3 > 0])
def test_the_decay_is_the_loss_of_the_trend_over_the_film(told: np.ndarray) -> None:
    lost = 0.25
    logarithm = np.where(told, 0.7 - lost * EXPOSURES / 11, 0.0)
    assert replace(gains("gain", "bleaching"), logarithm=logarithm, told=told).decay == pytest.approx(lost)
    assert replace(gains("gain"), logarithm=logarithm, told=told).decay == 0


def test_a_step_moves_told_frames_and_the_flicker_follows() -> None:
    random = np.random.default_rng(0)
    exposures = np.arange(400.0)
    before = Gains.before(frozenset({"gain", "bleaching"}), exposures)
    assert before is not None
    step = 0.05 * random.normal(size=400) - 0.2 * exposures / 400
    told = exposures < 350
    after = before.moved(step, np.full(400, 1e-8), told)
    assert after.logarithm[:350] == pytest.approx(step[:350])
    assert not after.logarithm[350:].any()
    assert after.flicker == pytest.approx(0.05, rel=0.1)
    assert after.decay == pytest.approx(0.2, abs=0.03)


def test_noisy_steps_do_not_count_as_flicker() -> None:
    before = gains("gain")
    # Steps that are no more certain than the flicker leave it where it is.
    assert before.moved(np.full(12, 0.5), np.full(12, 1.0), before.told).flicker == before.flicker
    # Steps of 0 with a small variance lower it, down to that variance.
    assert before.moved(np.zeros(12), np.full(12, 4e-5), before.told).flicker == pytest.approx(np.sqrt(4e-5))
    assert before.moved(np.zeros(12), np.zeros(12), before.told).flicker == 1e-3
