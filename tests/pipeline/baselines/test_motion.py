"""What baselines are told of motion."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.baselines.motion import scene_motion
from pipeline.formats.scene_file import Scene, read_scene
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene)


def test_flow_is_that_of_each_frame_to_its_neighbours(scene: Scene) -> None:
    motion, last = scene_motion(scene), scene.frame_count - 1
    np.testing.assert_allclose(motion.flow_next[3].float(), scene.flow_forward[3], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(motion.flow_previous[3].float(), scene.flow_backward[2], rtol=1e-3, atol=1e-3)
    assert (motion.next_valid[3].numpy() == scene.flow_forward_valid[3]).all()
    assert not motion.previous_valid[0].any() and not motion.next_valid[last].any()
    assert motion.neighbours.tolist()[0] == [1, 0] and motion.neighbours.tolist()[last] == [last, last - 1]


def test_flow_to_a_frame_without_a_camera_is_not_used(scene: Scene) -> None:
    visible = scene.visible.copy()
    visible[0, 4] = False
    motion = scene_motion(replace(scene, visible=visible))
    assert not motion.next_valid[3].any() and not motion.previous_valid[5].any() and motion.previous_valid[3].any()


def test_masks_say_what_moves_and_what_they_ignore_nobody_knows(scene: Scene) -> None:
    ids = scene.object_ids.copy()
    ids[2, :4] = 255
    moving = scene_motion(replace(scene, object_ids=ids)).moving[2].numpy()
    assert (moving[:4] == -1).all() and (moving[4:] == (scene.object_ids[2, 4:] > 0)).all()
