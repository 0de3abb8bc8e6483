"""Reconstruction finds what made the tracks, names what it cannot know, and says the same twice."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.cameras import Intrinsics, inverse
from pipeline.config import ReconstructObjectsConfig
from pipeline.formats.geometry_file import Geometry, read_geometry
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.reconstruct_objects import first_camera, reconstruct_objects
from pipeline.sfm.background import imported_background, reconstruct_background
from pipeline.sfm.colmap import read_tracked_model, write_model
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.hemisphere_init import hemisphere_depth
from pipeline.sfm.mapping import MappingOptions, candidate_models, mirrored
from pipeline.sfm.object_reconstruction import reconstruct_object
from pipeline.sfm.rigid_model import RigidModel, reprojection_errors_px
from pipeline.sfm.verdicts import doubts_about, judge, planarity
from pipeline.truth.correspondences import truth_intrinsics
from tests.pipeline.tracked_body import CAMERA, FRAMES, masks_around, orbit, room, solid, tracked, turning_poses
from tests.synthetic import SyntheticScene, camera_from_object, synthetic_truth, write_synthetic_scene

OPTIONS = MappingOptions(CAMERA, True, 0, 1200, 4000)
BLIND = replace(OPTIONS, camera=Intrinsics.centred(256.0, 192, 256), focal_known=False)
SOUND = {
    "registered_frames": 30, "frames_with_tracks": 30, "points": 200, "inlier_ratio_percent": 99.0,
    "reprojection_error_px": 0.2, "normalised_residual": 0.6, "triangulation_angle_deg": 20.0, "planarity": 0.5,
    "rotation_std_deg": 0.5, "trajectory_std_percent": 2.0,
}  # fmt: skip


def errors(model: RigidModel, poses: np.ndarray) -> tuple[float, float]:
    """Degrees and % against true camera_from_object."""
    known = model.registered
    source, target = model.object_from_camera[known], inverse(poses[known])
    return rotation_error_deg(source, target), trajectory_error_percent(source, target)


# Objects


def test_a_turning_solid_is_found_and_called_ok() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(150), noise=0.1, length=8)
    found = reconstruct_object(seen, masks_around(seen), OPTIONS)
    rotation, trajectory = errors(found.model, poses)
    assert found.judgement.verdict == "ok", found.judgement.reason
    assert rotation < 0.5 and trajectory < 2
    assert found.model.registered.all()


def test_the_same_tracks_give_the_same_poses_bit_for_bit() -> None:
    _, seen = tracked(turning_poses(), solid(100), noise=0.2, length=7)
    masks = masks_around(seen)
    first, second = (reconstruct_object(seen, masks, OPTIONS).model for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_object, second.camera_from_object)
    np.testing.assert_array_equal(first.points, second.points)


def test_a_body_that_bends_is_called_not_rigid() -> None:
    points, random = solid(120), np.random.default_rng(0)
    _, seen = tracked(turning_poses(), points, noise=0.1)
    swing = 12 * np.sin(seen.frame / 2 + 6 * points[seen.track, 0]) * random.choice([-1, 1], len(points))[seen.track]
    bent = replace(seen, xy=seen.xy + np.stack([swing, 0.7 * np.roll(swing, 3)], axis=1))
    judgement = reconstruct_object(bent, masks_around(bent), OPTIONS).judgement
    assert judgement.verdict == "weak" and ("not rigid" in judgement.reason or "no rigid model" in judgement.reason)


def test_points_of_what_bends_are_not_looked_for_where_a_rigid_model_has_them() -> None:
    def image(frame: int) -> torch.Tensor:
        raise AssertionError(f"frame {frame} was looked at")

    _, rigid_tracks = tracked(turning_poses(), solid(120), noise=0.1)
    swing = 0.4 * np.sin(rigid_tracks.frame + 7.0 * rigid_tracks.track)
    bent = replace(rigid_tracks, xy=rigid_tracks.xy + np.stack([swing, np.roll(swing, 3)], axis=1))
    images = ObjectImages(image, image, 1, 5)
    judgement = reconstruct_object(bent, masks_around(bent), OPTIONS, images).judgement
    assert judgement.verdict == "weak" and "it bends" in judgement.reason
    with pytest.raises(AssertionError, match="was looked at"):
        reconstruct_object(rigid_tracks, masks_around(rigid_tracks), OPTIONS, images)


def test_shapes_grown_from_some_of_the_tracks_have_the_points_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sfm.mapping.MAPPING_OBSERVATIONS", 60 * FRAMES)
    for mapper in ("map_globally", "map_incrementally"):
        monkeypatch.setattr(f"pipeline.sfm.mapping.{mapper}", lambda *_: [])
    poses = turning_poses()
    _, seen = tracked(poses, solid(150), noise=0.1, length=8)
    found = candidate_models(seen, OPTIONS)
    assert {len(candidate.adjusted.model.points) for candidate in found} == {120}
    assert errors(found[0].adjusted.model, poses)[0] < 1


def test_a_flat_object_is_called_planar() -> None:
    _, seen = tracked(turning_poses(distance=3.5), solid(150) * [1, 1, 0.005], noise=0.1)
    judgement = reconstruct_object(seen, masks_around(seen), OPTIONS).judgement
    assert judgement.verdict == "weak" and "planar" in judgement.reason


def test_an_object_far_away_that_hardly_turns_is_not_ok() -> None:
    _, seen = tracked(turning_poses(turn=0.15, distance=40.0), 0.8 * solid(100), noise=0.2)
    judgement = reconstruct_object(seen, masks_around(seen), OPTIONS).judgement
    assert judgement.verdict == "weak"


def test_few_points_give_a_flat_picture_and_say_so() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(6))
    found = reconstruct_object(seen, masks_around(seen), OPTIONS)
    assert (found.judgement.verdict, found.model.method) == ("weak", "fronto_parallel")
    assert "only 6 points" in found.judgement.reason and "flat picture" in found.judgement.reason


def test_a_speck_is_failed_with_its_size() -> None:
    _, seen = tracked(turning_poses(), solid(20))
    speck = np.zeros((FRAMES, CAMERA.height, CAMERA.width), bool)
    speck[:, 10:13, 10:13] = True
    judgement = reconstruct_object(seen, speck, OPTIONS).judgement
    assert judgement.verdict == "failed" and "9 pixels" in judgement.reason


def test_frames_without_the_object_stay_without_a_pose() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(120), noise=0.05)
    hidden = seen.kept((seen.frame < 8) | (seen.frame > 9))
    found = reconstruct_object(hidden, masks_around(hidden), OPTIONS)
    assert np.flatnonzero(~found.model.registered).tolist() == [8, 9]
    assert errors(found.model, poses)[0] < 0.5


def test_the_mirror_image_of_a_far_object_looks_alike_and_mirrors_back() -> None:
    true, seen = tracked(turning_poses(turn=0.4, distance=60.0), solid(40))
    other = mirrored(true)
    assert np.median(reprojection_errors_px(other, seen)) < 0.1
    turned = true.camera_from_object @ np.linalg.inv(true.camera_from_object[0])
    twice = mirrored(other).camera_from_object
    np.testing.assert_allclose((twice @ np.linalg.inv(twice[0]))[:, :3, :3], turned[:, :3, :3], atol=1e-9)


def test_a_cap_is_nearest_in_the_middle() -> None:
    depth = hemisphere_depth(np.array([[0.0, 0.0], [0.1, 0.0], [-0.1, 0.0], [0.0, 0.1], [0.0, -0.1]]))
    assert depth[0] == pytest.approx(1.0) and (depth[1:] > 1.05).all()


# Backgrounds


def test_a_moving_camera_and_its_focal_length_are_found() -> None:
    poses = orbit(20, turn=0.5, shift=2.5)
    _, seen = tracked(poses, room(300), noise=0.1, length=14)
    found, motion = reconstruct_background(seen, BLIND)
    assert (motion, found.judgement.verdict) == ("moving", "ok"), found.judgement.reason
    assert abs(found.model.camera.fx - CAMERA.fx) < 5
    assert found.focal_std_px is not None and abs(found.model.camera.fx - CAMERA.fx) < 5 * found.focal_std_px
    assert max(errors(found.model, poses)) < 1.5


def test_a_tripod_is_static() -> None:
    _, seen = tracked(np.tile(np.eye(4), (FRAMES, 1, 1)), room(100), noise=0.1)
    found, motion = reconstruct_background(seen, BLIND)
    assert (motion, found.judgement.verdict) == ("static", "weak") and "no parallax" in found.judgement.reason
    np.testing.assert_array_equal(found.model.camera_from_object, np.tile(np.eye(4), (FRAMES, 1, 1)))


def test_a_camera_on_a_pan_head_is_rotating() -> None:
    poses = orbit(turn=0.4, shift=0.0)
    _, seen = tracked(poses, room(200), noise=0.1, length=8)
    found, motion = reconstruct_background(seen, OPTIONS)
    assert motion == "rotating" and found.judgement.verdict == "weak" and "only turns" in found.judgement.reason
    relative = found.model.camera_from_object @ np.linalg.inv(found.model.camera_from_object[0])
    np.testing.assert_allclose(relative[:, :3, :3], (poses @ np.linalg.inv(poses[0]))[:, :3, :3], atol=5e-3)


def test_a_turning_camera_tells_its_focal_length_and_how_surely() -> None:
    _, seen = tracked(orbit(turn=0.5, shift=0.0), room(200), noise=0.1, length=8)
    found, motion = reconstruct_background(seen, BLIND)
    assert motion == "rotating" and found.focal_std_px is not None and 0 < found.focal_std_px < 20
    assert abs(found.model.camera.fx - CAMERA.fx) < 4 * found.focal_std_px + 1


def test_an_empty_background_is_failed_but_usable() -> None:
    _, seen = tracked(np.tile(np.eye(4), (FRAMES, 1, 1)), room(5))
    found, motion = reconstruct_background(seen, BLIND)
    assert (motion, found.judgement.verdict) == ("static", "failed")
    assert found.model.registered.all() and found.model.has_point.all()


def test_given_poses_stay_as_they_are_and_are_held_against_the_tracks() -> None:
    poses = orbit(20, turn=0.4, shift=2.0)
    _, seen = tracked(poses, room(150), noise=0.1)
    found, motion = imported_background(seen, poses, OPTIONS)
    assert (motion, found.judgement.verdict, found.model.method) == ("moving", "ok", "imported")
    np.testing.assert_array_equal(found.model.camera_from_object, poses)
    wrong, _ = imported_background(seen, poses[::-1].copy(), OPTIONS)
    assert wrong.judgement.verdict == "weak"


# Verdicts


def test_a_sound_model_is_ok_and_every_doubt_is_in_words() -> None:
    assert judge(SOUND).verdict == "ok" and not list(doubts_about(SOUND))
    for name, value, word in (
        ("registered_frames", 10, "frames are registered"),
        ("points", 12, "without texture"),
        ("inlier_ratio_percent", 60.0, "not rigid"),
        ("reprojection_error_px", 1.0, "residuals"),
        ("normalised_residual", 2.1, "it bends"),
        ("triangulation_angle_deg", 1.0, "depth is uncertain"),
        ("planarity", 0.99, "planar"),
        ("rotation_std_deg", 4.0, "ambiguous"),
        ("trajectory_std_percent", 20.0, "ambiguous"),
    ):
        judgement = judge({**SOUND, name: value})
        assert judgement.verdict == "weak" and word in judgement.reason


def test_planarity_is_one_less_the_thickness_over_the_second_extent() -> None:
    grid = np.stack(np.meshgrid([-2, 0, 2.0], [-1, 0, 1.0], [-0.1, 0, 0.1]), axis=-1).reshape(-1, 3)
    assert planarity(RigidModel(np.zeros((1, 4, 4)), grid, CAMERA, "")) == pytest.approx(0.9)


def test_the_camera_is_taken_from_the_surest_source() -> None:
    info = {"height": 100, "width": 200, "source": {"height": 200, "width": 400}, "focal_px": 180.0}
    given = ReconstructObjectsConfig(intrinsics=(400.0, 410.0, 200.0, 100.0))
    camera, source = first_camera(info, given, None)
    assert source == "given" and camera.values.tolist() == [200, 205, 100, 50]
    assert first_camera(info, ReconstructObjectsConfig(), None)[0].fx == 180
    camera, source = first_camera({**info, "focal_px": None}, ReconstructObjectsConfig(default_focal=1.2), None)
    assert source == "default" and camera.fx == pytest.approx(240)


# Files


def test_a_model_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    true, seen = tracked(turning_poses(), solid(30), length=6)
    gap = replace(
        true, camera_from_object=np.where(np.arange(FRAMES)[:, None, None] == 3, np.nan, true.camera_from_object)
    )
    write_model(tmp_path / "1", gap, seen)
    model, observed = read_tracked_model(tmp_path / "1", FRAMES)
    np.testing.assert_allclose(model.camera_from_object, gap.camera_from_object, atol=1e-12)
    np.testing.assert_allclose(model.points, true.points, atol=1e-12)
    np.testing.assert_allclose(observed.xy, seen.xy[seen.frame != 3], atol=1e-9)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("geometry"))


def run(scene: SyntheticScene, folder: Path, poses: Path | None = None, **settings: object) -> tuple[Path, Geometry]:
    inputs = (scene.frames, scene.info, scene.tracks, scene.masks, scene.objects, poses)
    config = ReconstructObjectsConfig.model_validate(settings)
    reconstruct_objects(*inputs, folder / "reconstruction", folder / "geometry.json", config)
    return folder / "reconstruction", read_geometry(folder / "geometry.json")


def test_the_stage_reconstructs_a_scene_from_exact_tracks(scene: SyntheticScene, tmp_path: Path) -> None:
    truth = synthetic_truth()
    values = tuple(truth_intrinsics(truth).values.tolist())
    folder, geometry = run(scene, tmp_path, intrinsics=values, guided_matching_rounds=0)
    assert [entry.id for entry in geometry.objects] == [0, 1, 2]
    assert (geometry.camera, geometry.intrinsics_source) == ("moving", "given")
    for entry in geometry.objects:
        model, _ = read_tracked_model(folder / str(entry.id), len(truth.train.images))
        assert errors(model, camera_from_object(truth, entry.id))[0] < 1.0


def test_the_same_images_give_the_same_poses_bit_for_bit(scene: SyntheticScene, tmp_path: Path) -> None:
    values = tuple(truth_intrinsics(synthetic_truth()).values.tolist())
    (first, _), (second, _) = (run(scene, tmp_path / name, intrinsics=values) for name in ("a", "b"))
    for file in sorted(first.rglob("*.bin")):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes()


def test_given_poses_come_out_to_a_millionth(
    scene: SyntheticScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = synthetic_truth()
    with caplog.at_level(logging.INFO):
        folder, geometry = run(scene, tmp_path, scene.reconstruction / "0")
    background = geometry.objects[0]
    assert (background.method, background.verdict, geometry.intrinsics_source) == ("imported", "ok", "given")
    assert geometry.intrinsics[0] == pytest.approx(truth.focal_px)
    model, _ = read_tracked_model(folder / "0", len(truth.train.images))
    np.testing.assert_allclose(model.camera_from_object, camera_from_object(truth, 0), atol=1e-6)
