"""Moving regions of which some are one thing."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.trajectories import TrackedPoints
from pipeline.segmentation.tubes import (
    carried_labels,
    joined_stays,
    labelled,
    lasting,
    single_stays,
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


def test_what_is_seen_in_a_few_frames_only_is_no_tube() -> None:
    tubes = np.zeros((9, 4, 4), np.uint8)
    tubes[:, 0], tubes[:3, 2] = 1, 2
    assert np.unique(lasting(tubes)).tolist() == [0, 1]
    assert np.unique(lasting(tubes[:3])).tolist() == [0, 1, 2], "a short video has no more frames"


def test_weak_residual_around_a_region_is_smear() -> None:
    labels, residual = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.float32)
    labels[5:35, 5:35], residual[5:35, 5:35], residual[10:30, 10:30] = 3, 0.4, 1.5
    clear = without_smear(labels, residual, 20)
    assert clear[20, 20] == 3 and not clear[7, 20] and 350 < (clear > 0).sum() <= 400


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


def test_a_thing_that_is_away_has_two_stays_and_one_that_blinks_has_one() -> None:
    ids = np.zeros((12, 4, 4), np.uint8)
    ids[[0, 1, 2, 9, 10], 0], ids[[0, 1, 4, 5], 2] = 7, 9
    stays = single_stays(ids)
    assert stays[0, 0, 0] == stays[2, 0, 0] != stays[9, 0, 0] == stays[10, 0, 0]
    assert stays[0, 2, 0] == stays[5, 2, 0]
    assert ((stays > 0) == (ids > 0)).all() and len(np.unique(stays)) == 4
    many = np.zeros((1020, 1, 1), np.uint8)
    many[::4] = 1  # 255 stays, each three frames after the other
    np.testing.assert_array_equal(single_stays(np.repeat(many, 2, axis=0)), np.repeat(many, 2, axis=0))


def test_a_part_that_an_id_had_for_a_while_is_joined_and_what_else_it_had_is_not() -> None:
    frames, size = 14, (60, 150)
    rows, columns = np.mgrid[: size[0], : size[1]]
    ids, images = np.zeros((frames, *size), np.uint8), np.full((frames, *size, 3), 120, np.uint8)
    flow = np.zeros((frames - 1, *size, 2), np.float16)
    for t in range(frames):
        inside = np.hypot(columns - 30 - 3 * t, rows - 30) < 20
        part = inside & (columns > 30 + 3 * t) & (t < 8)
        late = (t > 11) & (columns > 135) & (rows > 45)
        ids[t] = np.where(part | late, 2, inside)
        images[t][inside], images[t][late] = (200, 30, 30), (30, 30, 200)
        if t < frames - 1:
            flow[t, ..., 0] = 3 * inside
    sure = np.ones(flow.shape[:3], bool)
    joined = joined_stays(images, ids, FlowChain(flow, -flow, sure, sure))
    assert len(np.unique(joined[:8][ids[:8] > 0])) == 1
    assert joined[0, 30, 30] not in joined[12][ids[12] == 2]
