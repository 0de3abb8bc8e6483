"""Whether an object has a motion of its own."""

import numpy as np
import pytest

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.boundary_refinement import refine_masks
from pipeline.segmentation.motion_test import (
    crumbs,
    objects_that_move,
    own_motion,
    stretches,
    without_crumbs,
    without_smear_of_others,
    without_still_stretches,
)
from tests.pipeline.segmentation.small_videos import square_over_wall, still_chain


def test_an_object_that_slides_has_its_own_motion_and_a_patch_of_wall_has_none() -> None:
    images, ids, chain = square_over_wall(3)
    ids[:, 5:15, 70:85] = 2
    moves = own_motion(images, ids, chain, 0.2)
    assert moves[1] > 0.5
    assert abs(moves[2]) < 0.05


def test_what_is_in_doubt_is_looked_at_again_and_what_is_sure_stays() -> None:
    images, ids, chain = square_over_wall(3)
    alone = refine_masks(images, ids, chain, 0.2)
    ids[:, 5:15, 70:85] = 2
    found = objects_that_move(images, ids, chain, 0.2)
    assert set(np.unique(found)) == {0, 1}
    assert ((found == 1) == (alone == 1)).mean() > 0.99


def test_only_what_is_in_doubt_is_looked_at_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[object, ...]] = []

    def watched(images: np.ndarray, ids: np.ndarray, *arguments: object) -> np.ndarray:
        looks.append(arguments)
        return ids.copy()

    monkeypatch.setattr("pipeline.segmentation.motion_test.refine_masks", watched)
    images, ids, chain = square_over_wall(3)
    objects_that_move(images, ids, chain, 0.2)
    assert looks == [(chain, 0.2)]
    ids[:, 5:15, 70:85] = 2
    objects_that_move(images, ids, chain, 0.2)
    assert looks[1:] == [(chain, 0.2), (chain, 0.2, [2])]


def test_a_crumb_that_stays_behind_is_dropped_and_one_that_goes_on_is_kept() -> None:
    ids, flow = np.zeros((12, 40, 90), np.uint8), np.zeros((11, 40, 90, 2), np.float16)
    for t in range(6):
        ids[t, 10:30, 5 + 5 * t : 25 + 5 * t] = 1
        flow[t, ids[t] == 1, 0] = 5
    ids[6:, 15:19, 50:54] = 1
    sure = np.ones(flow.shape[:3], bool)
    left = without_crumbs(ids, FlowChain(flow, -flow, sure, sure))
    assert (left[:7] == ids[:7]).all() and not left[7:].any(), "beside the last whole one it may be the thing"
    flow[7, 15:19, 50:54, 0] = 5
    left = without_crumbs(ids, FlowChain(flow, -flow, sure, sure))
    assert (left[:8] == ids[:8]).all() and not left[8:].any(), "a frame in which it moves is its own"
    flow[6:, 15:19, 50:54, 0] = 3
    np.testing.assert_array_equal(without_crumbs(ids, FlowChain(flow, -flow, sure, sure)), ids)


def test_crumbs_are_small_for_several_frames() -> None:
    assert crumbs(np.array([10, 12, 400, 410, 395, 9, 8, 7, 11, 0, 5, 5])) == [slice(6, 9)]
    assert crumbs(np.zeros(3, int)) == []


def test_an_id_that_jumps_to_the_wall_is_left_there_and_a_thing_that_rests_is_kept() -> None:
    images, ids, chain = square_over_wall(3)
    still = np.zeros((6, *ids.shape[1:]), bool)
    still[4:] = True  # it stops after frame 4
    for t in (5, 6):
        images[t], ids[t] = images[4], ids[4]
    flow = np.where(still[..., None], 0, chain.forward), np.where(still[..., None], 0, chain.backward)
    rests = FlowChain(*flow, chain.forward_valid, chain.backward_valid)
    assert [run.tolist() for run in stretches(ids == 1, rests)] == [[0, 1, 2, 3, 4, 5, 6]]
    np.testing.assert_array_equal(without_still_stretches(images, ids, rests, 0.2), ids)

    jumped = ids.copy()
    jumped[4:] = 0
    jumped[4:, 4:16, 72:86] = 1
    images[4:, :, 60:] = np.array([20, 60, 200])
    assert [run.tolist() for run in stretches(jumped == 1, rests)] == [[0, 1, 2, 3], [4, 5, 6]]
    left = without_still_stretches(images, jumped, rests, 0.2)
    assert not left[4:].any() and (left[:4] == jumped[:4]).all()


def test_what_jumps_along_the_border_of_a_larger_thing_is_smear_and_what_stays_or_is_alone_is_a_thing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, images = np.zeros((8, 60, 90), np.uint8), np.full((8, 60, 90, 3), 120, np.uint8)
    ids[:, 10:50, 30:60] = 1
    for t in range(8):
        top, size = (12, 4) if t % 2 else (30, 16)
        ids[t, top : top + size, 60:66] = 2  # beside 1, at one place, then at another
        ids[t, top : top + size, 80:86] = 3  # the same, alone
        ids[t, 20:36, 24:30] = 4  # beside 1, always the same
    images[ids > 0] = (200, 40, 40)
    chain = still_chain(8, (60, 90))  # nothing moves, so nothing has a motion of its own
    assert np.unique(without_smear_of_others(images, ids, chain, 0.2)).tolist() == [0, 1, 3, 4]
    monkeypatch.setattr("pipeline.segmentation.motion_test.object_motion", lambda *_: 0.9)
    assert np.unique(without_smear_of_others(images, ids, chain, 0.2)).tolist() == [0, 1, 2, 3, 4], "it surely moves"
