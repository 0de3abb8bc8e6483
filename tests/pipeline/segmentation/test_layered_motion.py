"""Whether a pixel moves with the object or with what is beside it, where both motions are known."""

import cv2
import numpy as np

from pipeline.correspondence.flow_chain import Step, steps_from
from pipeline.segmentation.boundary_refinement import shading_normalised
from pipeline.segmentation.layered_motion import STRIDES, fitted_motion, motion_margin
from tests.pipeline.segmentation.small_videos import SIZE, square_over_wall


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
