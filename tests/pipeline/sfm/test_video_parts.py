"""Parts of a video say how sure the whole is."""

import numpy as np
import pytest

from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.video_parts import adjusted_parts, disagreement, spread_over_parts
from tests.pipeline.tracked_body import CAMERA, orbit, room, tracked


def test_parts_that_agree_with_each_other_but_not_with_the_whole_disagree() -> None:
    # Both parts are 0.2 off: sqrt(2 * 0.2^2 / 1 / 2) = 0.2.
    assert disagreement(5.0, np.array([5.2, 5.2])) == pytest.approx(0.2)
    # 0.1 to either side: the same sum over the same counts, 0.1.
    assert disagreement(5.0, np.array([4.9, 5.1])) == pytest.approx(0.1)


def test_one_part_says_nothing_of_how_sure_it_is() -> None:
    assert disagreement(5.0, np.array([5.0])) == np.inf


def test_parts_of_too_few_tracks_are_left_out_and_exact_parts_agree() -> None:
    model, seen = tracked(orbit(9, 0.5, 2.5), room(60))
    part = np.where(seen.track < 5, 0, 1)
    assert len(adjusted_parts(model, seen, part, 2, Freedom(), None)) == 1
    whole = adjust(model, seen, Freedom(focal=True))
    assert spread_over_parts(whole, seen, Freedom(focal=True), lambda each: each.model.camera.fx) < 0.05 * CAMERA.fx
