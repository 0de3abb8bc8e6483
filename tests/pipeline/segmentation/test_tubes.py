"""Moving regions of which some are one thing."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.trajectories import TrackedPoints
from pipeline.segmentation.tubes import (
    alike,
    attached,
    carried_labels,
    joined_by_turning,
    labelled,
    lasting,
    merged_tubes,
    near,
    parted,
    taken_over,
    without_smear,
)
from tests.pipeline.segmentation.small_videos import still_chain


def test_an_id_that_goes_on_where_another_ends_is_the_same_thing() -> None:
    labels = np.zeros((10, 20, 40), np.uint8)
    labels[:5, 5:15, 5:15], labels[5:, 5:15, 5:15] = 1, 2
    labels[:, 5:15, 15:25] = 3
    joined = taken_over(labels, still_chain(10, (20, 40)))
    assert len(np.unique(joined[:, 5:15, 5:15])) == 1
    assert joined[0, 10, 10] != joined[0, 10, 20], "what only touches stays another thing"


def test_a_small_part_that_always_touches_is_a_limb_and_a_passer_by_is_not() -> None:
    body, leg, away = np.zeros((3, 60, 80), bool)
    body[10:30, 20:60], leg[31:42, 24:30], away[45:56, 70:76] = True, True, True
    assert attached([(t, body, leg) for t in range(6)])
    assert not attached([(t, body, leg if t < 3 else away) for t in range(6)])
    assert not attached([(t, body, np.roll(body, 21, axis=0)) for t in range(6)]), "as large as the other"


def test_what_is_seen_in_a_few_frames_only_is_no_tube() -> None:
    tubes = np.zeros((9, 4, 4), np.uint8)
    tubes[:, 0], tubes[:3, 2] = 1, 2
    assert np.unique(lasting(tubes)).tolist() == [0, 1]
    assert np.unique(lasting(tubes[:3])).tolist() == [0, 1, 2], "a short video has no more frames"


def test_tubes_of_one_velocity_are_alike_and_of_another_are_not() -> None:
    own = np.full((6, 4), np.nan)
    own[1:] = [3.0, 1.0, 3.0, 1.0]
    assert alike(own, own + np.array([0.2, 0, 0, 0]))
    assert not alike(own, own + np.array([-3.0, 0, 0, 0]))
    assert not alike(own, np.full((6, 4), np.nan)), "never seen together"


def test_tubes_are_near_if_they_are_so_in_most_frames() -> None:
    first, close, far = np.zeros((3, 60, 80), bool)
    first[10:20, 10:20], close[10:20, 24:30], far[10:20, 60:70] = True, True, True
    assert near([(0, first, close), (1, first, close), (2, first, far)])
    assert not near([(0, first, close), (1, first, far), (2, first, far)])


def test_weak_residual_around_a_region_is_smear() -> None:
    labels, residual = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.float32)
    labels[5:35, 5:35], residual[5:35, 5:35], residual[10:30, 10:30] = 3, 0.4, 1.5
    clear = without_smear(labels, residual, 20)
    assert clear[20, 20] == 3 and not clear[7, 20] and 350 < (clear > 0).sum() <= 400


def square(row: int, column: int) -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[row : row + 10, column : column + 10] = True
    return mask


def test_what_goes_apart_by_more_than_half_of_its_size_is_two_things() -> None:
    assert parted([(t, square(20, 10), square(20, 22 + 4 * t)) for t in range(8)])
    turning = [(t, square(25, 30), square(25 + round(12 * np.sin(t)), 30 + round(12 * np.cos(t)))) for t in range(8)]
    assert not parted(turning), "parts of a thing that turns keep their distance"


def test_pixels_far_from_all_trajectories_have_no_id_until_flow_brings_one() -> None:
    chain, moving = still_chain(3, (40, 60)), np.zeros((40, 60), bool)
    moving[10:20, 5:15], moving[10:20, 45:55] = True, True
    points = TrackedPoints(np.arange(2), np.float32([[8, 14], [12, 14]]))
    voted = labelled(moving, points, np.array([1, 1]), chain, 1)
    assert (voted[10:20, 5:15] == 1).all()
    assert not voted[10:20, 45:55].any()
    before = np.zeros((40, 60), np.uint8)
    before[5:25, 40:60] = 2
    carried = carried_labels([before, voted, np.zeros_like(before)], [moving] * 3, chain)
    for t in (1, 2):
        assert (carried[t][10:20, 45:55] == 2).all() and (carried[t][10:20, 5:15] == 1).all()
        assert not carried[t][~moving].any()
    chain.forward_valid[:], chain.backward_valid[:] = False, False
    assert not carried_labels([before, voted, before], [moving] * 3, chain)[1][10:20, 45:55].any()


def test_parts_of_a_thing_move_differently_only_as_far_as_they_are_apart() -> None:
    first, second = np.tile([9.0, 0.0, 9.0, 0.0], (6, 1)), np.tile([12.0, 0.0, 12.0, 0.0], (6, 1))
    near_by, far = ([(t, square(20, 5), square(20, left)) for t in range(6)] for left in (16, 45))
    assert alike(first, second)
    assert not joined_by_turning(first, second, near_by), "3 px a frame, 11 px apart"
    assert joined_by_turning(first, second, far), "3 px a frame, 40 px apart: 4 degrees"


def two_pairs() -> tuple[np.ndarray, FlowChain]:
    """Things 1 and 2 that touch and part by 8 px a frame, then 3 and 4 that touch and go side by side."""
    tubes = np.zeros((8, 40, 90), np.uint8)
    flow = np.zeros((7, 40, 90, 2), np.float16)
    for t in range(8):
        early = t < 4
        places = {1: (5, 10), 2: (5, 20 + 8 * t)} if early else {3: (20, 10 + 5 * t), 4: (20, 20 + 5 * t)}
        for k, (top, left) in places.items():
            tubes[t, top : top + 10, left : left + 10] = k
        for k, speed in {1: 2, 2: 10, 3: 5, 4: 5}.items():
            flow[min(t, 6), tubes[t] == k, 0] = speed
    sure = np.ones(flow.shape[:3], bool)
    return tubes, FlowChain(flow, -flow, sure, sure)


def test_things_that_were_seen_apart_are_never_joined_by_going_side_by_side() -> None:
    tubes, chain = two_pairs()
    known = merged_tubes(tubes, chain, {1: 1, 2: 2, 3: 1, 4: 2})
    assert np.unique(known).tolist() == [0, 1, 2, 3, 4]
    strangers = merged_tubes(tubes, chain, {k: k for k in (1, 2, 3, 4)})
    assert np.unique(strangers).tolist() == [0, 1, 2, 3], "what moves alike is one thing"
