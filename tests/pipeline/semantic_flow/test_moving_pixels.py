"""Motion told from flow and cameras alone."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.formats.scene_file import Scene, SceneFlow, read_scene
from pipeline.semantic_flow import moving_pixels as module
from pipeline.semantic_flow.moving_pixels import flow_residual
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("moving")).scene)


def moving_pixels(scene: Scene) -> np.ndarray:
    """Of all frames."""
    flow = SceneFlow.of(scene)
    return np.stack([module.moving_pixels(scene, flow, frame) for frame in range(scene.frame_count)])


def test_the_background_does_not_move_and_the_boxes_do(scene: Scene) -> None:
    moving = moving_pixels(scene)
    assert moving[scene.object_ids == 0].mean() < 0.02
    found = [float(moving[scene.object_ids == k].mean()) for k in (1, 2)]
    assert min(found) > 0.3, found


@pytest.mark.parametrize("direction", ["flow_forward_valid", "flow_backward_valid"])
def test_either_direction_of_flow_shows_what_moves(scene: Scene, direction: str) -> None:
    alone = replace(scene, **{direction: np.zeros_like(getattr(scene, direction))})
    bare = -1 if direction == "flow_backward_valid" else 0
    moving = moving_pixels(alone)
    found = [float(moving[scene.object_ids == k].mean()) for k in (1, 2)]
    assert min(found) > 0.25, found
    assert not moving[bare].any(), "no flow starts there"


def test_moving_pixels_do_not_read_the_masks(scene: Scene) -> None:
    shuffled = replace(scene, object_ids=np.zeros_like(scene.object_ids))
    np.testing.assert_array_equal(moving_pixels(shuffled), moving_pixels(scene))


def test_a_turning_camera_explains_its_flow_by_rotation_alone(scene: Scene) -> None:
    camera, angle = scene.camera, 0.05
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    centred = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], axis=-1) @ turn[:2, :2].T
    flow = centred * [camera.fx, camera.fy] + [camera.cx, camera.cy] - np.stack([x, y], axis=-1)
    bounds = np.array([1.0, 10.0], np.float32)
    assert flow_residual(camera, turn, flow, bounds).max() < 1e-6
    assert flow_residual(camera, turn, flow + np.array([3.0, 0.0]), bounds).min() > 2.9
