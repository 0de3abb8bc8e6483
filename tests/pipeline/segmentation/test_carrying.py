"""Things carried from frame to frame: with their own motion, up to where they are lost, between the frames that know them."""

import numpy as np

from pipeline.segmentation.carrying import carried_ids, moved_mask
from tests.pipeline.segmentation.small_videos import square_over_wall


def test_a_thing_is_carried_with_its_own_motion_both_ways() -> None:
    images, truth, chain = square_over_wall(speed=3)
    found = carried_ids(images, chain, {3: {7: truth[3] > 0}})
    both, either = ((found == 7) & (truth > 0)).sum((1, 2)), ((found == 7) | (truth > 0)).sum((1, 2))
    assert (both > 0.8 * either).all() and set(np.unique(found)) == {0, 7}


def test_the_border_moves_with_the_thing_where_flow_is_smeared_over_it() -> None:
    _, truth, chain = square_over_wall(speed=3)
    np.testing.assert_array_equal(moved_mask(truth[0] > 0, chain, 1, 1), truth[1] > 0)


def test_what_no_longer_looks_like_itself_is_given_up() -> None:
    images, truth, chain = square_over_wall(speed=3)
    images[4:] = 255 - images[4:] // 8
    found = carried_ids(images, chain, {0: {1: truth[0] > 0}})
    assert found[3].any() and not found[4:].any()


def test_between_two_known_frames_the_nearer_one_decides() -> None:
    images, truth, chain = square_over_wall(speed=0)
    first, last = truth[0] > 0, truth[0] > 0
    first[:, 30:], last[:, :30] = False, False
    found = carried_ids(images, chain, {0: {1: first}, 6: {1: last}})
    assert (found[0] == 1).sum() == first.sum() and (found[6] == 1).sum() == last.sum()
    assert found[1, 30, 24] == 1 and found[5, 30, 24] == 0
