"""Whether an object has a motion of its own."""

import numpy as np
import pytest

from pipeline.segmentation.boundary_refinement import refine_masks
from pipeline.segmentation.motion_test import objects_that_move, own_motion
from tests.pipeline.segmentation.small_videos import square_over_wall


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
