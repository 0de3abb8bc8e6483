"""Whether a pixel moves with the object or with what is beside it, where both motions are known."""

import cv2
import numpy as np
import pytest

from pipeline.correspondence.flow_chain import FlowChain, Step, steps_from
from pipeline.segmentation.boundary_refinement import border_mean, flat_regions, refine_masks, shading_normalised
from pipeline.segmentation.layered_motion import STRIDES, fitted_motion, motion_margin
from pipeline.segmentation.motion_test import objects_that_move, own_motion

SIZE = (60, 90)


def square_over_wall(speed: int) -> tuple[np.ndarray, np.ndarray, FlowChain]:
    """A textured square that slides over a textured wall; true ids; flow that is smeared 4 px beyond its border."""
    rng = np.random.default_rng(0)
    wall, skin = (
        cv2.GaussianBlur(rng.integers(0, 255, (*size, 3)).astype(np.uint8), (0, 0), 1.2) for size in (SIZE, (24, 24))
    )
    images, ids = np.stack([wall] * 7), np.zeros((7, *SIZE), np.uint8)
    smeared = np.zeros((7, *SIZE), bool)
    for t in range(7):
        left = 20 + speed * t
        images[t, 18:42, left : left + 24], ids[t, 18:42, left : left + 24] = skin, 1
        smeared[t, 14:46, left - 4 : left + 28] = True
    forward, backward = (np.zeros((6, *SIZE, 2), np.float16) for _ in "fb")
    forward[smeared[:-1], 0], backward[smeared[1:], 0] = speed, -speed
    valid = np.ones((6, *SIZE), bool)
    return images, ids, FlowChain(forward, backward, valid, valid)


def test_pixels_that_flow_drags_along_are_told_from_the_object() -> None:
    images, ids, chain = square_over_wall(3)
    pictures = {t: shading_normalised(image) for t, image in enumerate(images)}
    mask = ids[3] == 1
    core = cv2.erode(mask.astype(np.uint8), np.ones((7, 7))) > 0
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((13, 13))) == 0
    margin = motion_margin(pictures, 3, steps_from(chain, 3, STRIDES), core, beside, (slice(0, 60), slice(0, 90)))
    dragged = (cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) > 0) & ~(
        cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) > 0
    )
    assert (margin[core] < 0).mean() > 0.95
    assert (margin[dragged] > 0).mean() > 0.85


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


def test_objects_that_are_not_in_doubt_keep_their_borders() -> None:
    images, ids, chain = square_over_wall(3)
    wide = np.stack([cv2.dilate(mask, np.ones((9, 9))) for mask in ids])
    assert (refine_masks(images, wide, chain, 0.2, doubtful=[2]) != wide).mean() < 0.01
    assert (refine_masks(images, wide, chain, 0.2, doubtful=[1]) != wide).mean() > 0.05


def test_a_region_without_texture_hears_what_its_border_says() -> None:
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    image[20:40, 30:60] = (90, 140, 60)
    flats = flat_regions(image)
    inside = flats == flats[30, 45]
    assert flats[30, 45] > 0 and 300 < inside.sum() <= 600
    margin = np.where(inside, 0, 2).astype(np.float32)
    said = border_mean(margin, flats)
    np.testing.assert_allclose(said[inside], 2)
    assert not said[flats == 0].any()


def test_a_fitted_motion_goes_on_beyond_its_region_and_ignores_outliers() -> None:
    rows, columns = np.indices(SIZE)
    flow = np.stack([0.02 * columns - 0.01 * rows + 1, 0.03 * rows - 2.0], -1).astype(np.float32)
    where = np.zeros(SIZE, bool)
    where[10:30, 10:40] = True
    broken = flow.copy()
    broken[12:16, 12:20] += 9
    motion = fitted_motion(Step(1, 1, broken, np.ones(SIZE, bool)), where, curved=True)
    assert motion is not None
    np.testing.assert_allclose(motion.at(np.array([60.0]), np.array([45.0]))[0], flow[45, 60], atol=0.1)


def test_a_speck_has_no_motion_of_its_own() -> None:
    where = np.zeros(SIZE, bool)
    where[3:6, 3:6] = True
    step = Step(1, 1, np.zeros((*SIZE, 2), np.float32), np.ones(SIZE, bool))
    assert fitted_motion(step, where, curved=True) is None


@pytest.mark.parametrize(("frame", "targets"), [(0, [1, 3]), (3, [4, 6, 2, 0]), (6, [5, 3])])
def test_steps_go_both_ways_as_far_as_the_video_does(frame: int, targets: list[int]) -> None:
    _, _, chain = square_over_wall(1)
    assert [step.target for step in steps_from(chain, frame, STRIDES)] == targets
