"""Masks followed from given frames: carried, judged, asked for again, lost and found."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.propagation import box_of, flattened, inner_points, propagated_ids

SIZE, FRAMES = (40, 80), 8


def sliding_square(hidden: tuple[int, ...] = (), step: int = 4) -> tuple[np.ndarray, np.ndarray, FlowChain]:
    """A red square that slides over blue ground, hidden in some frames; its true ids and exact flow."""
    images, ids = np.zeros((FRAMES, *SIZE, 3), np.uint8), np.zeros((FRAMES, *SIZE), np.uint8)
    images[..., 2] = 200
    forward, backward = (np.zeros((FRAMES - 1, *SIZE, 2), np.float16) for _ in "fb")
    for t in range(FRAMES):
        place = (slice(12, 24), slice(6 + step * t, 18 + step * t))
        if t not in hidden:
            images[(t, *place)], ids[(t, *place)] = (220, 30, 20), 1
        if t < FRAMES - 1:
            forward[(t, *place)] = (step, 0)
        if t > 0:
            backward[(t - 1, *place)] = (-step, 0)
    seen_ahead, seen_behind = (np.ones((FRAMES - 1, *SIZE), bool) for _ in "fb")
    for t in range(FRAMES - 1):
        covered = np.zeros((2, *SIZE), bool)
        covered[0, 12:24, 6 + step * t : 18 + step * t] = covered[
            1, 12:24, 6 + step * (t + 1) : 18 + step * (t + 1)
        ] = True
        seen_ahead[t] = ~covered[1] | covered[0]
        seen_behind[t] = ~covered[0] | covered[1]
    return images, ids, FlowChain(forward, backward, seen_ahead, seen_behind)


class Truthful:
    """A segmenter that knows the answer, and counts how often it is asked."""

    def __init__(self, images: np.ndarray) -> None:
        self.asked, self.images = 0, images

    def segment(self, image, points, labels, box) -> tuple[np.ndarray, float]:
        self.asked += 1
        return image[..., 0] > 100, 1.0


def test_a_mask_follows_the_flow_both_ways_from_its_frame() -> None:
    images, ids, chain = sliding_square()
    found = propagated_ids(images, chain, {3: {1: ids[3] == 1}})
    np.testing.assert_array_equal(found, ids)


def test_between_two_given_frames_the_nearer_one_decides() -> None:
    images, ids, chain = sliding_square()
    found = propagated_ids(images, chain, {0: {1: ids[0] == 1}, 7: {2: ids[7] == 1}})
    assert [int(frame.max()) for frame in found] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_a_segmenter_is_asked_only_where_the_tracked_mask_is_poor() -> None:
    images, ids, chain = sliding_square()
    good = Truthful(images)
    propagated_ids(images, chain, {0: {1: ids[0] == 1}}, good)
    assert good.asked == 0
    chain.backward[4] *= 0.5
    chain.backward_valid[4] = False
    poor = Truthful(images)
    found = propagated_ids(images, chain, {0: {1: ids[0] == 1}}, poor)
    assert poor.asked == 1
    np.testing.assert_array_equal(found, ids)
    assert (propagated_ids(images, chain, {0: {1: ids[0] == 1}})[5] != ids[5]).any(), "without it the mask drifts"


def test_an_object_that_is_hidden_and_returns_takes_its_id_back() -> None:
    images, ids, chain = sliding_square(hidden=(3, 4))
    regions = 7 * ids
    found = propagated_ids(images, chain, {0: {1: ids[0] == 1}}, None, regions)
    np.testing.assert_array_equal(found, ids)
    lost = propagated_ids(images, chain, {0: {1: ids[0] == 1}})
    assert not lost[3:].any(), "without a region to return to it stays lost"


def test_a_region_that_looks_different_is_not_taken_for_the_lost_object() -> None:
    images, ids, chain = sliding_square(hidden=(3, 4))
    images[5:][ids[5:] == 1] = (20, 200, 40)
    assert not propagated_ids(images, chain, {0: {1: ids[0] == 1}}, None, 7 * ids)[3:].any()


def test_points_lie_inside_and_the_box_around() -> None:
    mask = np.zeros((40, 80), bool)
    mask[5:15, 5:15], mask[20:30, 50:70] = True, True
    points = inner_points(mask)
    assert len(points) >= 2
    assert all(mask[int(y), int(x)] for x, y in points)
    assert box_of(mask) == (5, 5, 70, 30)


def test_the_smaller_of_two_overlapping_objects_lies_on_top() -> None:
    large, small = np.ones((4, 6), bool), np.zeros((4, 6), bool)
    small[1, 2] = True
    assert flattened({1: small, 2: large}, (4, 6))[1, 2] == 1
