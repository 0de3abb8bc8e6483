"""What relates a scene to its truth, found again where it is known."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.truth.alignment import align_to_truth, nearest_scales, truth_rows
from tests.analytic_world import FRAMES, TRUE_SCALES, UNITS, analytic_scene, analytic_truth, world_from_camera

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
INFO = {"frames": [{"source_index": index} for index in range(FRAMES)]}


def test_the_world_and_the_scales_are_found() -> None:
    alignment = align_to_truth(SCENE, INFO, TRUTH)
    assert alignment.estimated_from_true.scale == pytest.approx(1 / UNITS[0], rel=1e-4)
    assert alignment.true_scales == pytest.approx(TRUE_SCALES, rel=1e-4)
    assert alignment.rows.tolist() == list(range(FRAMES))
    moved = alignment.estimated_from_true.poses(TRUTH.train.world_from_camera)
    assert np.allclose(moved, SCENE.object_from_camera[0], atol=1e-4)


def test_frames_that_the_scene_does_not_know_do_not_disturb_it() -> None:
    poses = SCENE.object_from_camera.copy()
    poses[0, 3] = np.eye(4)
    visible = SCENE.visible.copy()
    visible[0, 3] = False
    alignment = align_to_truth(replace(SCENE, object_from_camera=poses, visible=visible), INFO, TRUTH)
    assert alignment.estimated_from_true.scale == pytest.approx(1 / UNITS[0], rel=1e-4)


def test_a_still_camera_takes_the_worlds_scale_from_depth() -> None:
    still = np.tile(world_from_camera(0), (FRAMES, 1, 1))
    truth = replace(TRUTH, train=replace(TRUTH.train, world_from_camera=still))
    poses = SCENE.object_from_camera.copy()
    poses[0] = poses[0, 0]
    alignment = align_to_truth(replace(SCENE, object_from_camera=poses), INFO, truth)
    assert alignment.estimated_from_true.scale == pytest.approx(1 / UNITS[0], rel=1e-3)
    assert np.allclose(alignment.estimated_from_true.poses(still), poses[0], atol=1e-4)


def test_frames_are_found_by_their_index_in_the_video() -> None:
    info = {"frames": [{"source_index": 4}, {"source_index": 99}, {"source_index": 0}]}
    assert truth_rows(info, TRUTH.train).tolist() == [4, -1, 0]


def test_an_object_with_too_few_points_has_no_true_scale() -> None:
    kept = SCENE.observation_object != 2
    fields = ("observation_object", "observation_frame", "observation_xy", "observation_depth", "observation_weight")
    scene = replace(SCENE, **{name: getattr(SCENE, name)[kept] for name in fields})
    scales = align_to_truth(scene, INFO, TRUTH).true_scales
    assert np.isnan(scales[2]) and scales[1] == pytest.approx(TRUE_SCALES[1], rel=1e-4)


def test_the_nearest_samples_are_nearest_by_ratio_over_the_known_objects() -> None:
    scales = np.array([[1, 1.0, 9.0], [1, 2.1, 0.1], [1, 0.5, 1.0], [1, 1.9, 5.0]])
    assert nearest_scales(scales, np.array([1, 2.0, np.nan]), 2) == [1, 3]
    assert nearest_scales(scales, np.array([1, np.nan, np.nan]), 3) == [0, 1, 2]
