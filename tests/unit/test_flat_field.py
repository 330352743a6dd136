"""Reference and dark images, and saturated pixels."""

from typing import Any

import numpy as np
import pytest

from holes import Frames, hole, video
from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.checks import flat_field, measure

TIMES: Frames = np.asarray(np.arange(5) * 2.0, dtype=np.float64)
TRUTH = 100 + 50 * hole(1.2, TIMES, (16, 20))
LIGHT = 1 - 0.3 * np.hypot(*np.mgrid[-8:8, -10:10]) / 12
DARK = 20 + np.random.default_rng(0).normal(size=(16, 20))


def test_reference_and_dark_image_undo_what_light_and_detector_did() -> None:
    raw = video(DARK + LIGHT * TRUTH, TIMES)
    corrected = flat_field(raw, DARK + 300 * LIGHT, DARK)
    assert corrected.to_numpy() == pytest.approx(TRUTH * LIGHT.mean(), rel=1e-12)
    assert corrected["time"].to_numpy() == pytest.approx(TIMES)


def test_the_dark_level_may_be_a_number_and_either_may_be_missing() -> None:
    raw = video(20 + LIGHT * TRUTH, TIMES)
    assert flat_field(raw, 20 + LIGHT, 20.0).to_numpy() == pytest.approx(TRUTH * LIGHT.mean())
    assert flat_field(raw, None, 20).to_numpy() == pytest.approx(LIGHT * TRUTH)
    assert flat_field(raw, LIGHT).to_numpy() == pytest.approx(raw.to_numpy() / LIGHT * LIGHT.mean())
    assert flat_field(raw) is raw


def test_pixels_that_see_no_light_are_left_out() -> None:
    lit = np.hypot(*np.mgrid[-8:8, -10:10]) < 9
    reference = 20 + 300 * lit
    corrected = flat_field(video(20 + lit * TRUTH, TIMES), reference, 20)
    assert (np.isnan(corrected.to_numpy()) == ~lit).all()
    # The mean of the light is that of the lit pixels, so units stay.
    assert corrected.to_numpy()[:, lit] == pytest.approx(TRUTH[:, lit])
    assert measure(corrected).missing is not None


@pytest.mark.parametrize(
    ("reference", "dark", "says"),
    [
        (np.ones((16, 16)), None, "the reference has 16 × 16 pixels and a frame 16 × 20"),
        (np.ones((16, 20)), np.zeros((20, 16)), "the dark image has 20 × 16 pixels and a frame 16 × 20"),
        (np.ones((16, 20)), 1.0, "nowhere brighter than the dark level"),
        (np.ones((16, 20)), DARK, "nowhere brighter than the dark level"),
        (np.ones((2, 16, 20)), None, "the reference has 2 × 16 × 20 pixels"),
    ],
)
def test_images_that_do_not_belong_are_refused_in_a_sentence(reference: Any, dark: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        flat_field(video(TRUTH, TIMES), reference, dark)


def test_saturation_is_told_before_the_correction() -> None:
    raw = video(np.minimum(20 + LIGHT * TRUTH, 94), TIMES).assign_attrs(saturation=94)
    corrected = flat_field(raw, 20 + 300 * LIGHT, 20)
    saturated = raw.to_numpy() == 94
    assert 0.05 < saturated.mean() < 0.5
    assert (np.isnan(corrected.to_numpy()) == saturated).all()
    assert "saturation" not in corrected.attrs
    found = measure(raw)
    assert found.missing is not None
    assert (found.missing == saturated).all()
    assert "saturated or clipped" in found.notes[0]


def test_whole_numbers_that_pile_up_at_an_end_are_taken_as_clipped() -> None:
    frames = np.round(TRUTH + 3 * np.random.default_rng(2).normal(size=TRUTH.shape))
    unclipped = measure(video(frames.astype(np.uint8), TIMES))
    assert unclipped.missing is None
    assert not unclipped.notes
    for clipped, end in ((np.minimum(frames, 93), 93), (np.maximum(frames, 70), 70)):
        found = measure(video(clipped.astype(np.uint8), TIMES))
        assert found.missing is not None
        assert (found.missing == (clipped == end)).all()
    # Floats without a known saturation are taken as they are.
    assert measure(video(np.minimum(frames, 85), TIMES)).missing is None
    # So are pictures of a few levels.
    few = measure(video(np.round(frames / 10).astype(np.uint8), TIMES))
    assert few.missing is None
