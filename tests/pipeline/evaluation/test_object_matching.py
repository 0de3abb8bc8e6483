"""Matching of estimated and true objects."""

import numpy as np
import pytest

from pipeline.evaluation.object_matching import id_switches, in_true_ids, match_objects, object_ious, resized_ids


def clip(*frames: list[int]) -> np.ndarray:
    """Frames of one row of pixels."""
    return np.array(frames, np.uint8)[:, None, :]


def test_objects_are_matched_by_overlap_over_the_whole_clip_and_the_background_is_itself() -> None:
    target = clip([0, 1, 1, 2], [0, 1, 2, 2])
    assert match_objects(clip([0, 7, 7, 3], [0, 7, 3, 3]), target) == {0: 0, 7: 1, 3: 2}


def test_the_background_is_never_an_object_even_where_masks_are_inverted() -> None:
    assert match_objects(clip([1, 0, 0, 0]), clip([0, 1, 1, 1]))[0] == 0


def test_an_object_without_counterpart_is_left_out_and_counts_for_no_true_id() -> None:
    ids, target = clip([0, 5, 5, 6]), clip([0, 1, 1, 0])
    matching = match_objects(ids, target)
    assert matching == {0: 0, 5: 1}
    assert in_true_ids(ids, matching)[0, 0, :3].tolist() == [0, 1, 1]
    assert in_true_ids(ids, matching)[0, 0, 3] not in (0, 1, 255)


def test_ignored_frames_do_not_weigh_on_the_matching() -> None:
    ids = clip([0, 3, 3, 0], [3, 3, 3, 3], [3, 3, 3, 3])
    target = clip([0, 1, 1, 0], [255] * 4, [255] * 4)
    assert match_objects(ids, target) == {0: 0, 3: 1}
    assert object_ious(in_true_ids(ids, {0: 0, 3: 1}), target) == {0: 1.0, 1: 1.0}


def test_iou_is_averaged_over_the_frames_in_which_the_object_is() -> None:
    target = clip([0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1])
    ids = clip([0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1])
    assert object_ious(ids, target)[1] == pytest.approx((0.5 + 1) / 2)


def test_a_swap_of_ids_is_one_switch_for_each_object_and_a_gap_is_none() -> None:
    target = clip([1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2])
    assert id_switches(clip([1, 1, 2, 2], [2, 2, 1, 1], [2, 2, 1, 1]), target) == {1: 1, 2: 1}
    assert id_switches(clip([1, 1, 2, 2], [0, 0, 2, 2], [1, 1, 2, 2]), target) == {1: 0, 2: 0}
    assert id_switches(clip([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]), target) == {1: 0, 2: 0}


def test_resizing_ids_invents_none() -> None:
    ids = np.random.default_rng(0).choice([0, 3, 200], (2, 9, 7)).astype(np.uint8)
    assert set(np.unique(resized_ids(ids, 20, 31))) <= {0, 3, 200}
    assert resized_ids(ids, 9, 7) is ids
