"""Which objects are kept, in which order, and how sure they are."""

import numpy as np
import pytest

from pipeline.config import Prompt
from pipeline.segmentation.object_confidence import (
    held_confidence,
    kept_objects,
    object_rows,
    steadiness,
)


def masks_and_residual() -> tuple[np.ndarray, np.ndarray]:
    """Object 2 is large and moves clearly, 5 is smaller, 7 hardly moves, 9 is seen in two frames of ten."""
    ids, residual = np.zeros((10, 20, 20), np.uint8), np.full((10, 20, 20), -0.2, np.float32)
    for k, rows, frames, value in (
        (5, (0, 3), 10, 1.0),
        (2, (4, 10), 10, 1.5),
        (7, (11, 14), 10, 0.4),
        (9, (15, 20), 2, 1.8),
    ):
        ids[:frames, rows[0] : rows[1]], residual[:frames, rows[0] : rows[1]] = k, value
    return ids, residual


def test_long_large_and_clear_objects_are_kept_the_clearest_first() -> None:
    ids, residual = masks_and_residual()
    kept = kept_objects(ids, residual, 0.01, 4)
    assert (kept[ids == 2] == 1).all() and (kept[ids == 5] == 2).all() and not kept[np.isin(ids, (0, 7, 9))].any()
    assert np.unique(kept_objects(ids, residual, 0.01, 1)).tolist() == [0, 1]
    assert (kept_objects(ids, residual, 0.2, 4) > 0).sum() == (ids == 2).sum(), "object 5 is too small"


def test_an_object_is_surer_the_clearer_and_longer_it_moves() -> None:
    ids, residual = masks_and_residual()
    rows = {row["id"]: row for row in object_rows(ids, residual, {2: "cat"}, {2: 0.91234})}
    assert rows[2]["confidence"] == pytest.approx(1 - np.exp(-3), abs=1e-3)
    assert rows[9]["confidence"] == pytest.approx((1 - np.exp(-3.6)) * 2 / 5, abs=1e-3)
    assert rows[2]["name"] == "cat" and rows[5]["name"] == "object 5" and rows[0]["confidence"] == 1
    assert rows[2]["evidence"] == {
        "frames": 10,
        "frames_moving": 10,
        "residual": 1.5,
        "area_percent": 30.0,
        "own_motion": 0.912,
    }
    held = dict.fromkeys((2, 5, 7, 9), 0.4)
    assert [row["confidence"] for row in object_rows(ids, residual, {}, {}, held)] == [1, 0.4, 0.4, 0.4, 0.4]


def test_a_prompted_object_is_less_sure_when_it_changes_its_colours_or_its_size_or_has_no_edge() -> None:
    images, ids = np.zeros((4, 40, 40, 3), np.uint8), np.zeros((4, 40, 40), np.uint8)
    images[:, 10:30, 10:30], ids[:, 10:30, 10:30] = (200, 80, 40), 1
    prompts = [Prompt(object=1, points=[(20, 20)])]
    sure = held_confidence(images, ids, prompts)[1]
    assert sure > 0.95
    other_colours, other_size, no_edge = images.copy(), ids.copy(), ids.copy()
    other_colours[2:, 10:30, 10:30] = (40, 80, 200)
    other_size[2:, 10:30, 20:30] = 0
    no_edge[:, 10:30, 10:30], no_edge[:, 14:26, 14:26] = 0, 1
    assert held_confidence(other_colours, ids, prompts)[1] < 0.6
    assert held_confidence(images, other_size, prompts)[1] < 0.9
    assert held_confidence(images, no_edge, prompts)[1] < 0.1


def test_frames_in_which_an_object_stands_still_do_not_count_as_moving() -> None:
    ids, residual = masks_and_residual()
    residual[3:, 4:10] = -0.1
    row = next(row for row in object_rows(ids, residual, {}, {}) if row["id"] == 2)
    assert row["evidence"]["frames"] == 10 and row["evidence"]["frames_moving"] == 3


def test_a_mask_that_jumps_is_less_steady_than_one_that_moves_on() -> None:
    images, ids = np.full((6, 40, 80, 3), 90, np.uint8), np.zeros((6, 40, 80), np.uint8)
    for t in range(6):
        images[t, 5:15, 10 + 4 * t : 20 + 4 * t], images[t, 25:35, 60:70] = (220, 30, 20), (20, 200, 60)
        ids[t, 5:15, 10 + 4 * t : 20 + 4 * t] = 1
    ids[:3, 25:35, 60:70] = 2
    ids[3:, 20:38, 50:70] = 2  # takes in the wall beside it
    steady = steadiness(images, ids)
    np.testing.assert_allclose(steady[1], 1.0, atol=1e-6)
    colours, areas = np.sqrt(100 / 360), 100 / 360  # what the two have in common
    np.testing.assert_allclose(steady[2], ((4 + colours * areas) / 5) ** 3, atol=0.01)
    rows = {row["id"]: row for row in object_rows(ids, np.ones(ids.shape, np.float32), {}, {}, None, steady)}
    assert rows[2]["evidence"]["steadiness"] == round(steady[2], 3)
    assert rows[2]["confidence"] < 0.75 * rows[1]["confidence"]


def test_at_the_border_of_the_image_size_says_nothing() -> None:
    images, ids = np.full((4, 40, 80, 3), 90, np.uint8), np.zeros((4, 40, 80), np.uint8)
    for t in range(4):
        ids[t, 10:30, : 5 + 10 * t] = 1
    np.testing.assert_allclose(steadiness(images, ids)[1], 1.0, atol=1e-6)
