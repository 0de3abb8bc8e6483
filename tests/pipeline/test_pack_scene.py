"""scene.h5 holds what the stages found, in one frame, one unit and one numbering."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cameras import inverse, project, transform
from pipeline.config import PackSceneConfig
from pipeline.formats.geometry_file import CarriedPose, Geometry, ObjectGeometry, read_geometry, write_geometry
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.masks_file import read_masks, write_masks
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.pack_scene import bridged, filled_poses, frame_times, pack_scene, renumbered
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import Truth
from tests.pipeline.tracked_body import turning_poses
from tests.synthetic import FRAMES, SyntheticScene, camera_from_object, synthetic_truth, write_synthetic_scene


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("scene"))


@dataclass(frozen=True)
class Packed:
    path: Path
    scene: Scene


def packed(paths: SyntheticScene, folder: Path) -> Packed:
    inputs = (paths.frames, paths.info, paths.flow, paths.masks, paths.objects, paths.reconstruction, paths.geometry)
    pack_scene(*inputs, folder / "scene.h5", PackSceneConfig())
    return Packed(folder / "scene.h5", read_scene(folder / "scene.h5"))


@pytest.fixture(scope="module")
def whole(paths: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return packed(paths, tmp_path_factory.mktemp("packed"))


def judged(paths: SyntheticScene, folder: Path, verdicts: dict[int, str]) -> SyntheticScene:
    """The scene with other verdicts."""
    geometry = read_geometry(paths.geometry)
    objects = [
        ObjectGeometry(**{**entry.model_dump(), "verdict": verdicts.get(entry.id, entry.verdict), "reason": "so it is"})
        for entry in geometry.objects
    ]
    write_geometry(folder / "geometry.json", Geometry(**{**geometry.model_dump(), "objects": objects}))
    return paths._replace(geometry=folder / "geometry.json")


def test_images_ids_flow_and_times_are_those_of_the_stages(paths: SyntheticScene, whole: Packed) -> None:
    truth = synthetic_truth()
    np.testing.assert_array_equal(whole.scene.images, truth.train.images)
    np.testing.assert_array_equal(whole.scene.object_ids, truth.train.object_ids)
    np.testing.assert_allclose(whole.scene.times_s, np.arange(FRAMES) / 10)
    assert whole.scene.flow_forward.shape[0] == FRAMES - 1


def test_a_lens_of_the_frames_is_undone_in_images_ids_and_flow(
    paths: SyntheticScene, whole: Packed, tmp_path: Path
) -> None:
    truth = synthetic_truth()
    lens = Lens("SIMPLE_RADIAL", (truth.focal_px, truth.size[1] / 2, truth.size[0] / 2, -0.1), *truth.size[::-1])
    view = undistortion(lens)
    told = {"lens": lens.values, "intrinsics": tuple(view.camera.values.tolist())}
    write_geometry(tmp_path / "geometry.json", read_geometry(paths.geometry).model_copy(update=told))
    scene = packed(paths._replace(geometry=tmp_path / "geometry.json"), tmp_path).scene
    assert scene.camera == view.camera and scene.kept.frame_lens == lens.values
    np.testing.assert_array_equal(scene.images[2], view.apply(whole.scene.images[2]))
    np.testing.assert_array_equal(scene.object_ids[2], view.apply(whole.scene.object_ids[2], exact=True))
    flow, valid = view.flow(whole.scene.flow_backward[1], whole.scene.flow_backward_valid[1])
    np.testing.assert_array_equal(scene.flow_backward[1], flow)
    np.testing.assert_array_equal(scene.flow_backward_valid[1], valid)


def test_observed_points_project_to_where_they_were_seen(whole: Packed) -> None:
    """Box frame, units and depth agree: lift an observation to its object, and see it from the frame before."""
    scene = whole.scene
    truth = synthetic_truth()
    for index in range(3):
        own = np.flatnonzero((scene.observation_object == index) & (scene.observation_frame > 0))
        frame, xy = scene.observation_frame[own], scene.observation_xy[own].astype(float)
        fx, fy, cx, cy = scene.intrinsics
        rays = np.stack([(xy[:, 0] - cx) / fx, (xy[:, 1] - cy) / fy, np.ones(len(xy))], axis=1)
        pose = scene.object_from_camera[index].astype(float)
        points = transform(pose[frame], rays * scene.observation_depth[own, None])
        assert (np.abs(points) <= scene.box_half_extent[index] * 1.0001).mean() > 0.98
        before = project(scene.camera, transform(inverse(pose)[frame - 1], points))
        true = camera_from_object(truth, index)
        lifted = transform(
            inverse(true)[frame], rays * (scene.observation_depth[own] * depth_unit(scene, truth, index))[:, None]
        )
        np.testing.assert_allclose(before, project(scene.camera, transform(true[frame - 1], lifted)), atol=0.05)


def depth_unit(scene: Scene, truth: Truth, index: int) -> float:
    """True depth over the scene's."""
    own = scene.observation_object == index
    columns, rows = np.floor(scene.observation_xy[own]).astype(int).T
    return float(
        np.median(truth.train.depth[scene.observation_frame[own], rows, columns] / scene.observation_depth[own])
    )


def test_the_background_has_median_depth_one_and_objects_the_middle_of_their_range(whole: Packed) -> None:
    scene = whole.scene
    near, far = scene.depth_range
    background = scene.observation_depth[scene.observation_object == 0]
    assert np.median(background) == pytest.approx(1.0, rel=1e-4)
    assert background.max() == pytest.approx(0.95 * far, rel=1e-3)
    np.testing.assert_array_equal(scene.scale_range[0], [1, 1])
    for index in (1, 2):
        depth = scene.observation_depth[scene.observation_object == index]
        low, high = scene.scale_range[index]
        assert (low + high) / 2 == pytest.approx(1.0, rel=1e-5)
        assert low * depth.min() == pytest.approx(1.05 * near, rel=1e-4)
        assert high * depth.max() == pytest.approx(0.95 * far, rel=1e-4)


def test_a_failed_object_is_ignored_not_painted_into_the_background(paths: SyntheticScene, tmp_path: Path) -> None:
    found = packed(judged(paths, tmp_path, {1: "failed"}), tmp_path)
    ids = read_masks(paths.masks)
    assert (found.scene.object_ids[ids == 1] == 255).all()
    assert (found.scene.object_ids[ids == 2] == 1).all() and (found.scene.object_ids[ids == 0] == 0).all()
    assert [entry["id"] for entry in found.scene.objects] == [0, 2]
    with h5py.File(found.path) as file:
        assert json.loads(file.attrs["object_ids"]) == [0, 2]


def test_a_weak_object_stays_with_its_reason(paths: SyntheticScene, tmp_path: Path) -> None:
    found = packed(judged(paths, tmp_path, {2: "weak"}), tmp_path)
    assert (found.scene.objects[2]["verdict"], found.scene.objects[2]["reason"]) == ("weak", "so it is")


def test_a_frame_without_pose_lies_between_its_neighbours() -> None:
    poses = turning_poses(5)
    gap = poses.copy()
    gap[2] = np.nan
    filled, visible = filled_poses(gap)
    assert visible.tolist() == [True, True, False, True, True]
    true = inverse(poses)
    np.testing.assert_allclose(filled[[0, 1, 3, 4]], true[[0, 1, 3, 4]], atol=1e-12)
    np.testing.assert_allclose(filled[2, :3, 3], (true[1, :3, 3] + true[3, :3, 3]) / 2, atol=1e-12)
    np.testing.assert_allclose(filled[2, :3, :3], true[2, :3, :3], atol=0.02)


def test_a_carried_pose_is_taken_and_its_frame_stays_unseen() -> None:
    poses = turning_poses(5)
    gap = poses.copy()
    gap[2] = np.nan
    rows = poses[2, :3].tolist()
    carried = CarriedPose(frame=2, camera_from_object=rows, rotation_std_deg=1.0, place_std_percent=1.0)
    filled, visible = filled_poses(gap, [carried])
    assert visible.tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(filled, inverse(poses), atol=1e-12)


def test_frames_before_the_first_pose_repeat_it() -> None:
    poses = turning_poses(4)
    poses[[0, 3]] = np.nan
    filled, visible = filled_poses(poses)
    np.testing.assert_allclose(filled[0], filled[1])
    np.testing.assert_allclose(filled[3], filled[2])
    assert visible.sum() == 2


def test_only_short_gaps_are_bridged_and_only_where_asked() -> None:
    registered = np.array([0, 1, 0, 1, 0, 0, 1, 0], bool)
    assert bridged(registered, 0).tolist() == registered.tolist()
    assert bridged(registered, 1).tolist() == [False, True, True, True, False, False, True, False]
    assert bridged(registered, 2).tolist() == [False, *[True] * 6, False]


def test_ids_are_counted_anew() -> None:
    ids = np.array([[[0, 3, 7, 255]]], np.uint8)
    assert renumbered(ids, [0, 7]).tolist() == [[[0, 255, 1, 255]]]


def test_times_start_at_nought() -> None:
    info = {"frames": [{"time_s": 2.0}, {"time_s": 2.5}]}
    assert frame_times(info, 2).tolist() == [0.0, 0.5]
    with pytest.raises(StageError, match="2 frames, the folder has 3"):
        frame_times(info, 3)


def test_masks_of_another_shape_are_refused(paths: SyntheticScene, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks.h5", np.zeros((FRAMES, 20, 20), np.uint8), {})
    with pytest.raises(StageError, match="shape"):
        packed(paths._replace(masks=tmp_path / "masks.h5"), tmp_path)
    assert not (tmp_path / "scene.h5").exists()


def test_a_missing_model_is_named(paths: SyntheticScene, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="not a COLMAP model"):
        packed(paths._replace(reconstruction=tmp_path / "nowhere"), tmp_path)


def test_two_packs_are_the_same(paths: SyntheticScene, whole: Packed, tmp_path: Path) -> None:
    again = packed(paths, tmp_path).scene
    assert replace(again, objects=[]).object_from_camera.tobytes() == whole.scene.object_from_camera.tobytes()
    np.testing.assert_array_equal(again.observation_depth, whole.scene.observation_depth)
