"""Scales of objects from contact and from the slowest motion."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.formats.scene_file import Scene, read_scene
from pipeline.scene.object_scales import contact_scale, object_scales, slowest_scale
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("scales")).scene)


def in_other_units(scene: Scene, index: int, unit: float) -> Scene:
    """The same scene with one object reconstructed in other units: its true scale is 1 / unit times what it was."""
    poses, depth = scene.object_from_camera.copy(), scene.observation_depth.copy()
    poses[index, :, :3, 3] *= unit
    depth[scene.observation_object == index] *= unit
    wide = scene.scale_range.copy()
    wide[1:] = [0.01, 100]
    return replace(scene, object_from_camera=poses, observation_depth=depth, scale_range=wide)


def wall(xy: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return np.full(len(xy), 9.0)


def test_an_object_touches_what_is_behind_it_at_the_ratio_of_their_depths(scene: Scene) -> None:
    frames = np.ones(scene.frame_count, bool)
    mine = scene.observation_depth[scene.observation_object == 1]
    touching = contact_scale(scene, 1, frames, wall)
    assert touching is not None
    assert 9.0 / mine.max() <= touching < 9.0 / np.percentile(mine, 90)


def test_units_of_the_reconstruction_do_not_matter(scene: Scene) -> None:
    frames = np.ones(scene.frame_count, bool)
    plain = object_scales(in_other_units(scene, 1, 1.0), frames, wall)
    doubled = object_scales(in_other_units(scene, 1, 2.0), frames, wall)
    assert plain[1] == pytest.approx(2 * doubled[1], rel=1e-4)
    assert plain[2] == pytest.approx(doubled[2], rel=1e-6)


def test_a_still_object_gets_its_exact_scale_from_the_slowest_motion(scene: Scene) -> None:
    poses = scene.object_from_camera.copy()
    poses[1] = poses[0]
    poses[1, :, :3, 3] -= np.array([0.3, 0.2, 4.0], np.float32)
    still = in_other_units(replace(scene, object_from_camera=poses), 1, 0.5)
    assert slowest_scale(still, 1, np.ones(scene.frame_count, bool)) == pytest.approx(2.0, rel=1e-3)


def test_frames_that_may_not_be_seen_change_nothing(scene: Scene) -> None:
    seen = np.arange(scene.frame_count) < 5
    poses = scene.object_from_camera.copy()
    poses[1, 5:, :3, 3] += 7
    assert slowest_scale(replace(scene, object_from_camera=poses), 1, seen) == slowest_scale(scene, 1, seen)


def test_an_object_without_points_keeps_scale_one_and_says_so(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    bare = replace(scene, observation_object=np.zeros_like(scene.observation_object))
    bare = replace(bare, object_from_camera=np.repeat(bare.object_from_camera[:, :1], scene.frame_count, axis=1))
    scales = object_scales(bare, np.ones(scene.frame_count, bool), wall)
    np.testing.assert_array_equal(scales, 1.0)
    assert scene.objects[1]["name"] in caplog.text
