"""What is found fills free pixels only; its borders are put on edges, unless that loses it."""

import numpy as np

from pipeline.cameras import IGNORE_ID
from pipeline.refinement.masks import corrected, filled_in, near_enough
from tests.pipeline.refinement.sliding_square import chain, images, known_camera, place, true_ids

ALL_SHOWN = np.zeros(true_ids().shape, bool)


def test_a_lost_square_is_found_where_it_is_and_nothing_else_changes() -> None:
    truth = true_ids()
    first = truth.copy()
    first[4:6] = 0
    found = corrected(first, images(), ALL_SHOWN, chain(), known_camera(), 0.0007, 0.2)
    for t in (4, 5):
        assert (found.object_ids[t] != truth[t]).sum() < 0.12 * (truth[t] == 1).sum()
    others = [0, 1, 2, 3, 6, 7, 8, 9]
    assert (found.object_ids[others] == truth[others]).mean() > 0.995
    assert {4, 5} <= set(found.regained[1])


def test_what_belongs_to_no_object_is_ignored_and_never_background() -> None:
    nothing, truth = np.zeros_like(true_ids()), true_ids()
    found = corrected(nothing, images(), ALL_SHOWN, chain(), known_camera(), 0.0007, 0.2)
    ignored = found.object_ids == IGNORE_ID
    assert found.regained == {} and set(np.unique(found.object_ids)) == {0, IGNORE_ID}
    assert (ignored & (truth == 1)).sum() > 0.8 * (truth == 1).sum() and ignored[truth == 0].mean() < 0.02
    assert found.newly_ignored == ignored.mean()


def test_what_text_hides_is_nobodys() -> None:
    """It is ignored in those frames only, and stays so."""
    first, hidden = true_ids(), ALL_SHOWN.copy()
    hidden[4:6] = (first == 1)[4:6]
    first[hidden] = IGNORE_ID
    found = filled_in(first, np.where(hidden, 1, 0).astype(np.uint8), hidden, images(), chain(), 0.2)
    assert (found.object_ids[hidden] == IGNORE_ID).all()
    assert (
        corrected(first, images(), hidden, chain(), known_camera(), 0.0007, 0.2).object_ids[hidden] == IGNORE_ID
    ).all()


def test_pixels_of_an_object_are_never_taken() -> None:
    truth = true_ids()
    found = np.zeros_like(truth)
    found[3] = 2
    ids = filled_in(truth, np.where(truth == 1, found, 0), ALL_SHOWN, images(), chain(), 0.2)
    np.testing.assert_array_equal(ids.object_ids, truth)
    assert ids.regained == {}


def test_borders_that_lose_an_object_are_not_taken() -> None:
    before = np.zeros((60, 100), np.uint8)
    before[place(2)] = 1
    shifted = np.roll(before, 14, axis=1)
    np.testing.assert_array_equal(near_enough(shifted, before, [1]), before)
    almost = np.roll(before, 2, axis=1)
    np.testing.assert_array_equal(near_enough(almost, before, [1]), almost)
