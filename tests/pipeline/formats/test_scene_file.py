"""scene.h5 survives, whole or some frames of it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.scene_file import FIELDS, FLOW_FIELDS, read_scene, read_scene_frames
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("scene")).scene


def test_fields_that_are_not_needed_are_zeros_of_their_shape(path: Path) -> None:
    whole, part = read_scene(path), read_scene(path, without=("images", *FLOW_FIELDS))
    assert part.images.shape == whole.images.shape and not part.images.any() and part.images.strides == (0, 0, 0, 0)
    for field in FIELDS:
        if field.name not in ("images", *FLOW_FIELDS):
            np.testing.assert_array_equal(getattr(part, field.name), getattr(whole, field.name))


def test_some_frames_keep_their_own_observations(path: Path) -> None:
    whole, part = read_scene(path), read_scene_frames(path, [5, 2])
    np.testing.assert_array_equal(part.images, whole.images[[5, 2]])
    np.testing.assert_array_equal(part.object_from_camera, whole.object_from_camera[:, [5, 2]])
    for here, there in ((0, 5), (1, 2)):
        np.testing.assert_array_equal(
            part.observation_xy[part.observation_frame == here], whole.observation_xy[whole.observation_frame == there]
        )
    assert (part.frame_count, part.object_count) == (2, whole.object_count)
    assert part.camera == whole.camera


def test_the_camera_has_the_size_of_the_images(path: Path) -> None:
    scene = read_scene(path)
    assert (scene.camera.height, scene.camera.width) == scene.images.shape[1:3]
    assert scene.camera.values.tolist() == scene.intrinsics.tolist()
